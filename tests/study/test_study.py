"""The study as a notebook uses it: from files to a bundle that answers, honestly measured, repeatable, resumable."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import salus
from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec
from salus.study.study import run_study


def table(folder: Path, rows: int = 240, seed: int = 0) -> Path:
    """Two numbers with gaps, a label, people with habits of their own, an answer that depends on them, and a leak."""
    generator = np.random.default_rng(seed)
    age, pulse = generator.normal(50, 12, rows), generator.normal(70, 9, rows)
    smokes = generator.choice(["yes", "no"], rows)
    ill = (age - 50) / 12 + (smokes == "yes") * 1.5 + generator.normal(0, 0.7, rows) > 0.7
    pulse[::11] = np.nan
    columns = {
        "age": age,
        "pulse": pulse,
        "smokes": smokes,
        "person": [f"p{row % 12}" for row in range(rows)],
        "code": ["X" if value else "Y" for value in ill],
        "ill": ["ill" if value else "well" for value in ill],
        "risk": age * 2 + (smokes == "yes") * 10,
    }
    pq.write_table(pa.table(columns), folder / "table.parquet")
    return folder / "table.parquet"


def recordings(folder: Path) -> Path:
    """Six people moving slowly or fast, each with a strength of their own."""
    generator = np.random.default_rng(1)
    rows: dict[str, list[Any]] = {"x": [], "y": [], "who": [], "move": []}
    for person in range(6):
        for trial in range(8):
            steps = int(generator.integers(120, 200))
            pace = 0.15 if trial % 2 else 0.5
            wave = np.sin(np.arange(steps) * pace) * (1 + 0.2 * person)
            rows["x"].append((wave + generator.normal(0, 0.2, steps)).astype(np.float32))
            rows["y"].append(generator.normal(0, 1, steps).astype(np.float32))
            rows["who"].append(f"p{person}")
            rows["move"].append("slow" if trial % 2 else "fast")
    pq.write_table(pa.table(rows), folder / "moves.parquet")
    return folder / "moves.parquet"


def test_a_table_from_file_to_answer(tmp_path: Path) -> None:
    model = salus.fit(salus.read(table(tmp_path)), "ill", budget="20s", ignore=("risk",))
    report = model.report
    assert report["metrics"]["accuracy"]["value"] > 0.75 > report["baseline"]["accuracy"]["value"]
    assert report["gate"]["passed"] and report["tried"][0]["learner"] == "linear"
    assert "leaks_target" in {finding["code"] for finding in report["findings"]}
    row = {"age": 80, "pulse": None, "smokes": "yes", "person": "p3"}
    assert model.predict([row])[0]["label"] == "ill"
    assert salus.load(model.save(tmp_path / "kept")).predict([row]) == model.predict([row])


def test_people_never_lie_on_two_sides(tmp_path: Path) -> None:
    model = salus.fit(table(tmp_path), "ill", group="person", budget="4s", learner="linear", ignore=("risk",))
    split = model.report["split"]
    assert split["how"] == "group-folds" and split["groups"]["test"] == 12


def test_a_number_is_learned(tmp_path: Path) -> None:
    model = salus.fit(table(tmp_path), "risk", budget="5s", ignore=("code", "ill"))
    assert model.report["metrics"]["r2"]["value"] > 0.9
    answer = model.predict([{"age": 50, "pulse": 70, "smokes": "no", "person": "new"}])[0]
    assert answer["value"] == pytest.approx(100, abs=15)


def test_several_numbers_at_once() -> None:
    model = salus.fit("sklearn:linnerud", ["Weight", "Waist", "Pulse"], budget="4s", learner="linear")
    assert {item["target"] for item in model.report["per_target"]} == {"Weight", "Waist", "Pulse"}
    assert set(model.predict([{"Chins": 5, "Situps": 100, "Jumps": 50}])[0]["values"]) == {"Weight", "Waist", "Pulse"}


def test_recordings_of_people_it_never_saw(tmp_path: Path) -> None:
    model = salus.fit(recordings(tmp_path), "move", group="who", budget="8s")
    assert model.report["task"] == "series-classification" and model.report["metrics"]["accuracy"]["value"] > 0.8
    trace = np.sin(np.arange(150) * 0.5)
    answer = model.predict([{"x": trace.tolist(), "y": [0.0] * 150, "who": "p9"}])[0]
    assert answer["label"] == "fast"


def test_pictures_of_digits() -> None:
    model = salus.fit("sklearn:digits", "label", budget="12s")
    assert model.report["task"] == "image-classification"
    assert model.report["metrics"]["accuracy"]["value"] > 0.85


class Interrupted(Context):
    """Asks to stop as soon as the first fit is done; remembers like any other."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[str] = []
        super().__init__(folder, lambda name, fields: self.seen.append(name))

    def should_stop(self) -> bool:
        return "fitted" in self.seen


def test_equal_plans_give_equal_models_also_when_interrupted(tmp_path: Path) -> None:
    version = salus.read(table(tmp_path))
    spec = TrainSpec(target=("ill",), budget_s=5, ignore=("risk",), threads=1)
    with pytest.raises(SalusError) as caught:
        run_study(version, spec, Interrupted(tmp_path / "job"), tmp_path / "never")
    assert caught.value.code == "stopped" and not (tmp_path / "never").exists()
    resumed = Context(tmp_path / "job")
    first = run_study(version, spec, resumed, tmp_path / "first")
    other = Context(tmp_path / "other")
    for name in ("plan", "further"):
        other.remember(name, resumed.recall(name))
    second = run_study(version, spec, other, tmp_path / "second")
    assert first.manifest.model_hash == second.manifest.model_hash
    with pytest.raises(SalusError) as caught:
        run_study(version, spec.model_copy(update={"target": ("risk",), "ignore": ()}), resumed, tmp_path / "third")
    assert caught.value.code == "another_study"


class Filling(Context):
    """The disk is full when the first fit is to be kept."""

    def remember(self, name: str, record: Any) -> None:
        if name.startswith("fit-"):
            raise OSError(errno.ENOSPC, "No space left on device")
        super().remember(name, record)


def test_a_disk_that_fills_while_training_is_named(tmp_path: Path) -> None:
    spec = TrainSpec(target=("ill",), budget_s=2, ignore=("risk",), threads=1, learner="linear")
    with pytest.raises(SalusError) as caught:
        run_study(salus.read(table(tmp_path)), spec, Filling(tmp_path / "job"), tmp_path / "bundle")
    assert caught.value.code == "disk_filled" and not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"target": "nothing"}, "no_such_column"),
        ({"target": "ill", "group": "nobody"}, "no_such_column"),
        ({"target": "ill", "group": "ill"}, "bad_spec"),
        ({"target": "ill", "learner": "cnn"}, "learner_cannot"),
        ({"target": "ill", "learner": "oracle"}, "bad_spec"),
        ({"target": "ill", "learner": "linear", "options": {"penalties": [-1, "x"]}}, "bad_spec"),
        ({"target": "ill", "recipe": "unheard_of"}, "bad_spec"),
    ],
)
def test_what_cannot_be_asked_is_said_at_once(tmp_path: Path, spec: dict[str, Any], code: str) -> None:
    target = spec.pop("target")
    with pytest.raises(SalusError) as caught:
        salus.fit(table(tmp_path), target, budget="2s", **spec)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ("x,y\n" + "".join(f"{i * 7 % 13},a\n" for i in range(30)), "one_class"),
        ("x,y\n" + "".join(f"{i * 7 % 13},\n" for i in range(30)), "no_labels"),
        ("x,y\n1,a\n2,b\n", "too_few_rows"),
        ("y\n" + "a\nb\n" * 20, "no_inputs"),
    ],
)
def test_data_that_cannot_be_learned_from(tmp_path: Path, rows: str, code: str) -> None:
    (tmp_path / "t.csv").write_text(rows)
    with pytest.raises(SalusError) as caught:
        salus.fit(tmp_path / "t.csv", "y", budget="2s")
    assert caught.value.code == code


def test_a_budget_is_a_duration() -> None:
    with pytest.raises(SalusError) as caught:
        salus.fit("sklearn:iris", "target", budget="soon")
    assert caught.value.code == "bad_spec"


@pytest.mark.parametrize(
    ("target", "asked", "words"),
    [
        ("ill", {"threshold": {"positive": "sick", "sensitivity": 0.9}}, "ill, well; found sick"),
        ("risk", {"threshold": {"positive": "ill", "sensitivity": 0.9}}, "found a target of numbers"),
        ("risk", {"coverage": 0.9}, "found a target of numbers"),
    ],
)
def test_a_decision_that_the_target_cannot_have_is_refused_before_learning(
    tmp_path: Path, target: str, asked: dict[str, Any], words: str
) -> None:
    events: list[str] = []
    with pytest.raises(SalusError) as caught:
        salus.fit(table(tmp_path), target, budget="5s", listener=lambda name, _: events.append(name), **asked)
    assert caught.value.code == "bad_spec" and words in caught.value.text() and not events


def test_what_is_refused_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "one.csv").write_text("a,b\n" + "1,x\n2,x\n" * 20)
    for data, target in (("ragged.csv", "b"), ("one.csv", "b"), ("one.csv", "c")):
        with pytest.raises(SalusError):
            salus.fit(tmp_path / data, target, budget="5s")
    assert not list((tmp_path / "scratch").iterdir())
