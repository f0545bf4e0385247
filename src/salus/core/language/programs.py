"""Messages of the programs and of their supervisor."""

from salus.core.language.message import Message

MESSAGES = {
    "home_in_use": Message(
        409,
        "{where}: expected no other {name} on this home; found one with process id {found}.",
        "{where}：该主目录上不应有另一个 {name}；发现进程号为 {found} 的进程。",
        "Stop it with 'salus down', or choose another folder with SALUS_HOME.",
        "请用“salus down”停止它，或用 SALUS_HOME 选择另一个目录。",
    ),
    "port_in_use": Message(
        409,
        "{where}: expected port {expected} to be free on {host}; found another program listening there.",
        "{where}：{host} 上的端口 {expected} 应为空闲；发现已有其他程序在监听。",
        "Stop that program, or choose another port with {setting}=NUMBER.",
        "请停止该程序，或用 {setting}=端口号 选择另一个端口。",
    ),
    "home_not_writable": Message(
        500,
        "The home {where}: expected a folder that Salus may write; found: {found}.",
        "主目录 {where}：应为 Salus 可写的文件夹；实际：{found}。",
        "Choose a folder of your own with SALUS_HOME.",
        "请用 SALUS_HOME 指定你自己的文件夹。",
    ),
    "home_open": Message(
        500,
        "The home {where}: expected a folder that only its owner may enter (mode 0700); found mode {found}.",
        "主目录 {where}：应仅所有者可访问（权限 0700）；实际权限为 {found}。",
        "Close it with: chmod 700 {where}",
        "请执行：chmod 700 {where}",
    ),
    "bind_public": Message(
        422,
        "{where}: expected 127.0.0.1; found {found}, which others can reach without encryption.",
        "{where}：应为 127.0.0.1；实际为 {found}，他人可在未加密的情况下访问。",
        "Put a proxy that ends TLS in front and set SALUS_BEHIND_PROXY=1, or leave the address as it is.",
        "请在前面放置终止 TLS 的代理并设置 SALUS_BEHIND_PROXY=1，或保持原地址。",
    ),
    "bad_address": Message(
        422,
        "{where}: expected an address of this machine; found '{found}'.",
        "{where}：应为本机的一个地址；实际为“{found}”。",
        "Set SALUS_HOST to an address of this machine, such as 127.0.0.1.",
        "请把 SALUS_HOST 设为本机地址，例如 127.0.0.1。",
    ),
    "program_keeps_dying": Message(
        500,
        "The program {where} ended {found} times within a minute.",
        "程序 {where} 在一分钟内结束了 {found} 次。",
        "Read the end of {log}; the supervisor goes on trying.",
        "请查看 {log} 的末尾；supervisor 会继续尝试启动。",
    ),
    "not_ready": Message(
        500,
        "Salus was not ready after {expected} seconds: {found}.",
        "Salus 在 {expected} 秒后仍未就绪：{found}。",
        "Read the logs in {log}; 'salus up' in the foreground shows more.",
        "请查看 {log} 中的日志；在前台运行“salus up”可看到更多信息。",
    ),
    "not_stopped": Message(
        500,
        "{where}: expected every process to be gone after {expected} seconds; process {found} is still there.",
        "{where}：{expected} 秒后所有进程都应已结束；进程 {found} 仍在运行。",
        "Wait and run 'salus down' again, or end that process yourself.",
        "请稍候后再次运行“salus down”，或自行结束该进程。",
    ),
}
