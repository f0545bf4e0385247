"""Messages of the management API and of the program that serves it."""

from salus.core.language.message import Message

MESSAGES = {
    "no_key": Message(
        401,
        "This address needs a key; found none that is valid.",
        "该地址需要密钥；未找到有效的密钥。",
        "Send the header 'Authorization: Bearer salus_...' with a key that is neither revoked nor expired.",
        "请发送请求头“Authorization: Bearer salus_...”，密钥不能已撤销或已过期。",
    ),
    "no_such_address": Message(
        404,
        "There is nothing at this address.",
        "该地址没有内容。",
        "The addresses are listed in docs/http-api.md.",
        "地址列表见 docs/http-api.md。",
    ),
}
