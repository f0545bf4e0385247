"""Rows of every kind at once, from one long file of samples to answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import salus
from salus.actions.models import SHOWS_ROWS
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec
from salus.data.kinds.base import Values
from salus.study.look import Asked, look
from salus.study.prepare import prepare


def samples(path: Path) -> Path:
    """Forty sessions of two moves: a channel, a day, a note and a weight that do not change inside a session."""
    generator = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["session", "seconds", "x", "day", "note", "weight", "move"])
        for session in range(40):
            fast = session % 2
            day = np.datetime64("2024-01-01") + int(generator.integers(0, 300))
            note = f"the {session} session went on for a while and then felt {('light', 'hard')[fast]}"
            for step in range(100 + session):
                value = np.sin(step * (0.2 + 0.5 * fast)) + generator.normal(0, 0.3)
                row = [f"s{session}", step / 50, round(value, 4), day, note, 60 + session % 7, ("slow", "fast")[fast]]
                writer.writerow(row)
    return path


def test_what_is_shown_of_columns_holds_no_whole_text(tmp_path: Path) -> None:
    version = salus.read(samples(tmp_path / "long.csv"), recording={"id": "session", "time": "seconds"}, window_s=1.0)
    material = prepare(version, TrainSpec(target=("move",)))

    def predict(values: dict[str, Values]) -> np.ndarray:
        return np.tile([0.25, 0.75], (len(values["note"]), 1))

    test = material.splits.test
    found = look(Asked(test, predict), material, np.tile([0.25, 0.75], (len(test), 1)), ["move"], 0, 5.0)
    assert {item["column"] for item in found["importance"]["columns"]} == {"day", "note", "weight"}
    assert [item["column"] for item in found["partial_dependence"]] == ["weight"]
    told = {name: part for name, part in found.items() if name not in SHOWS_ROWS}
    assert "went on for a while" in json.dumps(found) and "went on for a while" not in json.dumps(told)


def test_a_long_file_with_times_and_texts_is_learned_and_answered(tmp_path: Path) -> None:
    version = salus.read(samples(tmp_path / "long.csv"), recording={"id": "session", "time": "seconds"}, window_s=1.0)
    kinds = {column.name: column.kind for column in version.schema.columns if column.role == "input"}
    assert kinds == {"x": "series", "day": "time", "note": "text", "weight": "number", "move": "category"}
    model = salus.fit(version, "move", budget="4s", threads=1)
    assert model.report["metrics"]["accuracy"]["value"] > 0.8
    row = {"x": [float(np.sin(step * 0.7)) for step in range(120)], "day": "2024-05-31", "note": None, "weight": 63}
    assert model.predict([row])[0]["label"] == "fast"
    with pytest.raises(SalusError) as caught:
        model.predict([row | {"day": "2024-05-31T08:00:00Z"}])
    assert caught.value.code == "time_zone_unknown" and "day" in caught.value.detail()
