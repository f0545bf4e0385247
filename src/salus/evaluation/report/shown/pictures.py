"""Drawn pictures as a person wants to see them: label by label beside real ones, and beside the real pictures that are most like them.

Knows the items that `evaluation/measures/image_generation` leaves in a report. The last part shows whether pictures are new or copies.
"""

from __future__ import annotations

from html import escape
from typing import Any

from salus.evaluation.report.parts import Said, note, section, table
from salus.evaluation.report.scores import figure

HEIGHT_PX = 48  # twelve beside a label fit on the page
WORDS = {
    "en": {
        "title": "Drawn pictures",
        "note": "The upper line of each label was drawn by the model from noise; the lower line is real pictures that it never learned from.",
        "label": "label",
        "any": "any",
        "drawn": "drawn",
        "real": "real",
        "nearest": "Are they copies?",
        "nearest_note": "Beside a drawn picture are the pictures of the training data that are most like it, the nearest first.",
        "nearest_column": "most like it in the training data",
        "both": "The same figures of real pictures",
        "both_note": "Measured by {sees} ({labels} labels, {features} features), against {rows} pictures that were learned from. Real ones "
        "that were never learned from reach these figures: no drawing can be expected to do better.",
        "pictures": "pictures",
    },
    "zh": {
        "title": "生成的图像",
        "note": "每个标签的上行由模型从噪声生成；下行为模型从未学习过的真实图像。",
        "label": "标签",
        "any": "任意",
        "drawn": "生成",
        "real": "真实",
        "nearest": "是否为复制品？",
        "nearest_note": "每张生成的图像旁边是训练数据中与其最相似的图像，最相似的在前。",
        "nearest_column": "训练数据中最相似的图像",
        "both": "真实图像的同类指标",
        "both_note": "由 {sees} 衡量（{labels} 个标签，{features} 个特征），与 {rows} 张用于学习的图像比较。"
        "从未用于学习的真实图像得到如下指标：生成的图像不可能期望更好。",
        "pictures": "图像",
    },
}
SEES = {
    "labels": {"en": "a network that learned the labels of the training pictures", "zh": "学习了训练图像标签的网络"},
    "features": {"en": "edges, light and colour of parts of the pictures", "zh": "图像各部分的边缘、亮度与颜色"},
}


def pictures(said: Said, items: list[dict[str, Any]]) -> str:
    """The sections."""
    words = WORDS[said.language]
    by_label = [item for item in items if item["what"] == "label"]
    nearest = [item for item in items if item["what"] == "nearest"]
    sheet = [[_label(item, words), f"{_picture(item['drawn'])}<br>{_picture(item['real'])}"] for item in by_label]
    near = [[_label(item, words), _picture(item["drawn"]), _picture(item["real"])] for item in nearest]
    return "".join(
        [
            section(
                words["title"],
                note(words["note"]),
                table([words["label"], f"{words['drawn']} / {words['real']}"], [], sheet),
            ),
            *(_both(said, item, words) for item in items if item["what"] == "real"),
            section(
                words["nearest"],
                note(words["nearest_note"]),
                table([words["label"], words["drawn"], words["nearest_column"]], [], near),
            ),
        ]
    )


def _both(said: Said, item: dict[str, Any], words: dict[str, str]) -> str:
    """What real pictures reach, beside what the drawn ones do."""
    critic, measured = item["critic"], said.report["metrics"]
    sees = SEES["labels" if critic["labels"] else "features"][said.language]
    text = words["both_note"].format(
        sees=sees, labels=critic["labels"], features=critic["features"], rows=f"{critic['reference_rows']:,}"
    )
    rows = [
        [escape(said.metric(name)), figure(name, measured[name]["value"]), figure(name, value)]
        for name, value in item["real"].items()
    ]
    return section(words["both"], note(escape(text)), table([""], [words["drawn"], words["real"]], rows))


def _label(item: dict[str, Any], words: dict[str, str]) -> str:
    return escape(str(item["label"]) if item["label"] is not None else words["any"])


def _picture(address: str) -> str:
    return f"<img src='{escape(address)}' alt='' style='height:{HEIGHT_PX}px;image-rendering:pixelated;max-width:none'>"
