"""How scores, tasks and doing nothing are called in English and Chinese, and the sentence that says how good a model is.

Knows how figures are said. Does not know where they stand on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salus.core.explain import groups_word

# metric -> how it is called and what it means.
METRIC_WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "en": {
        "nats_per_character": ("nats a character", "how surprising the text is; less is better"),
        "bits_per_character": ("bits a character", "the same in bits"),
        "perplexity": ("perplexity", "among how many equally likely characters it chooses"),
        "wer": ("WER", "words to insert, leave out or replace, as a share of the words said; less is better"),
        "cer": ("CER", "the same of characters"),
        "bleu": ("BLEU", "shared runs of up to four words; 0 to 100"),
        "rouge_1": ("ROUGE-1", "words shared with a reference; 0 to 1"),
        "rouge_2": ("ROUGE-2", "pairs of words shared with a reference; 0 to 1"),
        "rouge_l": ("ROUGE-L", "the longest run of words in the same order as a reference; 0 to 1"),
        "chrf": ("chrF", "shared runs of up to six letters; 0 to 100"),
        "accuracy": ("Accuracy", "share of rows that are right"),
        "balanced_accuracy": ("Balanced accuracy", "the same, every class weighing alike"),
        "macro_f1": ("Macro F1", "found and not falsely said, every class weighing alike"),
        "auc": ("AUC", "how well it ranks: 0.5 is chance, 1 perfect"),
        "log_loss": ("Log loss", "surprise at the truth; lower is better"),
        "rmse": ("RMSE", "typical error, large ones weighing more, in the unit of the target; lower is better"),
        "mae": ("MAE", "mean error in the unit of the target; lower is better"),
        "r2": ("R²", "share of the variation that it explains: 1 is perfect"),
        "frechet": (
            "Fréchet distance",
            "of what a network sees in drawn pictures and in the training pictures; 0 is alike, lower is better",
        ),
        "class_accuracy": ("Class accuracy", "share of drawn pictures in which a network sees the label asked for"),
        "manifold_recall": ("Recall of kinds", "share of real pictures that lie among drawn ones: variety"),
        "manifold_precision": ("Precision of kinds", "share of drawn pictures that lie among real ones: likeness"),
        "scaled_mse": ("MSE (scaled)", "squared error in variances of the series; lower is better"),
        "scaled_mae": ("MAE (scaled)", "mean error in deviations of the series; lower is better"),
        "mase": ("MASE", "error beside repeating the last season: below 1 is better than that"),
        "quantile_loss": (
            "Quantile loss",
            "how far the stated quantiles are off, in sizes of the values; lower is better",
        ),
        "map50": (
            "mAP@0.5",
            "mean average precision: boxes found and right, with half overlap, every category weighing alike; 1 is perfect",
        ),
        "map50_95": ("mAP@[.5:.95]", "the same over ten overlaps from 0.5 to 0.95: also how exact the edges are"),
        "coverage_80": ("Coverage of 80 %", "how often the truth lies in the stated 80 % band: 0.8 is right"),
    },
    "zh": {
        "nats_per_character": ("每字符奈特", "文本对模型的意外程度，越低越好"),
        "bits_per_character": ("每字符比特", "同上，以比特计"),
        "perplexity": ("困惑度", "相当于在多少个等可能字符中选择"),
        "wer": ("词错误率", "需插入、删除或替换的词占所说词数的比例，越低越好"),
        "cer": ("字符错误率", "同上，按字符计"),
        "bleu": ("BLEU", "与参考译文共有的一至四词片段；0 至 100"),
        "rouge_1": ("ROUGE-1", "与参考摘要共有的词；0 至 1"),
        "rouge_2": ("ROUGE-2", "与参考摘要共有的相邻词对；0 至 1"),
        "rouge_l": ("ROUGE-L", "与参考摘要顺序一致的最长词列；0 至 1"),
        "chrf": ("chrF", "与参考译文共有的一至六字母片段；0 至 100"),
        "accuracy": ("准确率", "正确行的比例"),
        "balanced_accuracy": ("平衡准确率", "同上，各类别权重相同"),
        "macro_f1": ("宏平均 F1", "既找出又不误报，各类别权重相同"),
        "auc": ("AUC", "排序能力：0.5 为随机，1 为完美"),
        "log_loss": ("对数损失", "对真实结果的意外程度，越低越好"),
        "rmse": ("均方根误差", "典型误差（大误差权重更高），单位与目标相同，越低越好"),
        "mae": ("平均绝对误差", "平均误差，单位与目标相同，越低越好"),
        "r2": ("R²", "所解释的变异比例，1 为完美"),
        "frechet": ("Fréchet 距离", "网络在生成图像与训练图像中所见特征之间的距离；0 为相同，越低越好"),
        "class_accuracy": ("类别准确率", "网络在生成图像中看到所要求标签的比例"),
        "manifold_recall": ("多样性（召回）", "真实图像落在生成图像之间的比例"),
        "manifold_precision": ("逼真度（精确）", "生成图像落在真实图像之间的比例"),
        "scaled_mse": ("MSE（标准化）", "以序列方差为单位的平方误差；越低越好"),
        "scaled_mae": ("MAE（标准化）", "以序列标准差为单位的平均误差；越低越好"),
        "mase": ("MASE", "相对于重复上一季节的误差：低于 1 即更好"),
        "quantile_loss": ("分位数损失", "所给分位数的偏差，以数值大小为单位；越低越好"),
        "map50": ("mAP@0.5", "平均精度均值：重叠至少一半时找出且正确的方框，各类别权重相同；1 为完美"),
        "map50_95": ("mAP@[.5:.95]", "同上，取 0.5 至 0.95 十种重叠的平均：也反映边缘的精确程度"),
        "coverage_80": ("80 % 区间覆盖率", "实际值落在所给 80 % 区间内的比例：应为 0.8"),
    },
}
TASK_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "transcription": "what is said in a sound",
        "audio-classification": "what a sound is",
        "translation": "translation",
        "summarization": "a summary of a text",
        "abstractive-summarization": "a summary of a text in new words",
        "text-generation": "text generation",
        "binary-classification": "one of two answers",
        "multiclass-classification": "one of several answers",
        "image-classification": "what a picture shows",
        "series-classification": "what a recording shows",
        "image-generation": "drawing pictures",
        "text-classification": "what a text says",
        "regression": "a number",
        "forecasting": "what comes next",
        "object-detection": "what lies where in a picture",
    },
    "zh": {
        "transcription": "语音识别",
        "audio-classification": "声音分类",
        "translation": "翻译",
        "summarization": "文本摘要",
        "abstractive-summarization": "生成式文本摘要",
        "text-generation": "文本生成",
        "binary-classification": "二分类",
        "multiclass-classification": "多分类",
        "image-classification": "图像分类",
        "series-classification": "时序信号分类",
        "image-generation": "图像生成",
        "text-classification": "文本分类",
        "regression": "回归",
        "forecasting": "接下来的数值",
        "object-detection": "目标检测",
    },
}
# task -> what doing nothing is, where it is neither the most common answer nor the mean
NOTHING_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "forecasting": "repeating the last season",
        "image-generation": "the mean of the pictures, with noise as strong as they vary",
        "object-detection": "giving no box",
        "summarization": "the beginning of the text",
        "abstractive-summarization": "the beginning of the text",
        "text-generation": "every character as often as in the train texts",
        "transcription": "always giving the most common text",
        "translation": "the source itself",
    },
    "zh": {
        "forecasting": "重复上一季节",
        "image-generation": "图像的均值加上同等强度的噪声",
        "object-detection": "不给出任何方框",
        "summarization": "取原文开头",
        "abstractive-summarization": "取原文开头",
        "text-generation": "各字符按其在训练文本中的频率出现",
        "transcription": "总是给出最常见的文本",
        "translation": "原文本身",
    },
}
FIGURES = ("sensitivity", "specificity", "ppv", "npv")
SHARES = frozenset(
    {"accuracy", "balanced_accuracy", "macro_f1", "class_accuracy", "manifold_recall", "manifold_precision"}
)


def figure(name: str, value: float) -> str:
    """A score as it is read: shares in per cent, whose sign no line break parts from them."""
    if name in SHARES:
        return f"{value:.1%}".replace("%", "\u00a0%")
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def in_order(metrics: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Scores in the order of METRIC_WORDS: a stored report has them by name."""
    order = [*METRIC_WORDS["en"], *metrics]
    return sorted(metrics.items(), key=lambda item: order.index(item[0]))


def headline(report: Mapping[str, Any], language: str) -> str:
    """How good the model is, in one sentence that needs no statistics."""
    found = report["headline"]
    metric, rows, groups = found["metric"], f"{found['rows']:,}", found["groups"]
    value, low, high = (figure(metric, found["interval"][key]) for key in ("value", "low", "high"))
    nothing, unit = figure(metric, found["baseline"]), groups_word(report, language)
    if language == "zh":
        who = f"在从未见过的 {groups} {unit}的 {rows} 行上" if groups else f"在从未见过的 {rows} 行上"
        what = f"{value} 正确" if metric == "accuracy" else f"{METRIC_WORDS['zh'][metric][0]}为 {value}"
        few = "，区间很宽，因为数量太少" if report["wide"] else ""
        plain = {"accuracy": "总是给出最常见的答案", "auc": "随意猜测"}.get(metric, "总是给出平均值")
        always = NOTHING_WORDS["zh"].get(report["task"], plain)
        return f"{who}：{what}（95 % 区间 {low} 至 {high}{few}）；{always}为 {nothing}。"
    who = f"On {rows} rows of {groups} {unit} it never saw" if groups else f"On {rows} rows it never saw"
    what = f"{value} are right" if metric == "accuracy" else f"the {METRIC_WORDS['en'][metric][0]} is {value}"
    few = "; wide, because there are only few" if report["wide"] else ""
    plain = {"accuracy": "always giving the most common answer", "auc": "guessing"}.get(
        metric, "always giving the mean"
    )
    always = NOTHING_WORDS["en"].get(report["task"], plain)
    return f"{who}, {what} (95\u00a0% interval {low} to {high}{few}); {always}: {nothing}."
