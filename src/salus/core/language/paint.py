"""What is said of rows of several kinds."""

from salus.core.language.message import Message

MESSAGES = {
    "file_names_left_out": Message(
        200,
        "Column {where} holds names of files; it is not learned from.",
        "列 {where} 是文件名，未用于学习。",
        "Nothing is to be done. A name that means something belongs into a column of its own.",
        "无需处理。若文件名中含有有意义的信息，请将其放入单独的列。",
    ),
}
