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
    "home_not_writable": Message(
        500,
        "The home {where} cannot be written: {found}.",
        "主目录 {where} 不可写：{found}。",
        "Give this user the right to write there, or choose another folder with SALUS_HOME.",
        "请授予当前用户写权限，或用 SALUS_HOME 选择另一个目录。",
    ),
    "home_open": Message(
        500,
        "The home {where}: expected a folder of this user that nobody else may enter (mode 0700); found {found}.",
        "主目录 {where}：应为仅当前用户可进入的文件夹（权限 0700）；实际为 {found}。",
        "Correct it with: chmod 700 FOLDER, or choose another folder with SALUS_HOME.",
        "请执行 chmod 700 文件夹，或用 SALUS_HOME 选择另一个目录。",
    ),
    "address_open": Message(
        422,
        "The setting host: expected an address of this machine alone; found '{found}', which other machines reach.",
        "设置 host：应为仅本机可达的地址；实际为“{found}”，其他机器可以访问。",
        "Leave 127.0.0.1, or set behind_proxy when a proxy in front of it ends TLS.",
        "请保留 127.0.0.1；若前面有终止 TLS 的代理，请设置 behind_proxy。",
    ),
}
