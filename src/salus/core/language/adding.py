"""What can go wrong while rows are written."""

from __future__ import annotations

from salus.core.language.message import Message

MESSAGES = {
    "disk_filled": Message(
        507,
        "{where} filled while it was written to; {found} bytes were free.",
        "写入过程中{where}已满；当时剩余 {found} 字节。",
        "Nothing half written was left. Free space, or choose a folder on a larger disk, and start again.",
        "没有留下不完整的文件。请清理磁盘或改用更大的磁盘，然后重新开始。",
    ),
}
