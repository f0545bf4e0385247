"""Ids and names. Ids are made here and nowhere else; names come from people and are checked here."""

from __future__ import annotations

import re
import secrets

from salus.core.errors import SalusError

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Crockford's base 32: no letters that look like digits.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # ten bits each: every request has an id


def new_id(prefix: str) -> str:
    """A fresh id such as `run_7m2k...`: 80 random bits behind a word that says what it names."""
    bits = secrets.randbits(80)
    return f"{prefix}_" + "".join([_PAIRS[bits >> shift & 1023] for shift in range(0, 80, 10)])


def check_name(name: str, where: str) -> str:
    """The name itself, or `bad_name`."""
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        raise SalusError("bad_name", where=where, found=str(name)[:80])
    return name


def name_from(text: str, fallback: str = "data") -> str:
    """A valid name made of foreign text, such as a file's stem."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:63].strip("-._")
    return name if NAME_PATTERN.fullmatch(name or "") else fallback
