"""Messages of measuring and of the gate."""

from salus.core.language.message import Message

MESSAGES = {
    "gate_not_compared": Message(
        422,
        "the version before, {found}, was not judged by the same rows, so nothing shows that this one is no worse.",
        "上一版本 {found} 不是由相同的行评判的，因此无法说明本版本不更差。",
        "Give the data a split column so that all versions are judged by the same rows, or leave this demand out of the policy.",
        "请为数据提供划分列，使各版本由相同的行评判；或在策略中去掉这一要求。",
    ),
    "nothing_to_measure": Message(
        422,
        "{where}: expected at least one labelled row to judge by; found none.",
        "{where}：至少应有一行带标签的数据用于评估；实际没有。",
        "Add rows with labels, or choose another split.",
        "请加入带标签的行，或选择其他划分方式。",
    ),
    "answers_not_finite": Message(
        422,
        "{where}: expected finite answers on the rows to judge by; found {found} rows that are not.",
        "{where}：评估行上的输出应为有限数；有 {found} 行不是。",
        "Train again with other options or another learner; look for extreme values in the data.",
        "请换用其他选项或学习器重新训练，并检查数据中的极端值。",
    ),
    "threshold_one_class": Message(
        422,
        "{where}: a threshold is chosen where both labels occur; {found} of {expected} held-out rows have this one.",
        "{where}：选择阈值需要两种标签都出现；{expected} 行保留数据中有 {found} 行为该标签。",
        "Add rows with the other label, or ask for costs instead.",
        "请加入另一种标签的行，或改为指定代价。",
    ),
    "gate_better_here": Message(
        409,
        "Better than doing nothing on these {found}; there are too few of them to say more.",
        "在这 {found} 上优于什么都不做；数量太少，无法说明更多。",
        "Test on more before anybody relies on it.",
        "在投入使用之前，请用更多数据测试。",
    ),
    "gate_not_better": Message(
        409,
        "{where} is not surely better than doing nothing: its 95 % interval reaches {found}, doing nothing gives {expected}.",
        "{where} 未能确定优于什么都不做：其 95 % 区间达到 {found}，什么都不做为 {expected}。",
        "Add data or columns that say more about the target, or give the training more time.",
        "请加入与目标更相关的数据或列，或给训练更多时间。",
    ),
    "gate_blocker": Message(
        409,
        "The data has something that must be mended first: {found}",
        "数据中有必须先解决的问题：{found}",
        "Mend it and train again.",
        "请解决后重新训练。",
    ),
    "gate_bound": Message(
        409,
        "{where}: expected {expected} by its whole 95 % interval; found {found}.",
        "{where}：整个 95 % 区间应满足 {expected}；实际为 {found}。",
        "Improve the model, or change the policy.",
        "请改进模型，或修改策略。",
    ),
    "gate_no_subgroups": Message(
        409,
        "The policy demands a floor for subgroups, but the report has none.",
        "策略要求子群体下限，但报告中没有子群体结果。",
        "Train again so that subgroups are measured, or take subgroup_floor out of the policy.",
        "请重新训练以评估子群体，或从策略中去掉 subgroup_floor。",
    ),
    "gate_subgroup": Message(
        409,
        "{where}: expected {expected} for every subgroup; found {found}.",
        "{where}：每个子群体应满足 {expected}；实际为 {found}。",
        "Add rows of this subgroup, or restrict what the model is used for.",
        "请增加该子群体的数据，或限制模型的使用范围。",
    ),
    "gate_resource": Message(
        409,
        "{where}: expected at most {expected}; found {found}.",
        "{where}：应不超过 {expected}；实际为 {found}。",
        "Train a smaller model (max_latency_ms), or change the policy.",
        "请训练更小的模型（max_latency_ms），或修改策略。",
    ),
    "gate_worse": Message(
        409,
        "{where}: surely worse than the version before ({expected}) on the same rows; the difference is {found}.",
        "{where}：在相同的行上确实不如之前的版本（{expected}）；差值为 {found}。",
        "Keep the version before, or give the training more data or time.",
        "请保留之前的版本，或为训练提供更多数据或时间。",
    ),
}
