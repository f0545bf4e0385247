"""The text of every message, in English and Chinese, one row a code.

One file a room, so that the rows of a room stand together; `all_messages` joins them and refuses a code twice.
A row says what is wrong (where, what was expected, what was found) and what to do next.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from salus.core.language.message import Message

__all__ = ["Message", "all_messages"]


@cache
def all_messages() -> dict[str, Message]:
    """Every row of the catalogue by its code."""
    rows: dict[str, Message] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        if module.name == "message":
            continue
        for code, row in importlib.import_module(f"{__name__}.{module.name}").MESSAGES.items():
            assert code not in rows, f"message code {code} is defined twice"
            rows[code] = row
    return rows
