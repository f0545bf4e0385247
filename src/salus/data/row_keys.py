"""A 64-bit key for each row, the same for equal rows wherever they lie, and which rows repeat an earlier one.

Knows Arrow columns; does not know kinds. Memory is bounded however many rows there are: past a limit only the rows of every
second key are kept, then of every fourth, and so on; all copies of a row have one key, so that a kept row keeps its copies.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_KEYS = 16_000_000  # kept at once, with their rows: 256 MB
BYTES_AT_ONCE = 4_000_000  # of text, hashed together
ROUND_BITS = 4  # repeats are looked for in sixteen turns, so that sorting needs little memory
MISSING = np.uint64(0x9E3779B97F4A7C15)
PRIME = np.uint64(1099511628211)


def row_keys(table: pa.Table) -> np.ndarray:
    """uint64 (B,) over all columns of the table."""
    keys = np.zeros(table.num_rows, dtype=np.uint64)
    for name in table.column_names:
        keys = mixed(keys * PRIME + value_keys(table.column(name)))
    return keys


def value_keys(column: pa.ChunkedArray) -> np.ndarray:
    """uint64 (B,) of one column: numbers, text, bytes or lists of numbers."""
    if not len(column):
        return np.zeros(0, dtype=np.uint64)
    return np.concatenate([_keys_of(chunk) for chunk in column.chunks])


def mixed(values: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): every bit of a key depends on every bit of `values`."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))


def _keys_of(array: pa.Array) -> np.ndarray:
    kind = array.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        numbers = pc.fill_null(array.cast(pa.float64(), safe=False), 0.0).to_numpy(zero_copy_only=False)
        keys = mixed((numbers + 0.0).view(np.uint64) + np.uint64(1))  # + 0.0 makes one zero of two
    elif pa.types.is_large_string(kind) or pa.types.is_string(kind):
        codes = array.cast(pa.large_string()).dictionary_encode()
        levels = _text_keys(codes.dictionary)
        index = pc.fill_null(codes.indices, 0).to_numpy(zero_copy_only=False)
        keys = levels[index] if len(levels) else np.zeros(len(array), dtype=np.uint64)
    else:
        keys = np.array([_digest(_content(item)) for item in array], dtype=np.uint64)
    if array.null_count:
        keys = np.where(array.is_null().to_numpy(zero_copy_only=False), MISSING, keys)
    return keys


def _text_keys(levels: pa.Array) -> np.ndarray:
    """The sum over the bytes of a text of a random number for byte and place."""
    offsets = np.frombuffer(levels.buffers()[1], dtype=np.int64)[levels.offset : levels.offset + len(levels) + 1]
    content = levels.buffers()[2]
    letters = np.frombuffer(content, dtype=np.uint8) if content is not None else np.zeros(0, dtype=np.uint8)
    keys = np.zeros(len(levels), dtype=np.uint64)
    first = 0
    while first < len(levels):
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + BYTES_AT_ONCE, side="right")) - 1)
        begin, end = offsets[first:last], offsets[first + 1 : last + 1]
        lengths = end - begin
        places = np.arange(lengths.sum(), dtype=np.int64) - np.repeat(begin - begin[0], lengths)
        numbers = mixed(letters[begin[0] : end[-1]].astype(np.uint64) + places.astype(np.uint64) * np.uint64(257))
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(numbers, dtype=np.uint64)])
        keys[first:last] = sums[end - begin[0]] - sums[begin - begin[0]] + lengths.astype(np.uint64)
        first = last
    return mixed(keys)


def _content(item: pa.Scalar) -> bytes:
    if not item.is_valid:
        return b""
    if isinstance(item, pa.BinaryScalar | pa.LargeBinaryScalar):
        return bytes(item.as_py())
    if isinstance(item, pa.ListScalar | pa.LargeListScalar):
        return bytes(np.ascontiguousarray(item.values.to_numpy(zero_copy_only=False), dtype=np.float32).tobytes())
    return repr(item.as_py()).encode()


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Repeats:
    """`rows` repeat an earlier row (ascending). One in `one_in` keys was looked at; 1 is all of them."""

    rows: np.ndarray
    one_in: int

    @property
    def count(self) -> int:
        """How many there are in all; an estimate when not all keys were looked at."""
        return len(self.rows) * self.one_in


class RepeatFinder:
    """Takes keys with the numbers of their rows, in order, and says which rows repeat."""

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self.max_keys = max_keys
        self.keys: list[np.ndarray] = []
        self.rows: list[np.ndarray] = []
        self.kept = 0
        self.halvings = 0

    def add(self, keys: np.ndarray, rows: np.ndarray) -> None:
        self._keep(keys, rows)
        while self.kept > self.max_keys:
            self.halvings += 1
            everything = list(zip(self.keys, self.rows, strict=True))
            self.keys, self.rows, self.kept = [], [], 0
            for some_keys, some_rows in everything:
                self._keep(some_keys, some_rows)

    def repeats(self) -> Repeats:
        found: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]
        for turn in range(2**ROUND_BITS):
            here = [np.flatnonzero(keys >> np.uint64(64 - ROUND_BITS) == turn) for keys in self.keys]
            if not sum(map(len, here)):
                continue
            keys = np.concatenate([keys[at] for keys, at in zip(self.keys, here, strict=True)])
            rows = np.concatenate([rows[at] for rows, at in zip(self.rows, here, strict=True)])
            order = np.argsort(keys, kind="stable")
            again = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
            found.append(rows[order[again]])
        return Repeats(np.sort(np.concatenate(found)), 2**self.halvings)

    def _keep(self, keys: np.ndarray, rows: np.ndarray) -> None:
        chosen = keys & np.uint64(2**self.halvings - 1) == 0
        self.keys.append(keys[chosen])
        self.rows.append(rows[chosen].astype(np.int64))
        self.kept += int(chosen.sum())
