"""The first rows as JSON that an endpoint would take, small enough for a page: pictures shrunk, recordings cut short."""

from __future__ import annotations

import base64
import io
from typing import Any

import pyarrow as pa
from PIL import Image as Pillow

from salus.core.nouns import Schema
from salus.data.kinds.audio import beginning_of, looks_like_sound
from salus.data.kinds.image import load_picture

ROWS = 20
SIDE = 64  # pixels of a picture's longer side
STEPS = 256  # of a recording; all channels of a row are cut alike
CHARACTERS = 2000  # of a text
VALUES = 20_000  # of all rows together; a wide table shows fewer rows


class Preview:
    """Takes groups of rows in their order and keeps the first rows of all."""

    def __init__(self, schema: Schema) -> None:
        self.most = max(1, min(ROWS, VALUES // max(1, len(schema.columns))))
        self.rows: list[dict[str, Any]] = []

    def part(self, table: pa.Table) -> None:
        for row in table.slice(0, self.most - len(self.rows)).to_pylist():
            self.rows.append({name: _shown(value) for name, value in row.items()})


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(_small(value)).decode()}
    if isinstance(value, str):
        return value[:CHARACTERS]
    if isinstance(value, list):
        return [None if item is None else _finite(float(f"{item:.7g}")) for item in value[:STEPS]]  # float32
    return _finite(value)


def _finite(value: float | None) -> float | int | None:
    """Whole numbers without a point; what JSON cannot say is missing."""
    if value is None or value != value or abs(value) == float("inf"):
        return None
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def _small(content: bytes) -> bytes:
    """The picture or sound itself when it is small already, else a PNG or the beginning of it."""
    if looks_like_sound(content):
        return beginning_of(content)
    picture = load_picture(content, "the preview")
    if max(picture.size) <= SIDE:
        return content
    if picture.mode not in ("1", "L", "RGB", "RGBA", "P"):
        picture = picture.convert("RGB")
    picture.thumbnail((SIDE, SIDE), Pillow.Resampling.BILINEAR)
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()
