"""Subgroups and explanations find what was planted, do not cry wolf, and stop when the time is over."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from salus.evaluation.explanations import importance, partial_dependence, sample_rows, worst_errors
from salus.evaluation.saliency import picture_saliency, series_saliency, text_saliency
from salus.evaluation.subgroups import subgroups, two_sided
from salus.tasks import task_named

Columns = dict[str, object]


def people_table(rows: int, seed: int) -> tuple[dict[str, list[str | None] | np.ndarray], np.random.Generator]:
    generator = np.random.default_rng(seed)
    columns: dict[str, list[str | None] | np.ndarray] = {
        "sex": generator.choice(["f", "m"], rows).tolist(),
        "site": [None if draw == 0 else f"site {draw}" for draw in generator.integers(0, 5, rows)],
        "age": generator.uniform(20, 90, rows),
        "id": [f"p{row}" for row in range(rows)],
    }
    return columns, generator


def answers(right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    target = np.arange(len(right)) % 2
    return np.eye(2)[np.where(right, target, 1 - target)] * 0.8 + 0.1, target


def test_a_planted_weak_group_comes_first_and_so_does_a_pair() -> None:
    columns, generator = people_table(2000, 0)
    old_women = (np.asarray(columns["sex"]) == "f") & (np.asarray(columns["age"]) > 70)
    raw, target = answers(generator.random(2000) < np.where(old_women, 0.5, 0.9))
    found = subgroups("accuracy", raw, target, columns, None, 0)
    first = found["parts"][0]
    assert set(first["columns"]) == {"sex", "age"} and "f" in first["levels"] and first["notable"]
    assert first["difference"]["high"] < 0 and first["q"] < 0.01
    assert found["looked_at"] > 15 and all("id" not in part["columns"] for part in found["parts"])
    json.dumps(found, allow_nan=False)


def test_a_model_that_is_equal_to_all_is_seldom_blamed() -> None:
    blamed = 0
    for seed in range(30):
        columns, generator = people_table(600, seed)
        raw, target = answers(generator.random(600) < 0.85)
        blamed += any(part["notable"] for part in subgroups("accuracy", raw, target, columns, None, seed)["parts"])
    assert blamed <= 4


def test_groups_and_numbers_and_parts_of_one_person() -> None:
    columns, generator = people_table(300, 1)
    groups = np.arange(300) // 10
    target = generator.normal(size=(300, 1))
    said = target + generator.normal(size=(300, 1)) * np.where(np.asarray(columns["sex"]) == "f", 3, 1)[:, None]
    found = subgroups("rmse", said, target, columns, groups, 0)
    assert found["parts"][0]["levels"][0] == "f" and found["parts"][0]["people"] == 30
    assert subgroups("rmse", said, target, {"person": [f"{code}" for code in groups]}, groups, 0)["parts"] == []


def test_students_tail() -> None:
    assert two_sided(2.228, 10) == pytest.approx(0.05, abs=0.002)
    assert two_sided(1.96, 100_000) == pytest.approx(0.05, abs=0.001)


def weigher(values: dict[str, object]) -> np.ndarray:
    """Needs `weight`, a little `kind`, and `noise` not at all."""
    weight, kind = np.asarray(values["weight"], dtype=float), np.array([v == "b" for v in values["kind"]])  # type: ignore[attr-defined]
    return (2 * weight + kind)[:, None]


def weights(rows: int = 400) -> tuple[dict[str, object], np.ndarray]:
    generator = np.random.default_rng(0)
    values: dict[str, object] = {
        "noise": generator.normal(size=rows),
        "weight": generator.normal(size=rows),
        "kind": generator.choice(["a", "b"], rows).tolist(),
    }
    return values, weigher(values) + generator.normal(0, 0.3, (rows, 1))


def test_importance_finds_what_the_model_needs() -> None:
    values, target = weights()
    for groups in (None, np.arange(400) // 8):
        found = importance(weigher, values, target, False, groups, 0, lambda: 60.0)
        assert [item["column"] for item in found["columns"]] == ["weight", "kind", "noise"]
        assert found["columns"][1]["low"] > 0 and found["columns"][2]["value"] == 0 and found["left_out"] == 0


def test_partial_dependence_draws_the_line() -> None:
    values, _ = weights()
    lines = partial_dependence(weigher, values, ["weight", "kind"], ["y"], 0, lambda: 60.0)
    weight, kind = lines
    slope = np.polyfit([p["at"] for p in weight["points"]], [p["values"][0] for p in weight["points"]], 1)[0]
    assert slope == pytest.approx(2) and weight["kind"] == "number"
    by_level = {point["at"]: point["values"][0] for point in kind["points"]}
    assert by_level["b"] - by_level["a"] == pytest.approx(1)
    pictures = {"photo": [b"1", b"2"]}
    assert partial_dependence(lambda given: np.zeros((2, 2)), pictures, ["photo"], ["a", "b"], 0, lambda: 60.0) == []


@pytest.mark.parametrize("budget_s", [0.0, 0.3])
def test_they_stop_in_time(budget_s: float) -> None:
    values, target = weights()
    started = time.monotonic()

    def slow(given: dict[str, object]) -> np.ndarray:
        time.sleep(0.05)
        return weigher(given)

    def left_s() -> float:
        return started + budget_s - time.monotonic()

    many = {f"copy {index}": values["noise"] for index in range(50)} | values
    found = importance(slow, many, target, False, None, 0, left_s)
    assert found["left_out"] > 40
    partial_dependence(slow, many, list(many), ["y"], 0, left_s)
    picture = np.zeros((8, 8, 1), dtype=np.uint8)
    picture_saliency(lambda given: slow(values)[: len(given)], picture, 0, left_s)
    assert time.monotonic() - started < budget_s + 0.4


def test_many_rows_are_sampled_and_people_stay_whole() -> None:
    generator = np.random.default_rng(0)
    assert len(sample_rows(5000, None, 1000, generator)) == 1000
    groups = np.arange(5000) // 10
    kept = sample_rows(5000, groups, 1000, generator)
    assert 900 <= len(kept) <= 1000 and set(np.bincount(groups[kept])) == {0, 10}


def test_the_surest_errors_and_the_largest_residuals_come_first() -> None:
    raw = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]])
    found = worst_errors(
        task_named("binary-classification"), raw, np.array([1, 1, 1, 0]), [{"levels": ["a", "b"]}], ["y"]
    )
    assert [item["row"] for item in found] == [0, 3, 1]
    assert found[0] == {"row": 0, "truth": "b", "said": "a", "probability": 0.9}
    said, true = np.array([[1.0, 10.0], [2.0, 99.0], [3.0, 12.0]]), np.array([[1.0, 10.0], [2.0, 11.0], [2.5, 12.0]])
    worst = worst_errors(task_named("regression"), said, true, [{}, {}], ["p", "q"])
    assert worst[0] == {"row": 1, "target": "q", "truth": 11.0, "said": 99.0, "off": 88.0} and len(worst) == 2


def test_covering_the_spot_matters() -> None:
    picture = np.zeros((28, 28, 3), dtype=np.uint8)
    picture[4:8, 20:24] = 255

    def spot(given: np.ndarray) -> np.ndarray:
        return np.stack([given[:, 4:8, 20:24].mean(axis=(1, 2, 3))] * 2, axis=1) / 255

    grid = np.array(picture_saliency(spot, picture, 1, lambda: 60.0))
    assert grid.shape == (7, 7) and grid[1, 5] == 1.0 and np.abs(grid[4:, :3]).max() < 0.05
    trace = np.zeros((2, 240))
    trace[1, 100:110] = 5.0
    line = series_saliency(lambda given: given[:, 1, 100:110].mean(axis=1)[:, None], trace, 0, lambda: 60.0)
    assert line is not None and int(np.argmax(line)) == 10 and len(line) == 24
    assert series_saliency(lambda given: np.ones((len(given), 1)), trace, 0, lambda: 60.0) is None


def test_the_telling_word_weighs_most() -> None:
    def says(texts: list[str]) -> np.ndarray:
        sure = np.array([0.5 + 0.4 * ("awful" in text) - 0.2 * ("not " in text) for text in texts])
        return np.stack([1 - sure, sure], axis=1)

    parts = ["it ", "was ", "not ", "awful ", "today"]
    assert text_saliency(says, parts, " and more", 1, lambda: 60.0) == [0.0, 0.0, -0.5, 1.0, 0.0]
    assert text_saliency(says, parts[:2], "", 1, lambda: 60.0) is None, "no word changes the answer"
    assert text_saliency(says, [], "", 1, lambda: 60.0) is None
