"""What crosses the pipe between a server and an engine's process: a length, a JSON header, raw bytes. No pickle.

A frame is read as foreign: the other side may have been taken over by the graph that it runs.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from salus.core.errors import SalusError
from salus.core.wire import canonical, parse_json

MAX_HEADER_BYTES = 2**20
MAX_PAYLOAD_BYTES = 2**30
DTYPES = frozenset(
    {"float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool"}
)
_LENGTH = struct.Struct(">I")


def write_frame(stream: IO[bytes], header: dict[str, Any], parts: Sequence[bytes | memoryview] = ()) -> None:
    """One frame: `header` with the sizes of the parts, then the parts."""
    text = canonical({**header, "sizes": [len(part) for part in parts]})
    assert len(text) <= MAX_HEADER_BYTES, "a header of a frame is small"
    stream.write(_LENGTH.pack(len(text)) + text)
    for part in parts:
        stream.write(part)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The next frame. EOFError when the other side is gone, ValueError (also SalusError) when it talks nonsense."""
    length = _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes")
    header = parse_json(_exactly(stream, length), "a frame")
    sizes = header.pop("sizes", None) if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("a header without sizes")
    if sum(sizes) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload of {sum(sizes)} bytes")
    return header, [_exactly(stream, size) for size in sizes]


def described(array: np.ndarray) -> dict[str, Any]:
    """What `restored` needs beside the bytes."""
    if array.dtype.name not in DTYPES:
        raise SalusError("engine_failed", found=f"an array of {array.dtype.name}")
    return {"dtype": array.dtype.name, "shape": list(array.shape)}


def raw(array: np.ndarray) -> bytes:
    """The array's bytes in row order."""
    return np.ascontiguousarray(array).tobytes()


def restored(description: Any, content: bytes) -> np.ndarray:
    """The array, or ValueError when description and bytes do not fit."""
    if not isinstance(description, dict) or description.get("dtype") not in DTYPES:
        raise ValueError("an array of another type")
    shape, dtype = description.get("shape"), np.dtype(description["dtype"])
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("an array without a shape")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"{len(content)} bytes for the shape {shape}")
    return np.frombuffer(content, dtype=dtype).reshape(shape)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) != count:
        raise EOFError
    return content
