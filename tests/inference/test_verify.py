"""A bundle is published only when a fresh process repeats the trainer's answers."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salus.core.errors import SalusError
from salus.inference.examples import make_examples
from salus.inference.verify import verify, verify_in_fresh_process
from salus.testing.bundles import SmallModel, picture_model, recording_model, regression_model, table_model

MODELS = {
    "table": table_model(),
    "regression": regression_model(),
    "picture": picture_model(),
    "recording": recording_model(),
}


def answers_of(model: SmallModel, **changed: np.ndarray) -> dict[str, Any]:
    answers = {**model.answers, **changed}
    return {"rows": model.rows, "answers": {name: answer.tolist() for name, answer in answers.items()}}


def disagreement(model: SmallModel, folder: Path, examples: dict[str, Any]) -> str:
    bundle = model.write(folder, examples=examples)
    with pytest.raises(SalusError) as caught:
        verify(bundle)
    assert caught.value.code == "bundle_disagrees"
    return caught.value.detail()


@pytest.mark.parametrize("name", MODELS)
def test_what_agrees_passes(name: str, tmp_path: Path) -> None:
    model = MODELS[name]
    found = verify(model.write(tmp_path / "bundle"))
    assert found["rows"] == len(model.rows)
    assert set(found["largest"]) == set(model.answers)


def test_examples_hold_missing_unknown_and_extreme_values() -> None:
    rows = MODELS["table"].rows
    levels = {f"colour {index}" for index in range(4)}
    assert any(row["x0"] is None for row in rows) and any(row["colour"] is None for row in rows)
    assert any(row["colour"] not in levels for row in rows if row["colour"] is not None)
    assert any(row["x0"] > 50 for row in rows if row["x0"] is not None)


def test_examples_follow_from_schema_and_seed() -> None:
    schema = MODELS["table"].schema
    assert make_examples(schema, 50, 3) == make_examples(schema, 50, 3)
    assert make_examples(schema, 50, 3) != make_examples(schema, 50, 4)


def test_a_fresh_process_agrees_and_starts_fast(tmp_path: Path) -> None:
    MODELS["table"].write(tmp_path / "bundle")
    verify_in_fresh_process(tmp_path / "bundle")
    started = time.monotonic()
    found = verify_in_fresh_process(tmp_path / "bundle")
    assert found["rows"] == 200
    assert time.monotonic() - started < 5  # 0.4 s on an idle machine


def test_one_wrong_answer_is_found(tmp_path: Path) -> None:
    model = MODELS["table"]
    wrong = model.answers["probabilities"].copy()
    wrong[123, 1] += 2e-4
    assert "example 123" in disagreement(model, tmp_path / "bundle", answers_of(model, probabilities=wrong))
    with pytest.raises(SalusError) as caught:
        verify_in_fresh_process(tmp_path / "bundle")
    assert caught.value.code == "bundle_disagrees" and "example 123" in caught.value.detail()


def test_numbers_are_compared_in_the_spread_of_their_own_target(tmp_path: Path) -> None:
    model = MODELS["regression"]  # deviations 2 and 50
    close = model.answers["values"] + np.array([0.0, 3e-3])
    far = model.answers["values"] + np.array([3e-3, 0.0])
    verify(model.write(tmp_path / "close", examples=answers_of(model, values=close)))
    disagreement(model, tmp_path / "far", answers_of(model, values=far))


def test_what_cannot_be_compared_disagrees(tmp_path: Path) -> None:
    model = MODELS["table"]
    disagreement(model, tmp_path / "1", {"rows": [], "answers": {}})
    disagreement(model, tmp_path / "2", answers_of(model, probabilities=model.answers["probabilities"][:5]))
    disagreement(model, tmp_path / "3", answers_of(model, values=model.answers["scores"]))


def test_a_damaged_bundle_is_told_as_such(tmp_path: Path) -> None:
    MODELS["table"].write(tmp_path / "bundle")
    (tmp_path / "bundle" / "card.md").write_text("other words")
    with pytest.raises(SalusError) as caught:
        verify_in_fresh_process(tmp_path / "bundle")
    assert caught.value.code == "bundle_damaged"


def test_a_process_without_enough_memory_or_time_disagrees(tmp_path: Path) -> None:
    MODELS["table"].write(tmp_path / "bundle")
    for limits in ({"memory_bytes": 50 * 2**20}, {"timeout_s": 0.01}):
        with pytest.raises(SalusError) as caught:
            verify_in_fresh_process(tmp_path / "bundle", **limits)  # type: ignore[arg-type]
        assert caught.value.code in ("bundle_disagrees", "engine_refuses_graph")


def test_the_serving_side_starts_without_the_learning_side() -> None:
    code = "import sys, salus.inference.verify; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "sklearn", "pyarrow", "lightgbm", "onnx", "sqlalchemy", "scipy", "pandas"} & set(loaded)
