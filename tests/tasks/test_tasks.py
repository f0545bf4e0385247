"""The tasks, through their contract, and which task follows from which columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from salus.core.errors import SalusError
from salus.core.nouns import Column, Role, Schema
from salus.tasks import task_named
from salus.tasks.base import Task
from salus.tasks.infer import infer_task
from salus.testing.task import TaskContract


class TestClassification(TaskContract):
    def task(self) -> Task:
        return task_named("multiclass-classification")

    def targets(self) -> tuple[Any, list[dict[str, Any]], list[str]]:
        return ["b", "a", "c", "a"], [{"levels": ["a", "b", "c"]}], ["kind"]

    def right(self, target: np.ndarray) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[target]


class TestClassificationWithADecision(TestClassification):
    """A threshold and abstention keep the contract."""

    def targets(self) -> tuple[Any, list[dict[str, Any]], list[str]]:
        decided = {"threshold": {"level": "b", "probability": 0.3}, "abstain_below": 0.6}
        return ["b", "a", "c", "a"], [{"levels": ["a", "b", "c"], **decided}], ["kind"]


class TestRegression(TaskContract):
    def task(self) -> Task:
        return task_named("regression")

    def targets(self) -> tuple[Any, list[dict[str, Any]], list[str]]:
        return [[1.0, 2.0, 4.0], [3.0, 2.5, 1.0]], [{"deviation": 1.0}, {"deviation": 1.0}], ["weight", "waist"]

    def right(self, target: np.ndarray) -> np.ndarray:
        return target.astype(np.float32)


class TestRegressionWithIntervals(TestRegression):
    def targets(self) -> tuple[Any, list[dict[str, Any]], list[str]]:
        values, _, names = super().targets()
        return values, [{"conformal": {"weight": 0.5}}, {"conformal": {"waist": 2.0}}], names


def schema(inputs: list[str], target: str, levels: int) -> Schema:
    columns = [Column(name=f"x{i}", kind=kind) for i, kind in enumerate(inputs)]
    state = {"levels": [str(i) for i in range(levels)]} if target == "category" else {}
    return Schema(columns=(*columns, Column(name="y", kind=target, role=Role.TARGET, state=state)))


@pytest.mark.parametrize(
    ("inputs", "target", "levels", "task"),
    [
        (["number", "category"], "category", 2, "binary-classification"),
        (["number"], "category", 5, "multiclass-classification"),
        (["number"], "number", 0, "regression"),
        (["image"], "category", 2, "image-classification"),
        (["series", "series", "number"], "category", 7, "series-classification"),
    ],
)
def test_the_task_follows_from_the_columns(inputs: list[str], target: str, levels: int, task: str) -> None:
    assert infer_task(schema(inputs, target, levels)).name == task


def test_a_target_that_no_task_has_is_refused() -> None:
    with pytest.raises(SalusError) as caught:
        infer_task(schema(["number"], "image", 0))
    assert caught.value.code == "no_task"


def test_one_number_is_given_by_itself_too() -> None:
    decoded = task_named("regression").decode(np.array([[2.5]]), [{}], ["calories"])
    assert decoded == [{"values": {"calories": 2.5}, "value": 2.5}]


def test_the_threshold_decides_the_label_and_the_unsure_have_none() -> None:
    task = task_named("binary-classification")
    state = {
        "levels": ["no", "sick"],
        "threshold": {"level": "sick", "probability": 0.2},
        "abstain_below": 0.6,
    }
    raw = np.array([[0.9, 0.1], [0.82, 0.18], [0.78, 0.22], [0.3, 0.7]])
    decoded = task.decode(raw, [state], ["y"])
    assert [item["label"] for item in decoded] == ["no", None, None, "sick"]
    assert [item["abstained"] for item in decoded] == [False, True, True, False]
    assert decoded[1]["probability"] == 0.82 and decoded[2]["probability"] == 0.22
    schema = task.output_schema([state], ["y"])
    assert None in schema["properties"]["label"]["enum"] and "0.2" in schema["properties"]["label"]["description"]


def test_numbers_are_given_with_their_interval() -> None:
    (answer,) = task_named("regression").decode(np.array([[2.5]]), [{"conformal": {"calories": 1.0}}], ["calories"])
    assert answer == {"values": {"calories": 2.5}, "value": 2.5, "low": {"calories": 1.5}, "high": {"calories": 3.5}}
