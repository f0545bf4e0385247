"""What every kind must keep: subclass `KindContract`, give a kind, raw values it reads, and raw values it refuses."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Kind


class KindContract(ABC):
    @abstractmethod
    def kind(self) -> Kind:
        """The kind."""

    @abstractmethod
    def good(self) -> list[Any]:
        """At least six raw values as files and requests hold them, some None."""

    @abstractmethod
    def bad(self) -> list[Any]:
        """Raw values that a request must not hold."""

    def _fitted(self) -> tuple[Any, dict[str, Any]]:
        values = self.kind().column_values(self.good(), "good")
        return values, self.kind().fit(values, {})

    def test_recognises_its_own(self) -> None:
        present = [raw for raw in self.good() if raw is not None]
        assert self.kind().recognise(present) > 0.5
        assert self.kind().recognise([]) == 0.0

    def test_refuses_what_it_cannot_read_and_says_where(self) -> None:
        for raw in self.bad():
            try:
                self.kind().read(raw, "row 7")
            except SalusError as error:
                assert "row 7" in error.detail()
            else:
                raise AssertionError(f"{raw!r} was read")

    def test_missing_is_no_error(self) -> None:
        _, state = self._fitted()
        values = self.kind().column_values([None, None], "missing")
        for array in self.kind().encode(values, state).values():
            assert array.dtype.kind in "fiu"

    def test_the_state_is_json(self) -> None:
        _, state = self._fitted()
        assert json.loads(json.dumps(state, allow_nan=False)) == state

    def test_equal_values_encode_equally_in_any_company(self) -> None:
        values, state = self._fitted()
        whole = self._joined(values, state)
        for row in range(len(self.good())):
            alone = self._joined(values[row : row + 1], state)
            for name, feed in alone.items():
                if name == "series_rows":
                    continue
                rows = whole["series_rows"][row] > 0 if name == "series" else slice(row, row + 1)
                np.testing.assert_array_equal(whole[name][rows], feed)

    def test_synthetic_values_come_from_the_state_and_can_be_read(self) -> None:
        _, state = self._fitted()
        raws = self.kind().synthetic(state, 40, np.random.default_rng(1))
        assert len(raws) == 40
        json.dumps(raws, allow_nan=False)
        feeds = self._joined(self.kind().column_values(raws, "synthetic"), state)
        assert all(len(feed) for feed in feeds.values())
        again = self.kind().synthetic(state, 40, np.random.default_rng(1))
        assert raws == again

    def test_its_schema_is_a_json_schema(self) -> None:
        _, state = self._fitted()
        schema = self.kind().json_schema(state)
        assert "type" in schema or "anyOf" in schema

    def _joined(self, values: Any, state: dict[str, Any]) -> dict[str, np.ndarray]:
        kind = self.kind()
        return kind.join({"column": kind.encode(values, state)}, {"column": state})
