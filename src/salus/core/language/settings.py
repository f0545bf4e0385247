"""Messages about settings."""

from salus.core.language.message import Message

MESSAGES = {
    "bad_setting": Message(
        422,
        "Setting {where}: expected {expected}; found {found}.",
        "设置 {where}：应为 {expected}；实际为 {found}。",
        "Correct it in the environment or in settings.json; 'salus settings' lists all.",
        "请在环境变量或 settings.json 中改正；“salus settings”列出全部设置。",
    ),
}
