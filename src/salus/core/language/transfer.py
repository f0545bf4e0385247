"""Messages of learning that starts from a folder with a model that somebody else trained."""

from salus.core.language.message import Message

MESSAGES = {
    "start_missing": Message(
        422,
        "{where}: expected a folder with a model to start from; found {found}.",
        "{where}：需要一个存放起始模型的文件夹；实际为 {found}。",
        "Name a folder on this machine with --from. A service reads only folders below those of its setting import_roots: stop it, then "
        "start it with SALUS_IMPORT_ROOTS=FOLDER in its environment.",
        "请用 --from 指定本机上的文件夹。服务只读取设置 import_roots 所列文件夹之内的内容：请停止服务，"
        "再以环境变量 SALUS_IMPORT_ROOTS=文件夹 启动。",
    ),
    "start_pickle": Message(
        422,
        "{where}: {found} may hold code that runs when it is loaded; it is not opened.",
        "{where}：{found} 在加载时可能运行代码；不予打开。",
        "Convert the weights to safetensors with the library that wrote them, and take the other file out of the folder.",
        "请用写出该文件的库把权重转换为 safetensors，并从文件夹中移走原文件。",
    ),
    "start_code": Message(
        422,
        "{where}: the model needs code of its own ({found}), which is never run.",
        "{where}：该模型需要自带代码（{found}），而这里从不运行此类代码。",
        "Start from a model of an architecture that needs none, such as {expected}.",
        "请选用无需自带代码的结构，例如 {expected}。",
    ),
    "start_incomplete": Message(
        422,
        "{where}: expected {expected}; found {found}.",
        "{where}：需要 {expected}；实际为 {found}。",
        "The folder was probably copied by half; copy it again, whole.",
        "文件夹可能只复制了一半；请重新完整复制。",
    ),
    "start_unknown": Message(
        422,
        "{where}: expected {expected}; found {found}.",
        "{where}：需要 {expected}；实际为 {found}。",
        "Start from another model, or leave --from out.",
        "请换用其他起始模型，或去掉 --from。",
    ),
}
