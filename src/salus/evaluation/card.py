"""The model card: what a model is for, what it was made of, how good it is and where not to use it, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salus.core.errors import SalusError
from salus.evaluation.report.text import METRIC_WORDS, TASK_WORDS, WORDS, figure, headline

ENGLISH = WORDS["en"]


def model_card(report: Mapping[str, Any]) -> str:
    """card.md."""
    split = report["split"]
    rows = [
        f"| {METRIC_WORDS['en'][name][0]} | {figure(name, found['value'])} | "
        f"{figure(name, found['low'])} to {figure(name, found['high'])} | {figure(name, report['baseline'][name]['value'])} |"
        for name, found in report["metrics"].items()
    ]
    findings = [f"- {SalusError(item['code'], **item['parameters']).text()}" for item in report["findings"]]
    lines = [
        f"# Model of {', '.join(report['target'])}",
        "",
        headline(report, "en"),
        "",
        "## Intended use",
        "",
        f"Answers of the task {report['task']} ({TASK_WORDS['en'][report['task']]}). {ENGLISH['limits']}",
        "",
        "## Data",
        "",
        f"Data set {report['data']['name']}, version {report['data']['version']}, {report['data']['rows']} rows.",
        f"Split {ENGLISH.get(split['how'], split['how'])}: {split['train']} rows to learn, "
        f"{split['validation']} to choose and calibrate, {split['test']} to judge by.",
        "",
        *(findings or ["Nothing in the data needed attention."]),
        "",
        "## Scores on rows it never saw",
        "",
        "| score | value | 95 % interval | doing nothing |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
        "## Limits",
        "",
        "Scores hold for rows like these. Other devices, places or people than in the data are not covered by the interval.",
        "",
        "## How it was made",
        "",
        f"Learner {report['learner']['name']}; seed {report['plan']['seed']}; budget {report['plan']['budget_s']:.0f} s.",
        "",
    ]
    return "\n".join(lines)
