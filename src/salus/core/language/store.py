"""Messages of the record half's store: the home, the database, blobs and the queue."""

from salus.core.language.message import Message

MESSAGES = {
    "home_on_network": Message(
        500,
        "The home {where} lies on a network filesystem ({found}); its database could be damaged there.",
        "主目录 {where} 位于网络文件系统（{found}）上；数据库在那里可能损坏。",
        "Choose a folder on a local disk with SALUS_HOME.",
        "请用 SALUS_HOME 指定本地磁盘上的文件夹。",
    ),
    "blob_missing": Message(
        409,
        "The bytes {found} are not in the store.",
        "存储中没有内容 {found}。",
        "Upload the file again, or start the run again.",
        "请重新上传文件，或重新启动该运行。",
    ),
    "stale_fence": Message(
        409,
        "{where}: the fence {found} does not hold this job any more; somebody else has it or it is over.",
        "{where}：令牌 {found} 已不再持有该任务；任务已由他人接手或已结束。",
        "Drop the work and claim another job.",
        "请放弃这项工作并领取其他任务。",
    ),
    "idempotency_conflict": Message(
        409,
        "The Idempotency-Key '{found}' was used for another request.",
        "Idempotency-Key“{found}”已用于另一个请求。",
        "Use a fresh key for a new request.",
        "新的请求请使用新的键。",
    ),
}
