"""Messages of jobs: what a worker says about a step that did not end well."""

from salus.core.language.message import Message

MESSAGES = {
    "step_died": Message(
        500,
        "The process of the step {where} ended without an answer: {found}.",
        "步骤 {where} 的进程未给出结果即结束：{found}。",
        "It is started again by itself; if it keeps happening, give the job more memory or fewer rows.",
        "系统会自动重试；若反复出现，请为任务提供更多内存或减少行数。",
    ),
    "step_silent": Message(
        500,
        "The step {where} gave no sign of life for {expected} seconds and was ended.",
        "步骤 {where} 在 {expected} 秒内没有任何响应，已被终止。",
        "Start it again with less data, or raise the setting job_silence_s.",
        "请用较少的数据重新启动，或调高设置 job_silence_s。",
    ),
    "step_out_of_memory": Message(
        507,
        "The step {where} needed more memory than it may have ({expected}).",
        "步骤 {where} 所需内存超过上限（{expected}）。",
        "Use fewer rows or smaller pictures, or raise the setting job_memory_bytes.",
        "请减少行数或缩小图片，或调高设置 job_memory_bytes。",
    ),
    "unknown_step": Message(
        500,
        "The worker knows no step '{found}'; it knows {expected}.",
        "worker 不认识步骤“{found}”；已知步骤：{expected}。",
        "Start the worker from the same version of Salus as the control plane.",
        "请使用与控制平面版本相同的 worker。",
    ),
    "file_names_collide": Message(
        422,
        "{where}: expected every file name once; found '{found}' twice.",
        "{where}：每个文件名只能出现一次；“{found}”出现了两次。",
        "Rename one of the files and upload them again.",
        "请重命名其中一个文件后重新上传。",
    ),
}
