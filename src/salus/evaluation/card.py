"""The model card: what a model is for, what it was made of, how good it is and where not to use it, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salus.core.errors import SalusError
from salus.evaluation.report.text import headline


def model_card(report: Mapping[str, Any]) -> str:
    """card.md."""
    split = report["split"]
    rows = [
        f"| {name} | {found['value']:.4g} | {found['low']:.4g} to {found['high']:.4g} | {report['baseline'][name]['value']:.4g} |"
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
        f"Answers of the task {report['task']} on data that comes from where the training data came from. It supports a decision; it makes none.",
        "",
        "## Data",
        "",
        f"Data set {report['data']['name']}, version {report['data']['version']}, {report['data']['rows']} rows.",
        f"Split {split['how']}: {split['train']} rows to learn, {split['validation']} to choose and calibrate, {split['test']} to judge.",
        "",
        *(findings or ["Nothing in the data needed attention."]),
        "",
        "## Scores on rows it never saw",
        "",
        "| metric | value | 95 % interval | doing nothing |",
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
