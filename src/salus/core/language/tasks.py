"""Messages about tasks."""

from salus.core.language.message import Message

MESSAGES = {
    "no_task": Message(
        422,
        "Inputs of kind {where} and targets of kind {found}: expected one category, or one or several numbers as target.",
        "输入类型为 {where}，目标类型为 {found}：目标应为一个类别，或一个或多个数值。",
        "Name one category column, or only number columns, with --target.",
        "请用 --target 指定一个类别列，或只指定数值列。",
    ),
}
