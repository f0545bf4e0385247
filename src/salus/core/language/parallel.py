"""Messages about the same texts in several languages."""

from salus.core.language.message import Message

MESSAGES = {
    "texts_not_parallel": Message(
        422,
        "{where} ends after {found} lines, before the file of the other language does.",
        "{where} 在第 {found} 行之后结束，早于另一种语言的文件。",
        "Line i of every file must be the same sentence; mend the files, or give a table with one column a language.",
        "每个文件的第 i 行必须是同一句话；请修正文件，或提供每种语言一列的表格。",
    ),
}
