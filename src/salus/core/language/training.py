"""Messages of learning networks."""

from salus.core.language.message import Message

MESSAGES = {
    "network_picture_small": Message(
        422,
        "{where}: expected pictures of at least {expected} pixels a side; found {found}.",
        "{where}：图片每边至少应有 {expected} 像素；实际为 {found}。",
        "Choose the network 'fast', which takes any size.",
        "请选用可处理任意尺寸的网络 'fast'。",
    ),
    "network_pictures_differ": Message(
        422,
        "{where}: expected picture columns of one size; found {found}.",
        "{where}：各图片列的尺寸应相同；实际为 {found}。",
        "Set all but one picture column to ignore, or bring them to one size.",
        "请只保留一个图片列（其余设为忽略），或统一它们的尺寸。",
    ),
    "network_diverged": Message(
        422,
        "{where}: expected finite answers after learning; found numbers that are not.",
        "{where}：学习后的输出应为有限数；实际并非如此。",
        "Choose a smaller learning_rate in the options.",
        "请在选项中减小 learning_rate。",
    ),
}
