"""The figures of the quality benchmark: losses, ranks and paired differences from answers, and their page."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


def script(folder: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(cache: Path, name: str, scores: np.ndarray, fold: int = 0) -> None:
    folder = cache / "answers" / "made" / name / str(fold)
    folder.mkdir(parents=True)
    np.save(folder / "scores.npy", scores)
    costs = {"fit_s": 1.0, "processor_s": 1.0, "size_bytes": 1000, "one_row_ms": 0.1, "budget_s": 2.0, "threads": 1}
    result = costs | {"probabilities": True, "details": {"won": "it"}, "versions": {}}
    (folder / "result.json").write_text(json.dumps(result))


def about(truth: np.ndarray, levels: list[str] | None, units: np.ndarray | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"name": "made", "family": "tables", "levels": levels, "truth": truth.tolist()}
    return made | {"units": None if units is None else units.tolist(), "folds": [list(range(len(truth)))]}


def test_the_nearer_probabilities_win_by_an_interval_that_decides(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 400)
    for name, sure in (("salus", 0.8), ("peer", 0.6)):
        noisy = np.clip(sure + generator.normal(0, 0.05, 400), 0.51, 0.99)
        of_one = np.where(truth == 1, noisy, 1 - noisy)
        answer(tmp_path, name, np.stack([1 - of_one, of_one], axis=1))
    found = script("benchmarks", "quality_scores").score_set(
        about(truth, ["no", "yes"]), tmp_path, ["salus", "peer", "absent"], "salus"
    )
    ours, peer = found["contestants"]["salus"], found["contestants"]["peer"]
    assert (ours["rank"], peer["rank"], ours["auc"]) == (1, 2, 1.0)
    assert ours["loss"] == pytest.approx(-np.log(0.8), abs=0.02)
    difference, low, high = found["ours_minus"]["peer"]
    assert low <= difference <= high < 0
    assert "absent" not in found["contestants"]


def test_few_people_are_judged_by_their_means(tmp_path: Path) -> None:
    units = np.repeat(np.arange(5), 20)
    truth = np.random.default_rng(0).normal(0, 1, 100)
    answer(tmp_path, "salus", truth + 0.1)
    answer(tmp_path, "peer", truth + 0.5 + units)
    found = script("benchmarks", "quality_scores").score_set(
        about(truth, None, units), tmp_path, ["salus", "peer"], "salus"
    )
    assert found["units"] == 5
    assert found["contestants"]["salus"]["loss"] == pytest.approx(0.1)
    assert found["ours_minus"]["peer"][1] < 0


def test_the_area_under_the_curve_counts_ties_half() -> None:
    auc = script("benchmarks", "quality_scores").auc
    truth = np.array([0, 0, 1, 1])
    of_one = np.array([0.1, 0.5, 0.5, 0.9])
    assert auc(np.stack([1 - of_one, of_one], axis=1), truth) == pytest.approx(3.5 / 4)


def test_the_page_shows_a_set_by_rank(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).integers(0, 2, 60)
    for name, sure in (("salus", 0.8), ("peer", 0.6)):
        of_one = np.where(truth == 1, sure, 1 - sure)
        answer(tmp_path, name, np.stack([1 - of_one, of_one], axis=1))
    made = about(truth, ["no", "yes"])
    failed = tmp_path / "answers" / "made" / "other" / "0"
    failed.mkdir(parents=True)
    (failed / "failure.txt").write_text("failed: no memory")
    found = script("benchmarks", "quality_scores").score_set(made, tmp_path, ["peer", "salus", "other"], "salus")
    machine = {"cores": 2, "processor": "one", "memory": 2**30, "versions": {"numpy": "1"}}
    shown = script("scripts", "make_benchmarks_page").section(
        {"script": "quality", "machine": machine, "sets": {"made": found}}
    )
    assert "Mean rank over 1 sets: salus 1.00, peer 2.00." in shown
    assert shown.index("| **salus** | 0.2231") < shown.index("| peer |")
    assert "| **-0.288 (" in shown
    assert "Without an answer: other, 1 times; failed: no memory" in shown
