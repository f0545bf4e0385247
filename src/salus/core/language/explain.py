"""Sentences that explain a choice."""

from salus.core.language.message import Message

_REPORT = "See the report for the figures."
_REPORT_ZH = "数字见报告。"


def _said(english: str, chinese: str) -> Message:
    return Message(200, english, chinese, _REPORT, _REPORT_ZH)


MESSAGES = {
    "explain_tried": _said(
        "{found} configurations were tried, of these learners: {expected}.",
        "共尝试了 {found} 种配置，所用学习器：{expected}。",
    ),
    "explain_tried_one": _said(
        "One configuration was tried, of the learner {expected}.", "只尝试了一种配置，所用学习器：{expected}。"
    ),
    "explain_single": _said(
        "The best single one is {where}: its mean loss on rows held out is {found} (lower is better).",
        "最好的单个模型是 {where}：在留出行上的平均损失为 {found}（越低越好）。",
    ),
    "explain_clear": _said(
        "It is clearly better than the best of another learner, {where}: by {found}, with a standard error of {expected}.",
        "它明显优于其他学习器中最好的 {where}：相差 {found}，标准误 {expected}。",
    ),
    "explain_close": _said(
        "The best of another learner, {where}, is close: {found} apart, with a standard error of {expected}.",
        "其他学习器中最好的 {where} 与之接近：相差 {found}，标准误 {expected}。",
    ),
    "explain_ensemble": _said(
        "Together ({where}) they are better by {found}, with a standard error of {expected}, so their mean answers.",
        "合在一起（{where}）再好 {found}，标准误 {expected}，因此由它们的平均作答。",
    ),
    "explain_left_out": _said(
        "The learner {where} was left out: the budget was too short for it.",
        "未尝试学习器 {where}：预算时间不够。",
    ),
    "explain_folds": _said(
        "All {found} rows judged in their turn, each by a model that was chosen and calibrated without it; "
        "the model that answers was then learned from all of them.",
        "全部 {found} 行轮流作为评判，每行都由未见过它的模型预测；最终作答的模型再用全部数据学习。",
    ),
    "explain_side": _said(
        "{found} rows that were put aside before anything was learned judged it, once.",
        "由学习前就留出的 {found} 行评判，且只用一次。",
    ),
    "explain_contrast": _said(
        "Had rows of the same people lain on both sides, {where} would have been claimed as {expected}; "
        "on people it never saw it is {found}.",
        "如果同一个人的数据同时出现在两边，{where} 会被说成 {expected}；对从未见过的人实际为 {found}。",
    ),
    "explain_more_rows": _said(
        "More data would help: from {where} to {expected} rows the loss fell by {found} and had not levelled off.",
        "更多数据会有帮助：从 {where} 行到 {expected} 行，损失下降了 {found}，尚未趋平。",
    ),
    "explain_rows_enough": _said(
        "More data of this sort would bring little: from {where} to {expected} rows the loss fell by only {found}.",
        "同类数据再多也帮助不大：从 {where} 行到 {expected} 行，损失只下降了 {found}。",
    ),
    "explain_more_time": _said(
        "A larger budget may bring more: something was left out, or the last trials still helped.",
        "更大的预算可能更好：有学习器未尝试，或最后几次尝试仍有改进。",
    ),
    "explain_time_enough": _said(
        "A larger budget would bring little: the last trials no longer helped.",
        "更大的预算帮助不大：最后几次尝试已不再改进。",
    ),
    "explain_time_unknown": _said(
        "With one configuration nothing says what a larger budget would bring: try one and compare.",
        "只有一种配置，无法得知更大的预算能带来多少改进：请试一次并比较。",
    ),
    "explain_gate_passed": _said("The gate let it pass.", "它已通过准入。"),
    "explain_gate_refused": _said("The gate refused it:", "准入未通过："),
    "too_slow": Message(
        422,
        "{where}: expected one row within {expected} ms; the fastest model needs {found} ms.",
        "{where}：要求单行在 {expected} 毫秒内；最快的模型需要 {found} 毫秒。",
        "Allow more time with --max-latency, or name a smaller learner.",
        "请用 --max-latency 放宽时间，或指定更小的学习器。",
    ),
}
