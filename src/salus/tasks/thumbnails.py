"""Pictures as a report shows them: upright, small, as JPEG. So rooms that know no kinds can show what a task is about."""

from __future__ import annotations

import base64
import io
from typing import Any

from salus.core.errors import SalusError
from salus.data.kinds.image import upright

QUALITY = 80


def small_picture(content: bytes | None, side_px: int) -> dict[str, Any] | None:
    """{"picture": base64, "width", "height", "factor": by which it was shrunk}, its longer side at most so many pixels; None for what
    is missing or damaged."""
    if content is None:
        return None
    try:
        picture = upright(content, "a picture")
    except SalusError:
        return None
    factor = min(1.0, side_px / max(picture.size))
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    stream = io.BytesIO()
    picture.resize(size).save(stream, format="JPEG", quality=QUALITY)
    kept = base64.b64encode(stream.getvalue()).decode()
    return {"picture": kept, "width": size[0], "height": size[1], "factor": factor}
