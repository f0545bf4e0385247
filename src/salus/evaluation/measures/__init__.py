"""How compound tasks are measured, one file a task or family. Adding one is one file and one name in `MEASURES`."""

from __future__ import annotations

import importlib
from functools import cache

from salus.evaluation.measures.base import Measure

MEASURES: dict[str, str] = {
    "image-generation": "salus.evaluation.measures.image_generation:Pictures",
    "summarization": "salus.evaluation.measures.summarization:Summaries",
    "abstractive-summarization": "salus.evaluation.measures.summarization:Summaries",
    "text-generation": "salus.evaluation.measures.text_generation:Surprise",
    "transcription": "salus.evaluation.measures.transcription:Transcripts",
    "translation": "salus.evaluation.measures.translation:TranslationMeasure",
    "object-detection": "salus.evaluation.measures.detection:Detection",
    "forecasting": "salus.evaluation.measures.forecasting:Forecasts",
}


@cache
def measure_of(task: str) -> Measure:
    """The measure of the task of this name; loaded when first asked for."""
    module, _, attribute = MEASURES[task].partition(":")
    measure = getattr(importlib.import_module(module), attribute)()
    assert isinstance(measure, Measure)
    return measure
