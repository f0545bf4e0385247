"""An immutable data version: schema, findings, profile and Parquet shards, read by names and row numbers.

Named by the hash of its content. A row's number is its position over all shards in their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from salus.core.nouns import Finding, Schema
from salus.core.wire import file_digest, tree_digest

KEPT_BYTES = 512 * 2**20  # of columns that stay open
KEPT_SHARE = 4  # fewer groups than one in so many are read by themselves


class DataVersion:
    """The files of a version by their names inside it, wherever they lie."""

    def __init__(self, files: Mapping[str, Path]):
        self.files = dict(files)

    @classmethod
    def open(cls, files: Mapping[str, Path]) -> DataVersion:
        return cls(files)

    @classmethod
    def open_folder(cls, folder: Path) -> DataVersion:
        return cls({p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()})

    @cached_property
    def tree(self) -> dict[str, str]:
        """Name -> SHA-256."""
        return {name: file_digest(path) for name, path in sorted(self.files.items())}

    @cached_property
    def hash(self) -> str:
        return tree_digest(self.tree)

    @cached_property
    def schema(self) -> Schema:
        return Schema.model_validate_json(self.files["schema.json"].read_bytes())

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(Finding.model_validate(item) for item in json.loads(self.files["findings.json"].read_bytes()))

    @cached_property
    def profile(self) -> dict[str, Any]:
        return dict(json.loads(self.files["profile.json"].read_bytes()))

    @property
    def rows(self) -> int:
        return int(self.profile["rows"])

    @cached_property
    def _shards(self) -> list[Path]:
        return [path for name, path in sorted(self.files.items()) if name.startswith("shards/")]

    def table(self, names: Sequence[str]) -> pa.Table:
        """Whole columns as Arrow."""
        parts = [pq.read_table(path, columns=list(names), use_threads=False) for path in self._shards]
        return pa.concat_tables(parts)

    def columns(self, names: Sequence[str]) -> dict[str, Any]:
        """Whole columns: numbers as float64 (NaN missing), text and bytes as lists, recordings as lists of float32 arrays."""
        return _plain(self.table(names))

    def take(self, names: Sequence[str], rows: np.ndarray) -> dict[str, Any]:
        """As `columns`, of these rows in this order. Only the groups of rows that hold them are read, one by one; columns
        that are not large stay open when most of their groups are asked for."""
        wanted = np.asarray(rows, dtype=np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < self.rows:
            raise IndexError(f"a version of {self.rows} rows was asked for rows {wanted.min()} to {wanted.max()}")
        groups = np.searchsorted(self._ends, wanted, side="right")
        few = len(np.unique(groups)) * KEPT_SHARE < len(self._ends)
        if self._is_kept(names) or not (few or self._bytes(names) > KEPT_BYTES):
            return _plain(self._cached(tuple(names)).take(pa.array(wanted)))
        return _plain(self._from_groups(names, wanted, groups))

    def _from_groups(self, names: Sequence[str], rows: np.ndarray, groups: np.ndarray) -> pa.Table:
        """Rows in their order, where the group of each is known."""
        order = np.argsort(groups, kind="stable")
        pieces = []
        for group in np.unique(groups) if len(groups) else (0,):
            begin, end = np.searchsorted(groups[order], [group, group + 1])
            first = int(self._ends[group - 1]) if group else 0
            pieces.append(self._group(int(group), names).take(pa.array(rows[order[begin:end]] - first)))
        return pa.concat_tables(pieces).take(pa.array(np.argsort(order)))

    @cached_property
    def _groups(self) -> list[tuple[Path, pq.FileMetaData, int]]:
        """(shard, what it says of itself, number in it) of every group of rows, in their order."""
        said = [(path, pq.read_metadata(path)) for path in self._shards]
        return [(path, shard, number) for path, shard in said for number in range(shard.num_row_groups)]

    @cached_property
    def _ends(self) -> np.ndarray:
        """The number of the row behind each group."""
        return np.cumsum([shard.row_group(number).num_rows for _, shard, number in self._groups])

    def _group(self, group: int, names: Sequence[str]) -> pa.Table:
        path, said, number = self._groups[group]
        with pq.ParquetFile(path, metadata=said) as shard:
            return shard.read_row_group(number, columns=list(names), use_threads=False)

    def _bytes(self, names: Sequence[str]) -> int:
        """What whole columns take in memory, about."""
        asked = set(names)
        places = [index for index, column in enumerate(self.schema.columns) if column.name in asked]
        groups = [shard.row_group(number) for _, shard, number in self._groups]
        return sum(group.column(place).total_uncompressed_size for group in groups for place in places)

    def _is_kept(self, names: Sequence[str]) -> bool:
        kept: tuple[tuple[str, ...], pa.Table] | None = self.__dict__.get("_kept")
        return kept is not None and kept[0] == tuple(names)

    def _cached(self, names: tuple[str, ...]) -> pa.Table:
        """The last set of columns asked for stays open: rows of them are taken piece by piece."""
        if not self._is_kept(names):
            self.__dict__["_kept"] = (names, self.table(names).combine_chunks())
        table: pa.Table = self.__dict__["_kept"][1]
        return table


def _plain(table: pa.Table) -> dict[str, Any]:
    return {name: _plain_column(table.column(name)) for name in table.column_names}


def _plain_column(column: pa.ChunkedArray) -> Any:
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _recordings(column)
    return column.to_pylist()


def _recordings(column: pa.ChunkedArray) -> list[np.ndarray | None]:
    found: list[np.ndarray | None] = []
    for chunk in column.chunks:
        values = chunk.values.to_numpy(zero_copy_only=False).astype(np.float32)
        offsets = chunk.offsets.to_numpy()
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
        found += [values[a:b] if good else None for a, b, good in zip(offsets[:-1], offsets[1:], valid, strict=True)]
    return found
