"""The contract of a source: one layout of files that can be read into columns.

A source may assume that the path exists (or is a bundled name). It must keep: `claims` looks only at names; `read`
raises a SalusError that names file and line for what it cannot read, and reads no file outside the path.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from salus.core.specs import DataSpec


@dataclass(frozen=True)
class Read:
    """What a source gave. `parts` gives the rows in their order, again at every call, as tables of the same columns (number,
    text, bool, binary, list or temporal types) that each fit into memory many times over; `facts` say how it was read;
    `kinds` and `roles` are those that the layout itself tells."""

    parts: Callable[[], Iterator[pa.Table]]
    facts: dict[str, Any] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table, facts: dict[str, Any] | None = None, kinds: dict[str, str] | None = None) -> Read:
        """Of rows that are in memory anyway."""
        return cls(lambda: iter([table]), facts or {}, kinds or {})

    @property
    def table(self) -> pa.Table:
        """All rows at once."""
        return pa.concat_tables(self.parts(), promote_options="permissive")


class Source(ABC):
    name: ClassVar[str]

    @abstractmethod
    def claims(self, path: Path) -> bool:
        """Whether this layout is the one at `path`; looks at names, and at most at the head of one file."""

    @abstractmethod
    def read(self, path: Path, spec: DataSpec) -> Read:
        """The columns."""
