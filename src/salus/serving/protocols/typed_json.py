"""Rows as JSON, or one picture or sound as it is. Knows bodies and content types; does not know who asks nor what answers."""

from __future__ import annotations

import json
from typing import Any

from salus.core.errors import SalusError
from salus.core.wire import parse_json
from salus.serving.batcher import Model, Predictions

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def is_media(content_type: bytes) -> bool:
    """Whether the body is a picture or a sound; `bad_content_type` when it is neither that nor JSON."""
    kind = content_type.partition(b";")[0].strip().lower()
    if kind.startswith((b"image/", b"audio/")):
        return True
    if kind == b"application/json":
        return False
    raise SalusError(
        "bad_content_type",
        expected="application/json, image/... or audio/...",
        found=content_type.decode("latin-1") or "none",
    )


def read(model: Model, body: bytes, media: bool, most_rows: int) -> tuple[dict[str, Any], int]:
    """The values of a request and how many rows they are."""
    if media:
        return model.read_media(body), 1
    rows = read_rows(body, most_rows)
    return model.read_rows(rows), len(rows)


def read_rows(body: bytes, most_rows: int) -> list[dict[str, Any]]:
    """The rows of {"rows": [...]} or {"row": {...}}."""
    content = parse_json(body, "body")
    if not isinstance(content, dict):
        raise _not("an object", content)
    if set(content) == {"row"}:
        rows = [content["row"]]
    elif set(content) == {"rows"}:
        rows = content["rows"]
    else:
        names = ", ".join(sorted(content))[:100]
        raise SalusError(
            "bad_predict_body", expected="the field 'rows' or the field 'row' alone", found=names or "none"
        )
    if not isinstance(rows, list):
        raise _not("a list of rows", rows)
    if not rows:
        raise SalusError("empty_batch")
    if len(rows) > most_rows:
        raise SalusError("batch_too_large", expected=most_rows, found=len(rows))
    for row in rows:
        if not isinstance(row, dict):
            raise _not("rows that are objects", row)
    return rows


def write(head: bytes, predictions: Predictions, request_id: str) -> bytes:
    """The body of an answer. head: its first fields, up to the predictions."""
    return head + _ENCODER.encode(predictions).encode() + b', "request_id": "' + request_id.encode("ascii") + b'"}'


def _not(expected: str, found: Any) -> SalusError:
    return SalusError("bad_predict_body", expected=expected, found=type(found).__name__)
