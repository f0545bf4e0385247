"""The first rows as JSON that an endpoint would take, small enough for a page: pictures shrunk, recordings cut short."""

from __future__ import annotations

import base64
import io
from typing import Any

import pyarrow as pa
from PIL import Image as Pillow

from salus.core.nouns import Schema
from salus.data.kinds.image import load_picture

ROWS = 20
SIDE = 64  # pixels of a picture's longer side
STEPS = 256  # of a recording; all channels of a row are cut alike
CHARACTERS = 2000  # of a text
VALUES = 20_000  # of all rows together; a wide table shows fewer rows


def preview(table: pa.Table, schema: Schema) -> list[dict[str, Any]]:
    rows = max(1, min(ROWS, VALUES // max(1, table.num_columns)))
    kinds = {column.name: column.kind for column in schema.columns}
    return [
        {name: _shown(value, kinds[name]) for name, value in row.items()} for row in table.slice(0, rows).to_pylist()
    ]


def _shown(value: Any, kind: str) -> Any:
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
    """The picture itself when it is small already, else a PNG of it that is."""
    picture = load_picture(content, "the preview")
    if max(picture.size) <= SIDE:
        return content
    if picture.mode not in ("1", "L", "RGB", "RGBA", "P"):
        picture = picture.convert("RGB")
    picture.thumbnail((SIDE, SIDE), Pillow.Resampling.BILINEAR)
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()
