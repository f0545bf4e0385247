"""Messages of the client."""

from salus.core.language.message import Message

MESSAGES = {
    "path_missing": Message(
        422,
        "{where}: expected a file or a folder; found nothing.",
        "{where}：应为文件或文件夹；实际什么也没有。",
        "Check the path, or use a bundled set such as sklearn:breast_cancer.",
        "请检查路径，或使用内置数据集，例如 sklearn:breast_cancer。",
    ),
    "folder_empty": Message(
        422,
        "{where}: expected at least one file that is neither hidden nor a link; found none.",
        "{where}：至少应有一个既非隐藏也非链接的文件；实际没有。",
        "Put the data into the folder.",
        "请把数据放入该文件夹。",
    ),
}
