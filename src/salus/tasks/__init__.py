"""The tasks there are, one file each. numpy only. Adding one is one file and one name in `TASKS`."""

from __future__ import annotations

import importlib
from functools import cache

from salus.core.errors import SalusError
from salus.tasks.base import Task

TASKS: dict[str, str] = {
    "text-classification": "salus.tasks.classification:TextClassification",
    "binary-classification": "salus.tasks.classification:BinaryClassification",
    "multiclass-classification": "salus.tasks.classification:MulticlassClassification",
    "regression": "salus.tasks.regression:Regression",
    "forecasting": "salus.tasks.forecasting:Forecasting",
    "image-classification": "salus.tasks.classification:ImageClassification",
    "series-classification": "salus.tasks.classification:SeriesClassification",
    "audio-classification": "salus.tasks.classification:AudioClassification",
    "image-generation": "salus.tasks.image_generation:ImageGeneration",
    "summarization": "salus.tasks.summarization:Summarization",
    "text-generation": "salus.tasks.text_generation:TextGeneration",
    "transcription": "salus.tasks.transcription:Transcription",
    "translation": "salus.tasks.translation:Translation",
    "abstractive-summarization": "salus.tasks.abstractive_summarization:AbstractiveSummarization",
    "object-detection": "salus.tasks.detection:ObjectDetection",
}


@cache
def task_named(name: str) -> Task:
    """The task itself; loaded when first asked for."""
    if name not in TASKS:
        raise SalusError("bad_spec", where="task", expected=f"one of {', '.join(TASKS)}", found=name[:60])
    module, _, attribute = TASKS[name].partition(":")
    task = getattr(importlib.import_module(module), attribute)()
    assert isinstance(task, Task)
    return task
