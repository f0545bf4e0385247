"""Relative file names that come from outside. They are never joined to a path here; they are checked for whoever does."""

from __future__ import annotations

from salus.core.errors import SalusError

MAX_LENGTH = 1024
MAX_PART_BYTES = 240


def check_file_name(name: object, where: str) -> str:
    """The name itself, or `bad_file_name`."""
    parts = name.split("/") if isinstance(name, str) else []
    sound = (
        isinstance(name, str)
        and len(name) <= MAX_LENGTH
        and name.isprintable()
        and "\\" not in name
        and "\ufffd" not in name  # what stands for bytes that are no UTF-8: another name might become the same
        and ":" not in parts[0][:2]
        and all(
            part not in ("", ".", "..") and len(part.encode("utf-8", "replace")) <= MAX_PART_BYTES for part in parts
        )
    )
    if not sound:
        raise SalusError("bad_file_name", where=where, found=str(name)[:200])
    assert isinstance(name, str)
    return name
