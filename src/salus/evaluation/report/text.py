"""The words of a report in English and Chinese, and the sentence that says how good a model is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Report",
        "metric": "Metric",
        "value": "Value",
        "interval": "95 % interval",
        "nothing": "Doing nothing",
        "metrics": "How good it is",
        "confusion": "What is taken for what",
        "truth": "truth",
        "said": "said",
        "calibration": "Whether its probabilities mean what they say",
        "confidence": "probability that it gave",
        "share": "share that was right",
        "before": "before calibration",
        "after": "after calibration",
        "classes": "Class by class",
        "class": "Class",
        "rows": "Rows",
        "recall": "Found of these",
        "precision": "Right when said",
        "findings": "What was found in the data",
        "no_findings": "Nothing that needs attention.",
        "how": "How it was made",
        "data": "Data",
        "split": "Split",
        "learner": "Learner",
        "tried": "Tried",
        "budget": "Budget",
        "latency": "One answer",
        "size": "Size of the model",
        "gate": "Gate",
        "passed": "passed",
        "refused": "refused",
        "wide": "wide: few people or rows",
        "cut": "The clock ran out before the plan was done: part of it was skipped.",
        "same_graph": "All figures come from the packaged model on rows that it never saw.",
        "people": "people or groups",
        "loss": "validation loss",
        "targets": "Target by target",
    },
    "zh": {
        "title": "报告",
        "metric": "指标",
        "value": "数值",
        "interval": "95 % 区间",
        "nothing": "什么都不做",
        "metrics": "效果如何",
        "confusion": "哪些被认作哪些",
        "truth": "真实",
        "said": "预测",
        "calibration": "给出的概率是否可信",
        "confidence": "给出的概率",
        "share": "实际正确的比例",
        "before": "校准前",
        "after": "校准后",
        "classes": "各类别",
        "class": "类别",
        "rows": "行数",
        "recall": "其中找出",
        "precision": "预测时正确",
        "findings": "数据中的发现",
        "no_findings": "没有需要注意的问题。",
        "how": "制作过程",
        "data": "数据",
        "split": "划分",
        "learner": "学习器",
        "tried": "尝试过",
        "budget": "时间预算",
        "latency": "一次回答",
        "size": "模型大小",
        "gate": "放行",
        "passed": "通过",
        "refused": "拒绝",
        "wide": "区间较宽：人数或行数很少",
        "cut": "计划完成前时间已到：部分内容被跳过。",
        "same_graph": "所有数字都来自打包后的模型对从未见过的行的预测。",
        "people": "个人或组",
        "loss": "验证损失",
        "targets": "各目标",
    },
}
SHARES = {"accuracy"}


def headline(report: Mapping[str, Any], language: str) -> str:
    """How good the model is, in one sentence that needs no statistics."""
    found = report["headline"]
    value, low, high = (found["interval"][key] for key in ("value", "low", "high"))
    nothing, metric, rows, groups = found["baseline"], found["metric"], found["rows"], found["groups"]
    if language == "zh":
        who = f"在从未见过的 {groups} 个人（组）的 {rows} 行上" if groups else f"在从未见过的 {rows} 行上"
        what = f"{value:.1%} 正确" if metric in SHARES else f"{metric} 为 {value:.4g}"
        few = "，区间很宽，因为数量太少" if report["wide"] else ""
        return f"{who}：{what}（95 % 区间 {low:.3g} 至 {high:.3g}{few}）；什么都不做为 {nothing:.3g}。"
    who = f"On {rows} rows of {groups} people or groups it never saw" if groups else f"On {rows} rows it never saw"
    what = f"{value:.1%} are right" if metric in SHARES else f"{metric} is {value:.4g}"
    few = "; wide, because there are only few" if report["wide"] else ""
    return f"{who}, {what} (95 % interval {low:.3g} to {high:.3g}{few}); doing nothing gives {nothing:.3g}."
