"""What serve_tasks.py learns of each task, and the row that it asks for: real data, the first row of a test side."""

from __future__ import annotations

import base64
import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import salus
import tasks_sound
import tasks_summary
import tasks_text

Lesson = tuple[Any, dict[str, Any], dict[str, Any]]  # the data, what salus.fit is told, the row
HOURS, AHEAD = 336, 24


def text_classification(data: Path, folder: Path) -> Lesson:
    train, test = tasks_text.sides("waimai", data)
    path = folder / "texts.csv"
    tasks_text.write_sides(path, train, test)
    return path, {"target": "label"}, {"text": test[0][0]}


def audio_classification(data: Path, folder: Path) -> Lesson:
    path, sound = _sounds(data, folder, ("audio_wav", "digit", "split"))
    return path, {"target": "digit"}, sound


def transcription(data: Path, folder: Path) -> Lesson:
    path, sound = _sounds(data, folder, ("audio_wav", "transcript", "split"))
    return path, {"target": "transcript", "task": "transcription"}, sound


def _sounds(data: Path, folder: Path, columns: tuple[str, ...]) -> tuple[Path, dict[str, Any]]:
    digits = tasks_sound.read_digits(data)
    path = folder / "sounds.parquet"
    tasks_sound.write_table(path, {column: digits[column] for column in columns})
    first = digits["split"].index("test")
    return path, {"audio_wav": base64.b64encode(digits["audio_wav"][first]).decode()}


def object_detection(data: Path, folder: Path) -> Lesson:
    truth = json.loads((data / "bccd" / "test.json").read_text(encoding="utf-8"))
    with zipfile.ZipFile(data / "bccd" / "images.zip") as pictures:
        content = pictures.read(truth["images"][0]["file_name"])
    return data / "bccd", {"target": "boxes"}, {"image": base64.b64encode(content).decode()}


def image_generation(data: Path, folder: Path) -> Lesson:
    return data / "fashion_mnist", {"target": "image"}, {"label": "1", "seed": 1}


def forecasting(data: Path, folder: Path) -> Lesson:
    path = data / "etth" / "ETTh1.csv"
    said = {"target": ["OT", "HUFL"], "time": "date", "horizon": AHEAD, "history": HOURS}
    with path.open(encoding="utf-8") as file:
        past = list(csv.DictReader(file))[-HOURS:]
    row: dict[str, Any] = {name: [float(hour[name]) for hour in past] for name in past[0] if name != "date"}
    return path, said, row | {"date": past[-1]["date"]}


def translation(data: Path, folder: Path) -> Lesson:
    path = data / "multi30k_en_de"
    text = (path / "test_2016_flickr.en").read_text(encoding="utf-8").splitlines()[0]
    return salus.read(path), {"target": "de"}, {"en": text}


def text_generation(data: Path, folder: Path) -> Lesson:
    row = {"prompt": "ROMEO:\n", "length": 50, "temperature": 0, "seed": 1}
    return salus.read(data / "tinyshakespeare"), {"target": "text"}, row


def summarization(data: Path, folder: Path) -> Lesson:
    path, read, (source, target, ignored), test = tasks_summary.read_set("scitldr", data, folder)
    return (
        salus.read(path, **read),
        {"target": target, "ignore": ignored, "task": "summarization"},
        {source: test[0][0]},
    )


SETS: dict[str, Callable[[Path, Path], Lesson]] = {
    "text-classification": text_classification,
    "audio-classification": audio_classification,
    "transcription": transcription,
    "object-detection": object_detection,
    "image-generation": image_generation,
    "forecasting": forecasting,
    "translation": translation,
    "text-generation": text_generation,
    "summarization": summarization,
}
