"""JSON as it crosses our walls: strict when read, canonical when hashed.

Reading refuses what parsers disagree about: repeated names, NaN and infinity, lone surrogates, deep nesting.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from salus.core.errors import SalusError

MAX_DEPTH = 64


def parse_json(body: bytes | str, where: str) -> Any:
    """The document, or `bad_json`."""
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SalusError("bad_json", where=where, found=f"bytes that are not UTF-8 at offset {error.start}") from None
    _check_depth(text, where)
    try:
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: _unique(pairs, where),
            parse_constant=lambda word: _refuse(where, word),
            parse_float=lambda digits: _finite(digits, where),
            parse_int=lambda digits: _bounded_integer(digits, where),
        )
    except json.JSONDecodeError as error:
        raise SalusError(
            "bad_json", where=where, found=f"{error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    if "\\u" in text and _has_surrogate(value):
        _refuse(where, "half of a surrogate pair")
    return value


def canonical(value: Any) -> bytes:
    """One spelling for one value: sorted names, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tree_digest(files: dict[str, str]) -> str:
    """The hash of a folder: of its file names and their digests."""
    return digest(canonical(files))


def _refuse(where: str, found: str) -> Any:
    raise SalusError("bad_json", where=where, found=found)


def _unique(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                _refuse(where, f"the name '{name}' twice in one object")
            seen.add(name)
    return value


def _finite(digits: str, where: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        _refuse(where, f"the number {digits[:40]}, which no float can hold")
    return number


def _bounded_integer(digits: str, where: str) -> int:
    if len(digits) > 40:
        _refuse(where, f"an integer of {len(digits)} digits")
    return int(digits)


def _check_depth(text: str, where: str) -> None:
    """Counts brackets outside strings before the recursive parser sees them."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth, in_string, escaped = 0, False, False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                _refuse(where, f"nesting deeper than {MAX_DEPTH}")
        elif character in "]}":
            depth -= 1


def _has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, list):
        return any(_has_surrogate(item) for item in value)
    if isinstance(value, dict):
        return any(_has_surrogate(name) or _has_surrogate(item) for name, item in value.items())
    return False
