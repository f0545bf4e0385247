"""What one row of the message catalogue holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One row. The texts are `str.format` templates over the parameters of the error.

    status: the HTTP status that goes with the code.
    en, zh: where, what was expected, what was found.
    next_en, next_zh: what to do next.
    """

    status: int
    en: str
    zh: str
    next_en: str
    next_zh: str
