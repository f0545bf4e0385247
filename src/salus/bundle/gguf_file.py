"""A GGUF file: its header read and held against the file's size before anything else touches it.

Every length that the header names is compared with the bytes that are left, every tensor must lie inside the file and on no
other. Knows the format (versions 2 and 3, little-endian). Does not know what an architecture is, nor reads weights.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from salus.core.errors import SalusError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_HEADER_BYTES = 64 * 2**20
MAX_VALUES = 2**22  # of all lists together: the largest vocabularies with their merges have half of it
MAX_TENSORS = 65_536
MAX_FIELDS = 65_536
MAX_NAME_BYTES = 256
MAX_DIMENSIONS = 4
TEXT, LIST = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# Sort of numbers -> (how many lie in one block, bytes of a block).
BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 36),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
}


@dataclass(frozen=True)
class GgufTensor:
    """shape: innermost dimension first, as the file has it. offset: bytes behind `Gguf.data_start`."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int
    size: int


@dataclass(frozen=True)
class Gguf:
    metadata: dict[str, Any]
    tensors: tuple[GgufTensor, ...]
    data_start: int

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold."""
        return sum(_product(tensor.shape) for tensor in self.tensors)


def read_gguf(path: Path, where: str) -> Gguf:
    """The header of the file, or `gguf_invalid` that says what does not fit."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        header = _Header(stream, where, min(size, MAX_HEADER_BYTES), size)
        if header.take(4) != MAGIC:
            raise header.wrong("the letters GGUF at the start", "other bytes")
        version = header.number("I")
        if version not in VERSIONS:
            raise header.wrong("version 2 or 3, little-endian", f"version {version}")
        tensors, fields = header.number("Q"), header.number("Q")
        if tensors > MAX_TENSORS or fields > MAX_FIELDS:
            raise header.wrong(f"at most {MAX_TENSORS} tensors and {MAX_FIELDS} fields", f"{tensors} and {fields}")
        metadata = _metadata(header, fields)
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= 2**20 or alignment % 8:
            raise header.wrong("an alignment of a multiple of 8", str(alignment)[:40])
        found = [_tensor(header, alignment) for _ in range(tensors)]
        start = -(-header.position // alignment) * alignment
    _check_places(found, header, size - start)
    return Gguf(metadata, tuple(found), start)


class _Header:
    """Takes from the front of a file and never more than is there."""

    def __init__(self, stream: BinaryIO, where: str, limit: int, size: int):
        self.position = 0
        self.size = size
        self._stream = stream
        self._where = where
        self._limit = limit
        self._values = 0

    def take(self, count: int) -> bytes:
        if count > self._limit - self.position:
            raise self.wrong(f"{count} more bytes at {self.position}", f"a file of {self.size} bytes")
        content = self._stream.read(count)
        if len(content) < count:
            raise self.wrong(f"{count} more bytes at {self.position}", "the end of the file")
        self.position += count
        return content

    def number(self, form: str) -> Any:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def text(self) -> str:
        length = self.number("Q")
        return self.take(length).decode("utf-8", "replace")

    def fits(self, count: int, each: int) -> None:
        self._values += count
        if self._values > MAX_VALUES or count * each > self._limit - self.position:
            raise self.wrong(f"room for {count} values at {self.position}", f"a file of {self.size} bytes")

    def wrong(self, expected: str, found: str) -> SalusError:
        return SalusError("gguf_invalid", where=self._where, expected=expected, found=found)


def _metadata(header: _Header, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(count):
        name = header.text()
        if name in found or not name:
            raise header.wrong("field names that differ", f"'{name[:80]}' twice")
        found[name] = _value(header, header.number("I"))
    return found


def _value(header: _Header, kind: int) -> Any:
    if kind == TEXT:
        return header.text()
    if kind != LIST:
        if kind not in NUMBERS:
            raise header.wrong("a sort of value of the format", f"{kind}")
        return header.number(NUMBERS[kind])
    inner, count = header.number("I"), header.number("Q")
    if inner == TEXT:
        header.fits(count, 8)
        return [header.text() for _ in range(count)]
    if inner not in NUMBERS:
        raise header.wrong("a list of texts or numbers", f"a list of {inner}")
    header.fits(count, struct.calcsize(NUMBERS[inner]))
    return list(struct.unpack(f"<{count}{NUMBERS[inner]}", header.take(count * struct.calcsize(NUMBERS[inner]))))


def _tensor(header: _Header, alignment: int) -> GgufTensor:
    name = header.text()
    dimensions = header.number("I")
    if not 0 < len(name.encode()) <= MAX_NAME_BYTES or not 0 < dimensions <= MAX_DIMENSIONS:
        raise header.wrong(f"a named tensor of 1 to {MAX_DIMENSIONS} dimensions", f"'{name[:40]}' of {dimensions}")
    shape = tuple(header.number("Q") for _ in range(dimensions))
    kind, offset = header.number("I"), header.number("Q")
    if kind not in BLOCKS:
        raise header.wrong(f"a known sort of numbers in {name[:80]}", f"{kind}")
    together, block_bytes = BLOCKS[kind]
    count = _product(shape)
    if not 0 < count < 2**48 or shape[0] % together:
        raise header.wrong(f"whole blocks of {together} numbers in {name[:80]}", f"the shape {shape}")
    if offset % alignment:
        raise header.wrong(f"offsets in steps of {alignment}", f"{offset} of {name[:80]}")
    return GgufTensor(name, shape, kind, offset, count // together * block_bytes)


def _check_places(tensors: list[GgufTensor], header: _Header, room: int) -> None:
    """Every tensor inside the file, none twice, none on another."""
    if len({tensor.name for tensor in tensors}) < len(tensors) or not tensors:
        raise header.wrong("tensors whose names differ", f"{len(tensors)} tensors")
    end, before = 0, ""
    for tensor in sorted(tensors, key=lambda tensor: tensor.offset):
        if tensor.offset < end:
            raise header.wrong(f"{tensor.name} behind {before}", f"the offset {tensor.offset} before its end {end}")
        end, before = tensor.offset + tensor.size, tensor.name
        if end > room:
            raise header.wrong(f"{tensor.size} bytes of {tensor.name} inside the file", f"{max(0, room)} bytes in all")


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def looks_like_gguf(path: Path) -> bool:
    """Whether the file begins as one."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4) == MAGIC
    finally:
        os.close(descriptor)
