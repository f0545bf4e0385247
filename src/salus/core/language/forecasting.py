"""Messages of forecasts: series, their steps, gaps and moments."""

from salus.core.language.message import Message

MESSAGES = {
    "forecast_target": Message(
        422,
        "{where}: a forecast is of numbers; found the kind {found}.",
        "{where}：只能预测数值；实际类型为 {found}。",
        "Name a column of numbers, or give the column the kind number with --kind.",
        "请指定数值列，或用 --kind 将该列设为数值类型。",
    ),
    "forecast_too_short": Message(
        422,
        "{where}: the longest series has {found} steps; at least {expected} are needed to learn, to choose and to judge this far ahead.",
        "{where}：最长的序列只有 {found} 步；要学习、选择并评估这么远的预测，至少需要 {expected} 步。",
        "Take a shorter --horizon, or add more moments.",
        "请缩短 --horizon，或增加更多时刻的数据。",
    ),
    "forecast_no_origins": Message(
        422,
        "{where} has no moment after which all {expected} steps are known.",
        "{where}没有任何时刻其后 {expected} 步全部已知。",
        "Take a shorter --horizon, move the borders with --split-at, or fill the gaps of the series.",
        "请缩短 --horizon，用 --split-at 移动边界，或填补序列中的缺口。",
    ),
    "forecast_step": Message(
        200,
        "{where}: the values lie {expected} apart and repeat every {season} steps (1: nothing repeats).",
        "{where}：相邻数值间隔为 {expected}，每 {season} 步重复一次（1 表示没有重复）。",
        "Nothing to do; a request gives values that lie as far apart.",
        "无需处理；请求中的数值应有相同间隔。",
    ),
    "forecast_repeats": Message(
        200,
        "{where}: {found} moments come more than once; their values were averaged.",
        "{where}：有 {found} 个时刻重复出现；其数值已取平均。",
        "Check whether they are several series, which --group would keep apart.",
        "请检查它们是否属于不同序列；若是，请用 --group 区分。",
    ),
    "forecast_clock_back": Message(
        200,
        "{where}: {found} moments come more than once, some in nights in which clocks are put back; their values were averaged.",
        "{where}：有 {found} 个时刻重复出现，其中一些在时钟回拨的夜间；其数值已取平均。",
        "Store times in UTC or with their zone; an hour that is left out in spring is bridged by a line.",
        "请以 UTC 或带时区的方式保存时间；春季缺少的一小时已用直线补上。",
    ),
    "forecast_gaps": Message(
        200,
        "{where}: {found} gaps, in which {expected} steps are missing; gaps of up to three steps were bridged by a line, no "
        "forecast is learned from or judged over longer ones.",
        "{where}：有 {found} 处缺口，共缺 {expected} 步；不超过三步的缺口已用直线补上，更长的缺口不用于学习或评估。",
        "Find out why they are missing; a value that could not be measured may be sent as null.",
        "请查明缺失原因；未能测量的数值可以 null 发送。",
    ),
    "forecast_uneven": Message(
        200,
        "{where}: {found} of {expected} steps are no whole multiples of the usual one; each value was taken to the nearest step.",
        "{where}：{expected} 个间隔中有 {found} 个不是常见间隔的整数倍；每个数值已归入最近的一步。",
        "Where the moments matter more than that, measure at regular times or average over regular ones.",
        "若时刻的精确性很重要，请按固定间隔测量或取平均。",
    ),
    "forecast_unordered": Message(
        200,
        "{where}: {found} rows come before the row above them in time; all were sorted.",
        "{where}：有 {found} 行的时间早于其上一行；已全部排序。",
        "Nothing to do.",
        "无需处理。",
    ),
    "forecast_undated": Message(
        200,
        "{where}: {found} rows have no moment and were left out.",
        "{where}：有 {found} 行没有时间，已排除。",
        "Fill in their moments, or leave them out of the file.",
        "请补上时间，或从文件中删除。",
    ),
    "forecast_thinned": Message(
        200,
        "{found} origins of the {where} side were left out, evenly: their neighbours say nearly the same.",
        "{where} 一侧均匀略去了 {found} 个预测起点：相邻起点几乎相同。",
        "Nothing to do.",
        "无需处理。",
    ),
    "forecast_constant": Message(
        200,
        "Target '{where}' is {found} at every moment: its forecast will say the same, and nothing was learned.",
        "目标“{where}”在所有时刻均为 {found}：其预测也只会如此，模型并未学到什么。",
        "Look whether what measured it was on; choose a target that changes.",
        "请检查测量设备是否正常工作；请选择会变化的目标。",
    ),
    "forecast_far": Message(
        200,
        "{where}: {found} steps ahead are asked for, and only {expected} are looked back at.",
        "{where}：要求预测 {found} 步，而只回看 {expected} 步。",
        "Add more moments, or take a shorter --horizon.",
        "请增加更多时刻的数据，或缩短 --horizon。",
    ),
}
