"""What is found in a column of pictures: undecodable, repeated, blank and odd ones. Decodes every picture once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Finding, Severity
from salus.data.findings_made import finding
from salus.data.kinds.image import load_picture, shape_of
from salus.data.row_keys import RepeatFinder

PICTURES_A_TICK = 200


class PictureCheck:
    """One column of encoded pictures."""

    def __init__(self, name: str, tick: Callable[[], None]) -> None:
        self.name = name
        self.tick = tick
        self.broken: list[int] = []
        self.repeats = RepeatFinder()
        self.sizes: Counter[tuple[int, int]] = Counter()

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        keys, rows = [], []
        for row, scalar in enumerate(column, start=first_row):
            if row % PICTURES_A_TICK == 0:
                self.tick()
            content = scalar.as_py()
            if content is None:
                continue
            try:
                self.sizes[shape_of(load_picture(content, self.name))[:2]] += 1
            except SalusError:
                self.broken.append(row)
                continue
            keys.append(int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little"))
            rows.append(row)
        self.repeats.add(np.array(keys, dtype=np.uint64), np.array(rows, dtype=np.int64))

    def findings(self) -> list[Finding]:
        found = []
        if self.broken:
            where = {"where": self.name, "expected": self.broken[0], "found": len(self.broken)}
            found.append(
                finding("undecodable_pictures", Severity.WARNING, columns=(self.name,), rows=self.broken, **where)
            )
        repeats = self.repeats.repeats()
        if repeats.count:
            found.append(
                finding(
                    "duplicate_pictures",
                    Severity.WARNING,
                    columns=(self.name,),
                    rows=repeats.rows,
                    where=self.name,
                    found=repeats.count,
                )
            )
        if len(self.sizes) > 1:
            found.append(
                finding("odd_sizes", Severity.INFO, columns=(self.name,), where=self.name, found=len(self.sizes))
            )
        return found
