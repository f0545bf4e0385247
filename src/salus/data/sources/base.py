"""The contract of a source: one layout of files that can be read into columns.

A source may assume that the path exists (or is a bundled name). It must keep: `claims` looks only at names; `read`
raises a SalusError that names file and line for what it cannot read, and reads no file outside the path.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from salus.core.specs import DataSpec


@dataclass(frozen=True)
class Read:
    """What a source gave. `table` has columns of number, text, bool, binary or list type; `facts` say how it was read; `kinds`
    are those that the layout itself tells."""

    table: pa.Table
    facts: dict[str, Any] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


class Source(ABC):
    name: ClassVar[str]

    @abstractmethod
    def claims(self, path: Path) -> bool:
        """Whether this layout is the one at `path`."""

    @abstractmethod
    def read(self, path: Path, spec: DataSpec) -> Read:
        """The columns."""
