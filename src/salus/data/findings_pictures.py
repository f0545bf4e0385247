"""What is found in a column of pictures by itself: undecodable, repeated, nearly repeated, blank, tiny and odd ones.

Decodes every picture once and keeps a key, a size and a thumbnail of it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.nouns import Finding, Severity
from salus.data.findings_made import SHOWN_ROWS, FirstRows, finding
from salus.data.kinds.image import DAMAGE, load_picture, shape_of
from salus.data.near_pictures import FEATURES, MAX_PICTURES, near_pairs, thumbnail
from salus.data.row_keys import RepeatFinder

PICTURES_A_TICK = 200
TINY = 8  # pixels of the shorter side
ODD_SHAPE = 3.0  # times wider or taller than most
BLANK = 2  # grey levels between the darkest and the brightest place of the thumbnail


class PictureCheck:
    """One column of encoded pictures."""

    def __init__(self, name: str, tick: Callable[[], None]) -> None:
        self.name = name
        self.tick = tick
        self.broken: list[int] = []
        self.missing, self.blank, self.tiny = FirstRows(), FirstRows(), FirstRows()
        self.repeats = RepeatFinder()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.first_of: dict[tuple[int, int], list[int]] = {}
        self.channels: Counter[int] = Counter()
        self.thumbnails: list[np.ndarray] = []
        self.kept: list[int] = []  # rows of the thumbnails

    def part(self, column: pa.ChunkedArray, first_row: int) -> None:
        keys, rows = [], []
        for row, scalar in enumerate(column, start=first_row):
            if row % PICTURES_A_TICK == 0:
                self.tick()
            content = scalar.as_py()
            if content is None:
                self.missing.add(np.array([row]))
                continue
            try:
                self._look(content, row)
            except SalusError:
                self.broken.append(row)
                continue
            keys.append(int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little"))
            rows.append(row)
        self.repeats.add(np.array(keys, dtype=np.uint64), np.array(rows, dtype=np.int64))

    def _look(self, content: bytes, row: int) -> None:
        picture = load_picture(content, self.name)
        try:
            small = thumbnail(picture)
        except DAMAGE:
            raise SalusError("picture_truncated", where=self.name, found=f"{len(content)} bytes") from None
        height, width, channels = shape_of(picture)
        self.sizes[height, width] += 1
        self.channels[channels] += 1
        rows = self.first_of.setdefault((height, width), [])
        if len(rows) < SHOWN_ROWS:
            rows.append(row)
        if min(height, width) < TINY:
            self.tiny.add(np.array([row]))
        if int(small.max()) - int(small.min()) <= BLANK:
            self.blank.add(np.array([row]))
        if len(self.kept) < MAX_PICTURES:
            self.thumbnails.append(small)
            self.kept.append(row)

    def findings(self) -> list[Finding]:
        found = []
        for code, rows in (("blank_pictures", self.blank), ("tiny_pictures", self.tiny)):
            if rows.count:
                found.append(self._found(code, Severity.WARNING, rows.first, found=rows.count))
        if self.missing.count:
            found.append(self._found("missing_values", Severity.INFO, self.missing.first, found=self.missing.count))
        if self.broken:
            said = {"expected": self.broken[0], "found": len(self.broken)}
            found.append(self._found("undecodable_pictures", Severity.WARNING, self.broken, **said))
        repeats = self.repeats.repeats()
        if repeats.count:
            found.append(self._found("duplicate_pictures", Severity.WARNING, repeats.rows, found=repeats.count))
        return [*found, *self._near(repeats.rows), *self._shapes()]

    def _near(self, repeated: np.ndarray) -> list[Finding]:
        """Pictures that show what an earlier one shows, in other bytes."""
        rows = np.array(self.kept, dtype=np.int64)
        first = np.flatnonzero(~np.isin(rows, repeated))
        if len(first) < 2:
            return []
        pairs = near_pairs(np.stack([self.thumbnails[place] for place in first]))
        later = np.unique(rows[first[pairs[:, 1]]])
        if not len(later):
            return []
        earlier = rows[first[pairs[np.argmin(pairs[:, 1]), 0]]]
        looked = len(self.kept)
        said = {"found": len(later), "expected": looked, "example": f"{later[0]}, {earlier}"}
        return [self._found("near_duplicate_pictures", Severity.WARNING, later, **said)]

    def _shapes(self) -> list[Finding]:
        found = []
        if len(self.sizes) > 1:
            found.append(self._found("odd_sizes", Severity.INFO, found=len(self.sizes)))
        shapes = np.array([width / height for height, width in self.sizes], dtype=np.float64)
        if len(shapes):
            counts = np.array(list(self.sizes.values()))
            middle = np.repeat(shapes, np.minimum(counts, 10_000))
            factor = np.maximum(shapes / np.median(middle), np.median(middle) / shapes)
            odd = [size for size, by in zip(self.sizes, factor, strict=True) if by >= ODD_SHAPE]
            count = sum(self.sizes[size] for size in odd)
            if count and count < 0.05 * sum(self.sizes.values()):
                rows = sorted(row for size in odd for row in self.first_of[size])
                said = {"found": count, "expected": f"{odd[0][1]} x {odd[0][0]}"}
                found.append(self._found("odd_shapes", Severity.WARNING, rows, **said))
        if len(self.channels) > 1:
            found.append(
                self._found("grey_and_colour", Severity.INFO, found=self.channels[1], expected=self.channels[3])
            )
        return found

    def _found(self, code: str, severity: Severity, rows: Iterable[int] = (), **said: object) -> Finding:
        return finding(code, severity, (self.name,), rows, where=self.name, **said)


def thumbnails_of(pictures: Iterable[bytes | None]) -> np.ndarray:
    """uint8 (N, 256); zeros, which are near to nothing, for what is missing or cannot be read."""
    small = []
    for content in pictures:
        try:
            small.append(
                np.zeros(FEATURES, np.uint8) if content is None else thumbnail(load_picture(content, "a picture"))
            )
        except SalusError:
            small.append(np.zeros(FEATURES, np.uint8))
    return np.stack(small) if small else np.zeros((0, FEATURES), np.uint8)
