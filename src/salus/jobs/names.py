"""File names that come with an upload: relative and plain, or refused. Knows text only, touches no file."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from salus.core.errors import SalusError

MAX_NAME_CHARACTERS = 1024
MAX_PART_BYTES = 200
CONTROL = ("Cc", "Cs", "Zl", "Zp")  # control characters, lone surrogates, line and paragraph separators


def safe_name(name: str) -> PurePosixPath:
    """The name as a relative path without `..`, or `bad_file_name`."""
    parts = name.split("/") if isinstance(name, str) else []
    if not parts or len(name) > MAX_NAME_CHARACTERS or not all(_is_plain(part) for part in parts):
        raise SalusError("bad_file_name", where="upload", found=str(name)[:120])
    return PurePosixPath(*parts)


def _is_plain(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and "\\" not in part
        and not any(unicodedata.category(character) in CONTROL for character in part)
        and len(part.encode("utf-8", "surrogatepass")) <= MAX_PART_BYTES
    )
