"""Messages about tasks."""

from salus.core.language.message import Message

MESSAGES = {
    "not_this_task": Message(
        422,
        "The task {expected} does not go with inputs of kind {where} and targets of kind {found}.",
        "任务 {expected} 不适用于类型为 {where} 的输入和类型为 {found} 的目标。",
        "Leave columns that are none of it out with --ignore COLUMN, correct kinds with --kind COLUMN=KIND, or leave --task out.",
        "请用 --ignore 列名 去掉无关的列，用 --kind 列名=类型 更正类型，或去掉 --task。",
    ),
    "no_task": Message(
        422,
        "Inputs of kind {where} and targets of kind {found}: expected one category, or one or several numbers as target.",
        "输入类型为 {where}，目标类型为 {found}：目标应为一个类别，或一个或多个数值。",
        "Name one category column, or only number columns, with --target.",
        "请用 --target 指定一个类别列，或只指定数值列。",
    ),
}
