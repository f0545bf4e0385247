"""Messages of times, texts, recordings and their windows."""

from salus.core.language.message import Message

MESSAGES = {
    "not_a_time": Message(
        422,
        "{where}: expected a date or time such as 2024-05-31 or 2024-05-31T08:30:00Z; found {found}.",
        "{where}：应为日期或时间，例如 2024-05-31 或 2024-05-31T08:30:00Z；实际为 {found}。",
        "Write it as ISO 8601, leave it empty where it is unknown, or give the column another kind.",
        "请按 ISO 8601 书写；未知时留空；或为该列指定其他类型。",
    ),
    "time_zone_missing": Message(
        422,
        "{where}: expected a time with its zone, as in training; found one without.",
        "{where}：时间应像训练数据一样带有时区；实际没有时区。",
        "Add the zone: Z for UTC, or an offset such as +02:00.",
        "请补上时区：UTC 写 Z，或写偏移量，例如 +02:00。",
    ),
    "time_zone_unknown": Message(
        422,
        "{where}: expected a time without a zone, as in training; found one with a zone.",
        "{where}：时间应像训练数据一样不带时区；实际带有时区。",
        "Give the local time of the training data, or train again with zones in the data.",
        "请给出与训练数据一致的当地时间，或用带时区的数据重新训练。",
    ),
    "time_zone_mixed": Message(
        422,
        "{where}: some times have a zone and {found} have none, so nobody can say how far they lie apart.",
        "{where}：部分时间带有时区，另有 {found} 个没有时区，因此无法确定它们的先后间隔。",
        "Write the zone to all of them or to none, or leave the column out with --ignore.",
        "请为全部时间写上时区或全部不写，或用 --ignore 排除该列。",
    ),
    "time_order_mixed": Message(
        422,
        "{where}: dates such as 03/04/2024 are written in two orders; expected {expected}.",
        "{where}：形如 03/04/2024 的日期有两种书写次序；应为 {expected}。",
        "Write them as year-month-day.",
        "请改写为 年-月-日。",
    ),
    "not_a_text": Message(
        422,
        "{where}: expected a text; found {found}.",
        "{where}：应为文本；实际为 {found}。",
        "Send text in quotes, or null where there is none.",
        "请发送带引号的文本；没有文本时发送 null。",
    ),
}
