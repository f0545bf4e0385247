"""Messages of both HTTP servers: the doors themselves."""

from salus.core.language.message import Message

MESSAGES = {
    "method_not_allowed": Message(
        405,
        "Method: expected {expected}; found {found}.",
        "方法：应为 {expected}；实际为 {found}。",
        "Use an allowed method.",
        "请使用允许的方法。",
    ),
    "bad_host": Message(
        400,
        "Header Host: expected it exactly once; found it {found} times.",
        "请求头 Host：应恰好出现一次；实际出现 {found} 次。",
        "Send one Host header.",
        "请只发送一个 Host 请求头。",
    ),
    "bad_path": Message(
        400,
        "Path: expected segments of plain letters, digits, '.', '_', '~' and '-'; found something else.",
        "路径：各段只能由普通字母、数字、“.”、“_”、“~”和“-”组成；实际含有其他内容。",
        "Send the path as the documentation writes it; nothing is decoded or normalised.",
        "请按文档中的写法发送路径；服务不会对其解码或规范化。",
    ),
    "body_too_large": Message(
        413,
        "Body: expected at most {expected} bytes.",
        "请求体：最多允许 {expected} 字节。",
        "Send less at once, or raise the limit in the settings.",
        "请减少一次发送的内容，或在设置中提高上限。",
    ),
    "body_too_slow": Message(
        408,
        "Body: expected the next piece within {expected} seconds.",
        "请求体：下一部分应在 {expected} 秒内到达。",
        "Send the body without pauses.",
        "请不间断地发送请求体。",
    ),
}
