"""Flags become specs, `salus.yaml` beside the data is read, and joined files are sent along."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus.cli.options import data_flags, train_flags, with_target
from salus.cli.runs import report_lines
from salus.core.beside import beside, merged
from salus.core.errors import SalusError
from salus.core.specs import DataSpec, TrainSpec, parse_milliseconds
from salus.sdk.upload import gathered


def test_flags_say_a_data_spec() -> None:
    said = data_flags(
        header=False,
        missing=["?"],
        kind=["a=b=category"],
        unit=["weight=kg"],
        join=["more.csv"],
        on=["id"],
        recording="run",
        rate_hz=50.0,
    )
    spec = DataSpec(**said)
    assert not spec.header and spec.missing == ("?",) and spec.kinds == {"a=b": "category"}
    assert spec.join[0].path == "more.csv" and spec.recording is not None and spec.recording.id == "run"
    assert data_flags() == {}


def test_flags_say_a_train_spec() -> None:
    said = train_flags(
        target=["ill"],
        max_latency="5ms",
        positive="yes",
        sensitivity=0.9,
        option=["trees=7", "kind=x"],
        policy='{"minimum": {"auc": 0.8}}',
        contrast=False,
        budget="90s",
    )
    spec = TrainSpec(**said)
    assert spec.max_latency_ms == 5 and spec.options == {"trees": 7, "kind": "x"} and spec.budget_s == 90
    assert spec.threshold is not None and spec.threshold.sensitivity == 0.9 and not spec.contrast
    assert spec.policy == {"minimum": {"auc": 0.8}}


@pytest.mark.parametrize(
    "flags",
    [{"join": ["a.csv"]}, {"kind": ["age"]}, {"unit": ["=kg"]}],
)
def test_halves_of_flags_are_refused(flags: dict[str, list[str]]) -> None:
    with pytest.raises(SalusError) as caught:
        data_flags(**flags)  # type: ignore[arg-type]
    assert caught.value.code == "bad_spec"


def test_a_target_is_needed() -> None:
    with pytest.raises(SalusError) as caught:
        with_target(train_flags())
    assert caught.value.parameters["where"] == "--target"


def test_what_lies_beside_the_data_is_overruled_by_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "salus.yaml").write_text(
        "kinds: {a: number, b: text}\nmissing: ['?']\ntrain: {target: ill, group: who}\n"
    )
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    of_data, of_train = beside(tmp_path / "t.csv")
    assert of_train == {"target": "ill", "group": "who"} and beside(tmp_path) == (of_data, of_train)
    assert merged({"kinds": {"a": "category"}}, of_data) == {"kinds": {"a": "category", "b": "text"}, "missing": ["?"]}


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]",
        "a: [",
        "train: 7",
        "!!python/object/apply:os.system ['true']",
        "rate_hz: 2020-13-45",
        "rate_hz: " + "1" * 5000,
        "kinds: " + "[" * 5000,
        "missing: &a ['?']\nkinds: *a",
        "join: [{path: /etc/passwd, on: who}]",
        "join: [{path: in/../../other.csv, on: who}]",
        "".join(f"a{level}: &a{level} {{<<: [{f'*a{level - 1}, ' * 9}]}}\n" for level in range(1, 12)),
    ],
)
def test_what_is_no_spec_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "salus.yaml").write_text(text)
    with pytest.raises(SalusError) as caught:
        beside(tmp_path)
    assert caught.value.code == "bad_spec"


def test_joined_files_are_sent_beside_the_first(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("id,x\n1,2\n")
    path, options, others = gathered(str(tmp_path / "a.csv"), {"join": [{"path": "b.csv", "on": "id"}]})
    assert path.name == "a.csv" and options["member"] == "a.csv" and [p.name for p in others] == ["b.csv"]
    path, options, others = gathered(f"{tmp_path}#b.csv", {})
    assert path == tmp_path and options == {"member": "b.csv"} and not others
    with pytest.raises(SalusError) as caught:
        gathered(str(tmp_path / "a.csv"), {"join": [{"path": "gone.csv", "on": "id"}]})
    assert caught.value.code == "path_missing"


def test_times_of_one_row() -> None:
    assert [parse_milliseconds(text) for text in ("5", "0.5ms", "1s")] == [5, 0.5, 1000]
    with pytest.raises(SalusError):
        parse_milliseconds("soon")


def test_the_figures_say_what_a_threshold_and_a_coverage_bring() -> None:
    figure = {"value": 0.91, "low": 0.85, "high": 0.95, "wide": False}
    report = {
        "headline": {"metric": "auc", "interval": figure, "baseline": 0.5, "rows": 300},
        "metrics": {"auc": figure},
        "baseline": {},
        "decision": {"level": "ill", "threshold": 0.2, "reached": False, "figures": {"sensitivity": figure}},
        "abstention": {"coverage": figure, "accuracy": None, "below": 0.6},
    }
    said = "\n".join(report_lines(report))
    assert "'ill' is said from a probability of 0.2" in said and "sensitivity: 0.910" in said
    assert "misses least" in said and "It answers 0.910" in said
    nobody_asked = {"decision": {"level": "ill", "threshold": None}, "abstention": {"coverage": figure, "below": None}}
    for without in ({"decision": None, "abstention": None}, nobody_asked):
        assert len(report_lines(report | without)) == 2


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("target: y", "salus.yaml:"),
        ("train: {lerner: linear}", "salus.yaml, train:"),
        ("train: {policy: {better_than_baseline: false}}", "salus.yaml, train:"),
    ],
)
def test_a_name_that_no_spec_has_is_the_mistake_of_the_file(tmp_path: Path, text: str, where: str) -> None:
    (tmp_path / "salus.yaml").write_text(text)
    with pytest.raises(SalusError) as caught:
        beside(tmp_path)
    assert caught.value.code == "bad_spec" and caught.value.text().startswith(where)
