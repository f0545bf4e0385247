"""The kinds there are. Adding one is one file and one name in `KINDS`."""

from __future__ import annotations

import importlib
from functools import cache

from salus.core.errors import SalusError
from salus.data.kinds.base import Kind

KINDS: dict[str, str] = {
    "number": "salus.data.kinds.number:Number",
    "category": "salus.data.kinds.category:Category",
    "time": "salus.data.kinds.time:Time",
    "text": "salus.data.kinds.text:Text",
    "image": "salus.data.kinds.image:Image",
    "audio": "salus.data.kinds.audio:Audio",
    "series": "salus.data.kinds.series:Series",
    "history": "salus.data.kinds.history:History",
    "ahead": "salus.data.kinds.ahead:Ahead",
    "future": "salus.data.kinds.future:Future",
    "stamp": "salus.data.kinds.stamp:Stamp",
    "boxes": "salus.data.kinds.boxes:Boxes",
}


@cache
def kind_named(name: str) -> Kind:
    """The kind itself; loaded when first asked for."""
    if name not in KINDS:
        raise SalusError("bad_spec", where="kind", expected=f"one of {', '.join(KINDS)}", found=name[:60])
    module, _, attribute = KINDS[name].partition(":")
    kind = getattr(importlib.import_module(module), attribute)()
    assert isinstance(kind, Kind)
    return kind
