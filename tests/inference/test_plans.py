"""The fast way of tables says what the kinds say, for any values."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.core.errors import SalusError
from salus.core.nouns import Column, Role, Schema
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.inference.requests import RowReader

NUMBER = {"low": 0.0, "high": 1.0, "integer": False, "missing": False}
SCHEMA = Schema(
    columns=(
        Column(name="a", kind="number", state=NUMBER),
        Column(name="c", kind="category", state={"levels": ["x", "y", "true", "3"]}),
        Column(name="b", kind="number", state=NUMBER),
        Column(name="d", kind="category", state={"levels": []}),
        Column(name="y", kind="category", role=Role.TARGET, state={"levels": ["p", "q"]}),
    )
)
ANY_NUMBER = (
    st.none()
    | st.floats()
    | st.integers()
    | st.booleans()
    | st.sampled_from([np.float64(1.5), np.int64(2), 10**400, "1"])
)
ANY_LABEL = (
    st.none()
    | st.sampled_from(["x", "y", "", "true"])
    | st.text(max_size=3)
    | st.booleans()
    | st.integers(0, 5)
    | st.floats()
)
ROWS = st.lists(
    st.fixed_dictionaries({"a": ANY_NUMBER, "b": ANY_NUMBER, "c": ANY_LABEL, "d": ANY_LABEL}), min_size=1, max_size=4
)


def by_kinds(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The plain way, one column at a time; a NaN that is written out is refused as the reader does."""
    for row in rows:
        for name in ("a", "b"):
            if row[name] is not None and row[name] != row[name]:
                raise SalusError("not_finite", where=name, found="NaN")
    values = {c.name: kind_named(c.kind).column_values([row[c.name] for row in rows], c.name) for c in SCHEMA.inputs}
    return encode_columns(SCHEMA.inputs, values)


@settings(max_examples=400, deadline=None)
@given(ROWS)
def test_reading_and_encoding_agree_with_the_kinds(rows: list[dict[str, Any]]) -> None:
    reader = RowReader(SCHEMA)
    try:
        expected = by_kinds(rows)
    except (SalusError, OverflowError):
        expected = None
    try:
        found = reader.encode(reader.read(rows))
    except SalusError as error:
        assert expected is None, error
        return
    assert expected is not None
    assert found.keys() == expected.keys()
    for name, feed in expected.items():
        assert found[name].dtype == feed.dtype and found[name].flags.c_contiguous
        np.testing.assert_array_equal(found[name], feed)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(width=64), min_size=3, max_size=3),
    st.lists(st.sampled_from(["x", None, "z"]), min_size=3, max_size=3),
)
def test_whole_columns_agree_with_the_kinds(numbers: list[float], labels: list[str | None]) -> None:
    values = {"a": np.array(numbers), "b": np.array(numbers[::-1]), "c": labels, "d": labels}
    expected = encode_columns(SCHEMA.inputs, values)
    found = RowReader(SCHEMA).encode(values)
    for name, feed in expected.items():
        np.testing.assert_array_equal(found[name], feed)
