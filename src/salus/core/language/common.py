"""Messages that no single room owns."""

from salus.core.language.message import Message

MESSAGES = {
    "bad_name": Message(
        422,
        "{where}: expected a name of lower-case letters, digits, '-', '_' or '.', starting with a letter or digit, at most 63 long; found '{found}'.",
        "{where}：名称应由小写字母、数字、“-”、“_”或“.”组成，以字母或数字开头，最长 63 个字符；实际为“{found}”。",
        "Choose another name.",
        "请换一个名称。",
    ),
    "bad_json": Message(
        400,
        "{where}: expected one JSON document without repeated names or non-finite numbers; found {found}.",
        "{where}：应为一个没有重复名称和非有限数的 JSON 文档；实际为 {found}。",
        "Correct the JSON and send it again.",
        "请改正 JSON 后重新发送。",
    ),
    "bad_spec": Message(
        422,
        "{where}: expected {expected}; found {found}.",
        "{where}：应为 {expected}；实际为 {found}。",
        "Correct the option; 'salus train --help' lists them with their ranges.",
        "请改正该选项；“salus train --help”列出各选项及其范围。",
    ),
    "extra_missing": Message(
        422,
        "{where} needs the package '{found}', which is not installed.",
        "{where} 需要软件包“{found}”，但它尚未安装。",
        "Install it with: pip install 'salus[{extra}]'.",
        "请执行：pip install 'salus[{extra}]'。",
    ),
    "storage_low": Message(
        507,
        "{where}: expected at least {expected} bytes of free space, found {found}.",
        "{where}：至少需要 {expected} 字节的可用空间，实际只有 {found}。",
        "Free space on this disk; jobs go on by themselves afterwards.",
        "请清理磁盘；之后任务会自动继续。",
    ),
    "step_failed": Message(
        500,
        "The step ended unexpectedly: {found}.",
        "步骤意外结束：{found}。",
        "Look into the log of the worker, or start the run again.",
        "请查看 worker 的日志，或重新启动该运行。",
    ),
    "stopped": Message(
        409,
        "{where}: stopped because somebody asked for it.",
        "{where}：已按要求停止。",
        "Start it again when you want it to go on.",
        "需要继续时请重新启动。",
    ),
    "internal": Message(
        500,
        "Something went wrong inside Salus.",
        "Salus 内部出错。",
        "Report the request id {request_id} to whoever runs this service; its log has the details.",
        "请把请求编号 {request_id} 告知服务管理员；日志中有详情。",
    ),
}
