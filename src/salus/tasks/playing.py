"""The beginning of a sound, small enough to be played from a page."""

from __future__ import annotations

import base64

from salus.core.errors import SalusError
from salus.data.kinds.audio import samples_of, wav_of

PLAYED_S = 5.0
PLAYED_HZ = 8000


def played(content: bytes | None) -> str:
    """The beginning as base64 of a small WAV; nothing where there is none."""
    if content is None:
        return ""
    try:
        samples, rate_hz = samples_of(content, "a sound", PLAYED_S)
    except SalusError:
        return ""
    step = max(1, rate_hz // PLAYED_HZ)
    return base64.b64encode(wav_of(samples[: int(PLAYED_S * rate_hz) : step], rate_hz // step)).decode()
