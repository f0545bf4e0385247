"""The catalogue is what the classes say, and a wrong option is refused when it is asked."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from salus.core.catalogue import FILE, catalogue, check_train_spec
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_catalogue.py"


def test_it_is_not_stale() -> None:
    spec = importlib.util.spec_from_file_location("make_catalogue", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert FILE.read_text(encoding="utf-8") == script.text(), "run scripts/make_catalogue.py"


@pytest.mark.parametrize(
    ("learner", "options"),
    [
        ("oracle", {}),
        ("cnn", {"learning_rate": -1}),
        ("cnn", {"learning_rate": 1e308}),
        ("cnn", {"learning_rate": float("nan")}),
        ("cnn", {"batch_rows": 0}),
        ("boosting", {"trees": 10**9}),
        ("boosting", {"trees": True}),
        ("boosting", {"tress": 10}),
        ("cnn", {"network": "__import__('os').system('id')"}),
        ("linear", {"penalties": []}),
        ("auto", {"nothing": 1}),
    ],
)
def test_wrong_options_are_refused_with_their_range(learner: str, options: dict[str, Any]) -> None:
    with pytest.raises(SalusError) as caught:
        check_train_spec(TrainSpec(target=("y",), learner=learner, options=options))
    assert caught.value.code == "bad_spec" and caught.value.status == 422


def test_right_options_pass() -> None:
    check_train_spec(TrainSpec(target=("y",), learner="cnn", options={"steps": 10, "network": "recipe", "width": 8}))
    check_train_spec(TrainSpec(target=("y",), learner="auto", options={"trees": 10}))
    check_train_spec(TrainSpec(target=("y",), recipe="cifar10_keras_cnn"))


def test_every_option_says_what_it_means() -> None:
    for learner in catalogue()["learners"].values():
        for name, schema in learner["options"].items():
            assert schema.get("description"), name
