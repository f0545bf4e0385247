"""The predictor answers what the graph says, the same for one row, for many, and for whole columns."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from salus.core.errors import SalusError
from salus.inference.measure_latency import measure_latency
from salus.inference.predictor import Predictor
from salus.testing.bundles import LEVELS, SmallModel, picture_model, recording_model, regression_model, table_model

MODELS = {
    "table": table_model(examples=300),
    "regression": regression_model(examples=40),
    "picture": picture_model(),
    "recording": recording_model(),
}
ROW = {"x0": 1.0, "x1": 2, "x2": None, "colour": "colour 1"}


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Predictor]]:
    folder: Path = tmp_path_factory.mktemp("bundles")
    opened = {name: Predictor.open(model.write(folder / name)) for name, model in MODELS.items()}
    yield opened
    for predictor in opened.values():
        predictor.close()


@pytest.fixture
def table(predictors: dict[str, Predictor]) -> Predictor:
    return predictors["table"]


def refusal(predictor: Predictor, rows: Any) -> SalusError:
    with pytest.raises(SalusError) as caught:
        predictor.predict_rows(rows)
    assert caught.value.text("zh") and caught.value.status in (415, 422)
    return caught.value


@pytest.mark.parametrize("name", MODELS)
def test_it_repeats_what_numpy_said(name: str, predictors: dict[str, Predictor]) -> None:
    model, predictor = MODELS[name], predictors[name]
    found = predictor.predict_values(predictor.read_rows(model.rows))
    for output, answer in model.answers.items():
        np.testing.assert_allclose(found[output], answer, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_one_row_many_rows_and_columns_agree(name: str, predictors: dict[str, Predictor]) -> None:
    model: SmallModel = MODELS[name]
    predictor = predictors[name]
    together = predictor.predict_rows(model.rows)
    assert len(together) == len(model.rows)
    json.dumps(together, allow_nan=False)
    bulk = predictor.predict_values(predictor.read_rows(model.rows))[predictor.task.output]
    for row, prediction, raw in list(zip(model.rows, together, bulk, strict=True))[::7]:
        alone = predictor.predict_rows([row])[0]
        if "values" in prediction:
            numbers, single = list(prediction["values"].values()), list(alone["values"].values())
        else:
            numbers, single = list(prediction["probabilities"].values()), list(alone["probabilities"].values())
        np.testing.assert_allclose(single, numbers, rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(numbers, raw, rtol=1e-5, atol=2e-6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {f"x{i}": st.none() | st.floats(-1e6, 1e6) | st.integers(-1000, 1000) for i in range(3)}
            | {"colour": st.none() | st.sampled_from(["colour 0", "colour 3"]) | st.text(max_size=5) | st.booleans()}
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_valid_row_has_an_answer(table: Predictor, rows: list[dict[str, Any]]) -> None:
    predictions = table.predict_rows(rows)
    for prediction in predictions:
        assert math.isclose(sum(prediction["probabilities"].values()), 1, abs_tol=1e-4)
        assert prediction["label"] in LEVELS
        assert prediction["probability"] == max(prediction["probabilities"].values())


def test_no_rows_have_no_predictions(table: Predictor) -> None:
    assert table.predict_rows([]) == []


def test_group_columns_may_be_sent_and_change_nothing(table: Predictor) -> None:
    assert table.predict_rows([{**ROW, "person": "anna"}]) == table.predict_rows([ROW])


def test_a_missing_column_is_named_and_null_is_not_missing(table: Predictor) -> None:
    error = refusal(table, [ROW, {name: value for name, value in ROW.items() if name != "x1"}])
    assert error.code == "schema_mismatch" and "/rows/1/x1" in error.detail()
    table.predict_rows([dict.fromkeys(ROW)])


def test_a_mistyped_name_is_told_among_many_that_are_missing(table: Predictor) -> None:
    assert "/rows/9/wieght: a field" in refusal(table, [{"x0": 1.0}] * 3 + [ROW] * 6 + [{**ROW, "wieght": 1}]).detail()


@pytest.mark.parametrize("name", ["weight", "label", "X0"])
def test_unknown_fields_are_refused(table: Predictor, name: str) -> None:
    error = refusal(table, [{**ROW, name: 1}])
    assert error.code == "schema_mismatch" and f"/rows/0/{name}" in error.detail()


def test_an_unknown_field_beside_a_group_column_is_refused(table: Predictor) -> None:
    assert refusal(table, [{**ROW, "person": 1, "more": 2}]).code == "schema_mismatch"


def test_names_in_pointers_are_escaped(table: Predictor) -> None:
    assert "/rows/0/a~1b~0c" in refusal(table, [{**ROW, "a/b~c": 1}]).detail()


@pytest.mark.parametrize("value", ["1.5", True, [1.0], {"a": 1}])
def test_a_wrong_type_is_named(table: Predictor, value: Any) -> None:
    error = refusal(table, [{**ROW, "x0": value}])
    assert error.code == "schema_mismatch" and "/rows/0/x0: expected a number or null; found" in error.detail()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39])
def test_numbers_that_no_model_takes_are_refused(table: Predictor, value: float) -> None:
    error = refusal(table, [ROW, {**ROW, "x0": value}])
    assert error.code == "not_finite" and error.parameters["where"] == "/rows/1/x0"


def test_up_to_twenty_differences_are_listed(table: Predictor) -> None:
    error = refusal(table, [{"x0": "text", "other": 1} for _ in range(30)])
    assert error.parameters["count"] == "20 or more"
    assert error.parameters["found"].count("/rows/") == 20


@pytest.mark.parametrize("rows", [{"x0": 1}, "rows", None, 5, [1], [None], [[1, 2]], ["x0"], [ROW, 3]])
def test_what_is_no_list_of_rows_is_refused(table: Predictor, rows: Any) -> None:
    assert refusal(table, rows).code == "schema_mismatch"


def png(shade: int, size: tuple[int, int] = (8, 8)) -> bytes:
    stream = io.BytesIO()
    Image.new("L", size, shade).save(stream, format="PNG")
    return stream.getvalue()


def test_a_picture_may_come_as_bytes_or_as_base64(predictors: dict[str, Predictor]) -> None:
    predictor = predictors["picture"]
    text = base64.b64encode(png(200)).decode()
    answer = predictor.predict_image(png(200))
    assert predictor.predict_rows([{"picture": text}, {"picture": {"base64": text}}]) == [answer, answer]


def test_a_damaged_picture_is_named_by_its_row(predictors: dict[str, Predictor]) -> None:
    rows = [{"picture": base64.b64encode(content).decode()} for content in (png(1), png(2)[:45])]
    error = refusal(predictors["picture"], rows)
    assert error.code in ("picture_truncated", "not_a_picture") and error.parameters["where"] == "/rows/1/picture"
    assert refusal(predictors["picture"], [{"picture": "no base64!"}]).code == "not_a_picture"


def test_raw_bytes_need_a_picture_model(table: Predictor) -> None:
    with pytest.raises(SalusError) as caught:
        table.predict_image(png(0))
    assert caught.value.code == "not_a_picture_model"


def test_recordings_of_any_length_are_answered(predictors: dict[str, Predictor]) -> None:
    rows = [{"ax": [0.5] * n, "ay": [None, *[1.0] * (n - 1)]} for n in (1, 5, 16, 17, 200)]
    predictions = predictors["recording"].predict_rows(rows)
    assert [p["label"] for p in predictions] == [
        predictors["recording"].predict_rows([row])[0]["label"] for row in rows
    ]


def test_channels_of_different_lengths_are_named_by_their_row(predictors: dict[str, Predictor]) -> None:
    good = {"ax": [1.0, 2.0], "ay": [1.0, 2.0]}
    error = refusal(predictors["recording"], [good, {"ax": [1.0], "ay": [1.0, 2.0]}])
    assert error.code == "series_unequal" and error.parameters["where"] == "/rows/1"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([1.0, math.nan], "not_finite"),
        ([1e39], "not_finite"),
        ([10**400], "not_finite"),
        ([], "series_empty"),
        ([1, "2"], "schema_mismatch"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(predictors: dict[str, Predictor], value: Any, code: str) -> None:
    assert refusal(predictors["recording"], [{"ax": value, "ay": [1.0, 2.0]}]).code == code


@pytest.mark.parametrize("name", MODELS)
def test_schemas_and_example_row_fit(name: str, predictors: dict[str, Predictor]) -> None:
    predictor = predictors[name]
    row = predictor.example_row()
    assert list(row) == predictor.row_schema()["required"] == [c.name for c in predictor.schema.inputs]
    assert all(value is not None for value in row.values())
    assert predictor.request_schema()["properties"]["rows"]["items"] == predictor.row_schema()
    assert predictor.answer_schema()["type"] == "object"
    predictor.warm()
    json.dumps([predictor.request_schema(), predictor.answer_schema(), row])


def test_several_threads_get_their_own_answers(table: Predictor) -> None:
    rows = MODELS["table"].rows[:60]
    expected = [table.predict_rows([row]) for row in rows]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda row: table.predict_rows([row]), rows)) == expected


def test_an_answer_that_is_not_finite_is_an_error(tmp_path: Path, table: Predictor) -> None:
    class Broken:
        def run(self, *_: Any) -> list[np.ndarray]:
            return [np.full((1, 3), np.nan, np.float32)]

    predictor = Predictor(table.bundle, Broken())  # type: ignore[arg-type]
    with pytest.raises(SalusError) as caught:
        predictor.predict_rows([ROW])
    assert caught.value.code == "engine_failed"


def test_a_program_without_its_graphs_is_refused(tmp_path: Path) -> None:
    bundle = MODELS["table"].write(tmp_path / "bundle", program="encoder-step")
    with pytest.raises(SalusError) as caught:
        Predictor.open(bundle)
    assert caught.value.code == "bundle_damaged"


def test_one_row_of_a_table_is_fast(tmp_path: Path) -> None:
    predictor = Predictor.open(table_model(numbers=30, examples=20, levels=1000).write(tmp_path / "bundle"))
    found = measure_latency(predictor, runs=300, most_s=2.0)
    assert found["one_row_ms"]["median"] < 2.0  # an idle core takes a tenth of it; tests share theirs
    assert found["rows_per_s"] > 0
    predictor.close()


def test_recordings_are_answered_in_passes_of_bounded_memory(
    predictors: dict[str, Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, rows = predictors["recording"], MODELS["recording"].rows
    together = predictor.predict_rows(rows)
    passes: list[int] = []
    run = predictor.engine.run
    monkeypatch.setattr(
        predictor.engine,
        "run",
        lambda name, feeds, outputs: passes.append(feeds["series"].size) or run(name, feeds, outputs),
    )
    monkeypatch.setattr("salus.inference.chunks.MOST_CELLS", 4 * max(1, _cells_of_a_window(predictor)))
    apart = predictor.predict_rows(rows)
    assert len(passes) > 1 and sum(passes) > 0
    for one, other in zip(together, apart, strict=True):
        assert one["label"] == other["label"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)


def _cells_of_a_window(predictor: Predictor) -> int:
    columns = [column for column in predictor.schema.inputs if column.kind == "series"]
    return int((columns[0].state or {})["window_steps"]) * len(columns)
