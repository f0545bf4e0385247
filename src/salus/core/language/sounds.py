"""Messages of sounds and of what is said in them."""

from salus.core.language.message import Message

MESSAGES = {
    "not_a_sound": Message(
        422,
        "{where}: expected a sound (WAV, FLAC, OGG or MP3); found {found}.",
        "{where}：应为声音文件（WAV、FLAC、OGG 或 MP3）；实际为 {found}。",
        "Send the bytes of such a file, in JSON as base64 text.",
        "请发送此类文件的内容；在 JSON 中以 base64 文本表示。",
    ),
    "sound_too_long": Message(
        422,
        "{where}: expected a sound of at most {expected}; found {found}.",
        "{where}：声音最长为 {expected}；实际为 {found}。",
        "Cut it into shorter sounds.",
        "请把它切成较短的片段。",
    ),
    "sound_empty": Message(
        422,
        "{where}: the sound has no sample.",
        "{where}：该声音没有任何采样。",
        "Record it again, or leave it out.",
        "请重新录制，或将其去掉。",
    ),
    "no_sounds": Message(
        422,
        "{where}: expected sounds; found none.",
        "{where}：应有声音；实际没有。",
        "Add rows that have a sound.",
        "请加入带有声音的行。",
    ),
    "undecodable_sounds": Message(
        200,
        "Column '{where}': {found} sounds cannot be decoded, the first one in row {expected}; these rows are left out.",
        "列“{where}”：{found} 段声音无法解码，首个在第 {expected} 行；这些行将被排除。",
        "Replace the files, or remove the rows.",
        "请更换文件，或删除这些行。",
    ),
    "too_long_sounds": Message(
        200,
        "Column '{where}': {found} sounds are longer than 10 minutes, the first one in row {expected}; these rows are left out.",
        "列“{where}”：{found} 段声音超过 10 分钟，首个在第 {expected} 行；这些行将被排除。",
        "Cut them into shorter ones, each with what is said or heard in it.",
        "请切成较短的片段，并分别标注其内容。",
    ),
    "empty_sounds": Message(
        200,
        "Column '{where}': {found} sounds have no sample (0 s), the first one in row {expected}; these rows are left out.",
        "列“{where}”：{found} 段声音没有任何采样（0 秒），首个在第 {expected} 行；这些行将被排除。",
        "Record them again, or remove the rows.",
        "请重新录制，或删除这些行。",
    ),
    "silent_sounds": Message(
        200,
        "Column '{where}': {found} sounds are silent.",
        "列“{where}”：{found} 段声音为静音。",
        "Look whether the microphone was on; leave these rows out.",
        "请检查麦克风是否开启；去掉这些行。",
    ),
    "clipped_sounds": Message(
        200,
        "Column '{where}': {found} sounds are clipped: they were recorded too loud.",
        "列“{where}”：{found} 段声音削波：录音音量过大。",
        "Record them again with less gain, where that is possible.",
        "如有可能，请降低增益重新录制。",
    ),
    "odd_sound_lengths": Message(
        200,
        "Column '{where}': {found} sounds are shorter than 0.1 s or longer than the {expected} s that are heard.",
        "列“{where}”：{found} 段声音短于 0.1 秒，或长于所听取的 {expected} 秒。",
        "Cut long ones; leave out those that are too short to say anything.",
        "请切分过长的声音；去掉过短而无内容的声音。",
    ),
    "too_few_frames": Message(
        422,
        "{where}: expected sounds that are longer than their texts need; found none.",
        "{where}：声音应长于其文本所需的时长；实际没有。",
        "Look whether texts and sounds belong together.",
        "请检查文本与声音是否对应。",
    ),
}
