"""The manifest: one spelling, every field checked, no bytes that bring the reader down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salus.bundle.manifest import Manifest, read_manifest
from salus.core.errors import SalusError
from salus.core.wire import canonical
from salus.testing.bundles import table_model

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder: Path = tmp_path_factory.mktemp("manifest") / "bundle"
    table_model(examples=2).write(folder)
    return (folder / "manifest.json").read_bytes()


def refused(content: bytes) -> str:
    with pytest.raises(SalusError) as caught:
        read_manifest(content)
    return caught.value.code


def test_reading_and_writing_are_inverse(content: bytes) -> None:
    manifest = read_manifest(content)
    assert isinstance(manifest, Manifest)
    assert manifest.to_bytes() == content
    assert manifest.created.endswith("Z")


def test_a_later_format_asks_for_a_later_salus(content: bytes) -> None:
    assert refused(canonical({**json.loads(content), "format": 2, "something": "new"})) == "bundle_newer"


def test_another_spelling_is_refused(content: bytes) -> None:
    assert refused(json.dumps(json.loads(content), indent=1).encode()) == "bundle_damaged"
    assert refused(content + b" ") == "bundle_damaged"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 0},
        {"program": "anything"},
        {"outputs": []},
        {"more": 1},
        {"schema": {"columns": [{"name": "a", "kind": "number", "role": "king"}]}},
        {"model_hash": "0" * 64},
        {"graphs": {}},
        {"graphs": {"main": "main", "step": "step"}},
        {"files": {}},
    ],
    ids=str,
)
def test_fields_that_do_not_fit_are_refused(content: bytes, changes: dict[str, Any]) -> None:
    assert refused(canonical({**json.loads(content), **changes})) == "bundle_damaged"


@pytest.mark.parametrize(
    "name", ["../manifest.json", "/etc/passwd", "graphs/../x.onnx", "graphs/a/b.onnx", "graphs/.onnx", "assets/", "assets/../a",
             "assets/.hidden", "notes.txt", "graphs/UPPER.onnx", "assets/a\x00b", "manifest.json", "signature.json"]
)  # fmt: skip
def test_file_names_outside_the_format_are_refused(content: bytes, name: str) -> None:
    data = json.loads(content)
    data["files"][name] = "0" * 64
    assert refused(canonical(data)) == "bundle_damaged"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_bring_it_down(content: bytes) -> None:
    assert refused(content) == "bundle_damaged"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_value_of_a_field_brings_it_down(content: bytes, data: st.DataObject) -> None:
    manifest = json.loads(content)
    name = data.draw(st.sampled_from(sorted(manifest)))
    manifest[name] = data.draw(JSON)
    try:
        read = read_manifest(canonical(manifest))
    except SalusError as error:
        assert error.code in ("bundle_damaged", "bundle_newer")
    else:
        assert name in ("calibration", "metrics", "lineage", "created", "task", "outputs", "graphs")
        assert read.to_bytes() == canonical(manifest)
