"""Tensors of a file that torch wrote before version 1.6, read without executing anything in it.

Such a file is a row of pickles followed by raw numbers. A pickle is a program; this reader walks over its instructions and knows only
those that describe plain values and tensors. A name of a function is kept as text and never looked up; two names have a meaning here: the
one of an ordered dictionary and the one of a tensor made of a storage. Anything else is refused. No module that can unpickle is imported.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salus.core.errors import SalusError

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
TENSOR = "torch._utils _rebuild_tensor_v2"
ORDERED = "collections OrderedDict"
MOST_VALUES = 100_000  # of a pickle


@dataclass(frozen=True)
class Name:
    """The name of something that the file would like to be called."""

    text: str


@dataclass(frozen=True)
class Stored:
    """A storage: what kind of numbers, how many, under which key."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class Described:
    """A tensor: a view of a storage."""

    stored: Stored
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_old_weights(data: bytes, where: str) -> dict[str, np.ndarray]:
    """Tensors by name, or `weights_bad`."""
    try:
        return _tensors(data)
    except (_Refused, IndexError, KeyError, ValueError, TypeError, struct.error, OverflowError) as error:
        raise SalusError(
            "weights_bad",
            where=where,
            expected="efficientnet-lite0",
            found=f"a file that cannot be read ({error})"[:120],
        ) from None


def _tensors(data: bytes) -> dict[str, np.ndarray]:
    at, parts = 0, []
    for _ in range(5):  # magic, version, about the machine, the tensors, the keys of the storages
        walk = Walk(data, at)
        parts.append(walk.value())
        at = walk.at
    magic, _, _, described, keys = parts
    if magic != MAGIC or not isinstance(described, dict) or not isinstance(keys, list):
        raise _Refused("no file of torch")
    wanted = {part.stored.key: part.stored for part in described.values() if isinstance(part, Described)}
    storages = {}
    for key in keys:
        stored = wanted[key]
        (count,) = struct.unpack_from("<q", data, at)
        size = np.dtype(stored.dtype).itemsize * count
        if count != stored.count or count < 0 or at + 8 + size > len(data):
            raise _Refused("a storage of another length")
        storages[key] = np.frombuffer(data, stored.dtype, count, at + 8)
        at += 8 + size
    return {name: _view(part, storages) for name, part in described.items() if isinstance(part, Described)}


def _view(part: Described, storages: dict[str, np.ndarray]) -> np.ndarray:
    storage = storages[part.stored.key]
    last = part.offset + sum((size - 1) * stride for size, stride in zip(part.shape, part.strides, strict=True))
    outside = min((*part.shape, *part.strides, part.offset, 1)) < 0 or last >= max(1, len(storage))
    if outside or math.prod(part.shape) > len(storage):  # steps of 0 would make much of little
        raise _Refused("a tensor beyond its storage")
    steps = [stride * storage.itemsize for stride in part.strides]
    return np.lib.stride_tricks.as_strided(storage[part.offset :], part.shape, steps, writeable=False).copy()


class _Refused(Exception):
    """An instruction or a value that does not belong into a file of tensors."""


@dataclass
class Walk:
    """One pickle, walked from `at` to its end; `at` is then behind it."""

    data: bytes
    at: int
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def value(self) -> Any:
        for _ in range(MOST_VALUES):
            code = self.data[self.at : self.at + 1]
            self.at += 1
            if code == b".":
                return self.stack.pop()
            if code not in INSTRUCTIONS:
                raise _Refused(f"instruction {code!r}")
            INSTRUCTIONS[code](self)
        raise _Refused("too many values")

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return int(value)

    def taken(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise _Refused("an end in the middle")
        self.at += count
        return self.data[self.at - count : self.at]

    def line(self) -> str:
        end = self.data.index(b"\n", self.at)
        return self.taken(end - self.at + 1)[:-1].decode("ascii")

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise _Refused("too few values")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def set_items(self, flat: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise _Refused("items of no dictionary")
        self.stack[-1].update(zip(flat[::2], flat[1::2], strict=True))

    def extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise _Refused("items of no list")
        self.stack[-1].extend(values)

    def made(self) -> None:
        """What a known name makes of its arguments."""
        arguments, name = self.stack.pop(), self.stack.pop()
        if name == Name(ORDERED) and arguments == ():
            self.stack.append({})
        elif name == Name(TENSOR) and isinstance(arguments, tuple) and isinstance(arguments[0], Stored):
            stored, offset, shape, strides = arguments[:4]
            self.stack.append(Described(stored, int(offset), tuple(map(int, shape)), tuple(map(int, strides))))
        else:
            raise _Refused("something else than a tensor")

    def storage(self) -> None:
        kind, name, key, _, count = self.stack.pop()[:5]
        if kind != "storage" or not isinstance(name, Name) or not isinstance(key, str):
            raise _Refused("no storage")
        self.stack.append(Stored(DTYPES[name.text.removeprefix("torch ")], key, int(count)))

    def ignored(self) -> None:
        """Attributes of a dictionary: torch keeps versions there."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            raise _Refused("attributes")

    def keep(self, place: int) -> None:
        self.memo[place] = self.stack[-1]


INSTRUCTIONS: dict[bytes, Callable[[Walk], Any]] = {
    b"\x80": lambda w: w.number("<B"),
    b"\x8a": lambda w: w.stack.append(int.from_bytes(w.taken(w.number("<B")), "little", signed=True)),
    b"J": lambda w: w.stack.append(w.number("<i")),
    b"K": lambda w: w.stack.append(w.number("<B")),
    b"M": lambda w: w.stack.append(w.number("<H")),
    b"X": lambda w: w.stack.append(w.taken(w.number("<I")).decode()),
    b"N": lambda w: w.stack.append(None),
    b"\x88": lambda w: w.stack.append(True),
    b"\x89": lambda w: w.stack.append(False),
    b"c": lambda w: w.stack.append(Name(f"{w.line()} {w.line()}")),
    b"(": lambda w: w.marks.append(len(w.stack)),
    b")": lambda w: w.stack.append(()),
    b"}": lambda w: w.stack.append({}),
    b"]": lambda w: w.stack.append([]),
    b"t": lambda w: w.stack.append(tuple(w.since_mark())),
    b"\x85": lambda w: w.tuple_of(1),
    b"\x86": lambda w: w.tuple_of(2),
    b"\x87": lambda w: w.tuple_of(3),
    b"s": lambda w: w.set_items([w.stack.pop(-2), w.stack.pop()]),
    b"u": lambda w: w.set_items(w.since_mark()),
    b"a": lambda w: w.extend([w.stack.pop()]),
    b"e": lambda w: w.extend(w.since_mark()),
    b"q": lambda w: w.keep(w.number("<B")),
    b"r": lambda w: w.keep(w.number("<I")),
    b"h": lambda w: w.stack.append(w.memo[w.number("<B")]),
    b"j": lambda w: w.stack.append(w.memo[w.number("<I")]),
    b"Q": lambda w: w.storage(),
    b"R": lambda w: w.made(),
    b"b": lambda w: w.ignored(),
}
