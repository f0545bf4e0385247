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
    "network_memory": Message(
        422,
        "{where}: memory is short even for a step of {found} rows.",
        "{where}：即使每步只有 {found} 行，内存仍然不足。",
        "Make pictures or windows smaller, choose a smaller width in the options, or give the worker more memory.",
        "请缩小图片或窗口，在选项中减小 width，或为工作进程分配更多内存。",
    ),
    "weights_missing": Message(
        422,
        "{where}: expected weights that were learned before; found {found}.",
        "{where}：需要预先训练好的权重；实际为 {found}。",
        "Install the package {expected}, or put a .safetensors file into the folder that SALUS_WEIGHTS names, and its name into the option weights.",
        "请安装软件包 {expected}，或把 .safetensors 文件放入 SALUS_WEIGHTS 所指的文件夹，并在选项 weights 中写出其文件名。",
    ),
    "weights_bad": Message(
        422,
        "{where}: expected weights of the network {expected}; found {found}.",
        "{where}：权重应属于网络 {expected}；实际为 {found}。",
        "Give a file that holds the weights of this very network.",
        "请给出与该网络完全对应的权重文件。",
    ),
}
