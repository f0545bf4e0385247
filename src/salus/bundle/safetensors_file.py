"""A safetensors file: its header read strictly before anything else touches it.

The tensors must fill the file from end to end: no byte outside, none twice, none between. Knows the format. Reads no weights.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salus.core.errors import SalusError
from salus.core.wire import parse_json

MAX_HEADER_BYTES = 8 * 2**20
MAX_TENSORS = 20_000
BYTES_OF = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
}


@dataclass(frozen=True)
class SafeTensor:
    """start: the tensor's first byte in the file."""

    shape: tuple[int, ...]
    kind: str
    start: int
    size: int


def read_safetensors(path: Path, where: str) -> dict[str, SafeTensor]:
    """Every tensor by its name, or `safetensors_invalid` that says what does not fit."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        first = stream.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            shown = f"one of {length} bytes in a file of {size}"
            raise _wrong(where, f"a header of at most {MAX_HEADER_BYTES} bytes inside the file", shown)
        content = stream.read(length)
    try:
        header = parse_json(content, where)
    except SalusError as error:
        raise _wrong(where, "a header of strict JSON", str(error.parameters.get("found"))) from None
    if not isinstance(header, dict):
        raise _wrong(where, "a header that is an object", type(header).__name__)
    extra = header.pop("__metadata__", {})
    if not isinstance(extra, dict) or not all(isinstance(value, str) for value in extra.values()):
        raise _wrong(where, "__metadata__ of texts", "something else")
    if not 0 < len(header) <= MAX_TENSORS:
        raise _wrong(where, f"1 to {MAX_TENSORS} tensors", str(len(header)))
    found = {name: _tensor(name, entry, 8 + length, where) for name, entry in header.items()}
    _check_places(found, 8 + length, size, where)
    return found


def _tensor(name: str, entry: Any, data_start: int, where: str) -> SafeTensor:
    shown = name[:80]
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _wrong(where, f"dtype, shape and data_offsets of {shown}", str(entry)[:80])
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in BYTES_OF:
        raise _wrong(where, f"a known dtype of {shown}", str(kind)[:40])
    if not _whole(shape) or len(shape) > 8 or not _whole(offsets) or len(offsets) != 2:
        raise _wrong(where, f"whole numbers in the shape and offsets of {shown}", f"{shape} and {offsets}"[:120])
    count = BYTES_OF[kind]
    for size in shape:
        count *= size
    if count >= 2**60 or offsets[1] - offsets[0] != count:
        raise _wrong(where, f"{count} bytes of {shown}", f"the offsets {offsets[0]} to {offsets[1]}")
    return SafeTensor(tuple(shape), kind, data_start + offsets[0], count)


def _whole(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _check_places(tensors: dict[str, SafeTensor], start: int, size: int, where: str) -> None:
    end, before = start, "the header"
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].size)):
        if tensor.start != end:
            trouble = "on" if tensor.start < end else "not right behind"
            raise _wrong(where, "tensors one behind the other", f"{name[:80]} {trouble} {before[:80]}")
        end, before = tensor.start + tensor.size, name
    if end != size:
        raise _wrong(where, f"a file of {end} bytes", f"one of {size}")


def _wrong(where: str, expected: str, found: str) -> SalusError:
    return SalusError("safetensors_invalid", where=where, expected=expected, found=found)
