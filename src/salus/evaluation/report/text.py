"""The words of a report in English and Chinese, and the sentence that says how good a model is.

Knows how figures are said. Does not know where they stand on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Report",
        "metric": "Score",
        "value": "Value",
        "interval": "95 % interval",
        "nothing": "Doing nothing",
        "nothing_classes": "Doing nothing: always giving the most common answer, with the shares of the answers as probabilities.",
        "nothing_numbers": "Doing nothing: always giving the mean.",
        "interval_note": "95 % interval: where the score would lie on other rows like these.",
        "interval_people": "95 % interval: where the score would lie on other people like these.",
        "better": "better than doing nothing",
        "metrics": "How good it is",
        "confusion": "What is taken for what",
        "confusion_note": "Rows are the truth, columns what the model said; numbers are test rows, shades shares of the truth.",
        "mistakes": "The most frequent mistakes",
        "truth": "truth",
        "said": "said",
        "count": "Times",
        "calibration": "Whether its probabilities mean what they say",
        "calibration_note": "On the diagonal, a probability of 0.8 is right in 8 of 10 cases. Larger dots stand for more rows.",
        "confidence": "probability that it gave",
        "share": "share that was right",
        "before": "before calibration",
        "after": "after calibration",
        "ece": "Mean gap (ECE)",
        "log_loss": "Log loss",
        "brier": "Brier score",
        "classes": "Class by class",
        "class": "Class",
        "rows": "Rows",
        "of_rows": "rows",
        "recall": "Found of these",
        "precision": "Right when said",
        "more_classes": "The {count} classes it finds best are left out.",
        "answers": "How far its numbers are off",
        "answers_note": "Each bar holds nine of ten true values where the model said about this; dots are the middle ones. "
        "A perfect model lies on the diagonal.",
        "said_number": "what it said",
        "true_number": "what was true",
        "people_by": "Person by person",
        "people_note": "Each dot is one person or group of the test rows; the line is the middle one.",
        "subsets": "Part by part",
        "subset": "Part",
        "findings": "What was found in the data",
        "no_findings": "Nothing that needs attention.",
        "info": "to know",
        "warning": "attention",
        "blocker": "blocker",
        "how": "How it was made",
        "data": "Data",
        "split": "Split",
        "train": "to learn",
        "validation": "to choose and calibrate",
        "test": "to judge by",
        "given": "as given with the data",
        "group": "whole groups on one side",
        "stratified": "by chance, every class on each side",
        "random": "by chance",
        "learner": "Learner",
        "options": "Options",
        "tried": "Tried",
        "time": "Time",
        "seed": "Seed",
        "latency": "One answer",
        "size": "Size of the model",
        "gate": "Gate",
        "passed": "passed",
        "refused": "refused",
        "wide": "wide",
        "wide_note": "Wide: there are few people or rows to judge by; read these intervals with care.",
        "cut": "The clock ran out before the plan was done: part of it was skipped.",
        "same_graph": "All figures come from the packaged model itself, on rows that it never saw.",
        "people": "people or groups",
        "loss": "validation loss",
        "targets": "Target by target",
        "of": "{used} of {budget}",
        "limits": "It supports a decision; it makes none. The figures hold for data that comes from where this data came from.",
    },
    "zh": {
        "title": "报告",
        "metric": "指标",
        "value": "数值",
        "interval": "95 % 区间",
        "nothing": "什么都不做",
        "nothing_classes": "什么都不做：总是给出最常见的答案，并以各答案所占比例作为概率。",
        "nothing_numbers": "什么都不做：总是给出平均值。",
        "interval_note": "95 % 区间：在其他同类数据上指标可能的范围。",
        "interval_people": "95 % 区间：在其他同类人群上指标可能的范围。",
        "better": "优于什么都不做",
        "metrics": "效果如何",
        "confusion": "哪些被认作哪些",
        "confusion_note": "行为真实类别，列为模型的回答；数字为测试行数，深浅表示占该真实类别的比例。",
        "mistakes": "最常见的错误",
        "truth": "真实",
        "said": "预测",
        "count": "次数",
        "calibration": "给出的概率是否可信",
        "calibration_note": "在对角线上，概率 0.8 意味着 10 次中有 8 次正确。点越大，行数越多。",
        "confidence": "给出的概率",
        "share": "实际正确的比例",
        "before": "校准前",
        "after": "校准后",
        "ece": "平均偏差（ECE）",
        "log_loss": "对数损失",
        "brier": "Brier 分数",
        "classes": "各类别",
        "class": "类别",
        "rows": "行数",
        "of_rows": "行",
        "recall": "其中找出",
        "precision": "预测时正确",
        "more_classes": "其余 {count} 个识别得最好的类别未列出。",
        "answers": "数值偏差多大",
        "answers_note": "每条竖线包含模型给出该值附近时十分之九的真实值；圆点为中位数。完美的模型位于对角线上。",
        "said_number": "预测值",
        "true_number": "真实值",
        "people_by": "逐人结果",
        "people_note": "每个点是测试数据中的一个人（组）；竖线为中位数。",
        "subsets": "各部分",
        "subset": "部分",
        "findings": "数据中的发现",
        "no_findings": "没有需要注意的问题。",
        "info": "提示",
        "warning": "注意",
        "blocker": "须解决",
        "how": "制作过程",
        "data": "数据",
        "split": "划分",
        "train": "用于学习",
        "validation": "用于选择与校准",
        "test": "用于评估",
        "given": "按数据给定",
        "group": "每组完整地在一边",
        "stratified": "随机，各类别两边都有",
        "random": "随机",
        "learner": "学习器",
        "options": "选项",
        "tried": "尝试过",
        "time": "时间",
        "seed": "随机种子",
        "latency": "单次回答",
        "size": "模型大小",
        "gate": "准入",
        "passed": "通过",
        "refused": "未通过",
        "wide": "区间宽",
        "wide_note": "区间宽：用于评估的人或行很少，请谨慎解读。",
        "cut": "计划完成前时间已到，部分步骤被跳过。",
        "same_graph": "所有数字都来自打包后的模型本身，在它从未见过的行上得出。",
        "people": "人（组）",
        "loss": "验证损失",
        "targets": "各目标",
        "of": "{used}，预算 {budget}",
        "limits": "它只辅助决策，不作决策。以上数字只适用于与本数据来源相同的数据。",
    },
}
# metric -> how it is called and what it means.
METRIC_WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "en": {
        "accuracy": ("Accuracy", "share of rows that are right"),
        "balanced_accuracy": ("Balanced accuracy", "the same, every class weighing alike"),
        "macro_f1": ("Macro F1", "found and not falsely said, every class weighing alike"),
        "auc": ("AUC", "how well it ranks: 0.5 is chance, 1 perfect"),
        "log_loss": ("Log loss", "surprise at the truth; lower is better"),
        "rmse": ("RMSE", "typical error, large ones weighing more, in the unit of the target; lower is better"),
        "mae": ("MAE", "mean error in the unit of the target; lower is better"),
        "r2": ("R²", "share of the variation that it explains: 1 is perfect"),
    },
    "zh": {
        "accuracy": ("准确率", "正确行的比例"),
        "balanced_accuracy": ("平衡准确率", "同上，各类别权重相同"),
        "macro_f1": ("宏平均 F1", "既找出又不误报，各类别权重相同"),
        "auc": ("AUC", "排序能力：0.5 为随机，1 为完美"),
        "log_loss": ("对数损失", "对真实结果的意外程度，越低越好"),
        "rmse": ("均方根误差", "典型误差（大误差权重更高），单位与目标相同，越低越好"),
        "mae": ("平均绝对误差", "平均误差，单位与目标相同，越低越好"),
        "r2": ("R²", "所解释的变异比例，1 为完美"),
    },
}
TASK_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "binary-classification": "one of two answers",
        "multiclass-classification": "one of several answers",
        "image-classification": "what a picture shows",
        "series-classification": "what a recording shows",
        "regression": "a number",
    },
    "zh": {
        "binary-classification": "二分类",
        "multiclass-classification": "多分类",
        "image-classification": "图像分类",
        "series-classification": "时序信号分类",
        "regression": "回归",
    },
}
SHARES = frozenset({"accuracy", "balanced_accuracy", "macro_f1"})


def figure(name: str, value: float) -> str:
    """A score as it is read: shares in per cent, whose sign no line break parts from them."""
    return f"{value:.1%}".replace("%", "\u00a0%") if name in SHARES else f"{value:.3g}"


def headline(report: Mapping[str, Any], language: str) -> str:
    """How good the model is, in one sentence that needs no statistics."""
    found = report["headline"]
    metric, rows, groups = found["metric"], f"{found['rows']:,}", found["groups"]
    value, low, high = (figure(metric, found["interval"][key]) for key in ("value", "low", "high"))
    nothing = figure(metric, found["baseline"])
    if language == "zh":
        who = f"在从未见过的 {groups} 个人（组）的 {rows} 行上" if groups else f"在从未见过的 {rows} 行上"
        what = f"{value} 正确" if metric == "accuracy" else f"{METRIC_WORDS['zh'][metric][0]}为 {value}"
        few = "，区间很宽，因为数量太少" if report["wide"] else ""
        always = "总是给出最常见的答案" if metric == "accuracy" else "总是给出平均值"
        return f"{who}：{what}（95 % 区间 {low} 至 {high}{few}）；{always}为 {nothing}。"
    who = f"On {rows} rows of {groups} people or groups it never saw" if groups else f"On {rows} rows it never saw"
    what = f"{value} are right" if metric == "accuracy" else f"the {METRIC_WORDS['en'][metric][0]} is {value}"
    few = "; wide, because there are only few" if report["wide"] else ""
    always = "always giving the most common answer" if metric == "accuracy" else "always giving the mean"
    return f"{who}, {what} (95\u00a0% interval {low} to {high}{few}); {always}: {nothing}."
