"""The column that says whose row it is, found by its name or by what its rows have in common.

Knows names and values; gives nobody a role. Rows of one person are alike: what never changes in a person (sex, height) is equal
in all of them, what does change varies less within than between people (one-way analysis of variance, Fisher 1925; the
share is Kelley's epsilon squared 1935, which chance brings to 0). A measured quantity and an ordinary category also go along
with other columns, but smoothly in their order, or in a few columns, or with few levels. A column whose values are all different is never
a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from salus.core.nouns import Column, Role, Schema
from salus.data.names import about_an_attribute, about_moments, about_people
from salus.data.version import DataVersion

MAX_ROWS = 200_000  # the first ones are looked at
ROWS_OF_A_CANDIDATE = 20_000  # whole groups of them
LEAST_ROWS = 2000  # of a candidate among many
WORK = 30_000_000  # rows of candidates held against columns: some seconds
MAX_COLUMNS = 400  # as candidates
MAX_COMPARED = 30  # columns that a candidate is held against
FEWEST = 3  # people
FEWEST_BY_VALUES = 5  # without a name that says so
MOST_CLASSES = 100
STATIC = 0.97  # of the rows of a person say the same
SMOOTH = 0.7  # so much of a column in the order of the values is no property of a person
ALIKE = 0.10  # share of a column's variance that lies between people, beyond chance and smoothness


@dataclass(frozen=True)
class GroupGuess:
    """column: whose values are people or sessions. distinct: how many. why: name, constant, alike or blocks.
    confidence: 0 to 1; from 0.8 on it may be used without asking."""

    column: str
    distinct: int
    why: str
    confidence: float


@dataclass(frozen=True)
class Values:
    """A column as codes (B,) in the order of its values, -1 missing. numbers: whether that order means more or less;
    whole: whether all are whole; dense: whether they count from 0 or 1 without gaps; figures: share with a digit."""

    name: str
    codes: np.ndarray
    levels: np.ndarray
    numbers: bool
    whole: bool
    dense: bool
    figures: float

    @property
    def distinct(self) -> int:
        return len(self.levels)

    @property
    def measured(self) -> bool:
        """More than classes would be."""
        return self.numbers and (not self.whole or self.distinct > MOST_CLASSES)


def find_group(version: DataVersion, schema: Schema) -> GroupGuess | None:
    """The likeliest person column, or None. A second name of the target is none."""
    looked = [c for c in schema.columns if c.kind not in ("image", "series", "audio", "time", "text")][:MAX_COLUMNS]
    looked = [c for c in looked if c.role not in (Role.SPLIT, Role.WEIGHT)]
    if not looked:
        return None
    table = _first_rows(version, [column.name for column in looked])
    targets = [_values_of(table.column(c.name), c) for c in looked if c.role is Role.TARGET]
    others = [c for c in looked if c.role is not Role.TARGET]
    named = [_values_of(table.column(c.name), c) for c in others if about_people(c.name)]
    named = [values for values in named if _may_group(values, FEWEST) and not _renames(values, targets)]
    if named:
        least = min(named, key=lambda values: values.distinct)
        guess: GroupGuess | None = GroupGuess(least.name, least.distinct, "name", 0.9)
    else:
        columns = [_values_of(table.column(column.name), column) for column in others]
        guess = _by_values([values for values in columns if not _renames(values, targets)])
    if guess is None or table.num_rows == version.rows:
        return guess
    distinct = pc.count_distinct(version.table([guess.column]).column(0)).as_py()
    return GroupGuess(guess.column, int(distinct), guess.why, guess.confidence)


def _first_rows(version: DataVersion, names: list[str]) -> pa.Table:
    def batches() -> Iterator[pa.RecordBatch]:
        left = MAX_ROWS
        for name in sorted(version.files):
            if name.startswith("shards/") and left > 0:
                for batch in pq.ParquetFile(version.files[name]).iter_batches(columns=names):
                    yield batch.slice(0, left)
                    left -= len(batch)
                    if left <= 0:
                        break

    return pa.Table.from_batches(batches()).select(names)


def _values_of(array: pa.ChunkedArray, column: Column) -> Values:
    if column.kind == "number":
        numbers = array.to_numpy().astype(np.float64)
        good = np.isfinite(numbers)
        levels, codes = np.unique(numbers[good], return_inverse=True)
        whole = bool(np.all(levels == np.round(levels)))
        dense = whole and len(levels) > 0 and levels[0] in (0, 1) and levels[-1] - levels[0] + 1 == len(levels)
        figures = 1.0
    else:
        texts = np.array([value or "" for value in array.to_pylist()], dtype=object)
        good = ~array.is_null().to_numpy()
        levels, codes = np.unique(texts[good].astype(str), return_inverse=True)
        whole, dense = True, False
        figures = float(np.mean([any(sign.isdigit() for sign in level) for level in levels])) if len(levels) else 0.0
    every = np.full(len(array), -1, dtype=np.int64)
    every[good] = codes
    return Values(column.name, every, levels, column.kind == "number", whole, dense, figures)


def _may_group(values: Values, fewest: int) -> bool:
    """Whole numbers or labels, that repeat, and of which none has most of the rows."""
    counts = np.bincount(values.codes[values.codes >= 0], minlength=1)
    present = int(counts.sum())
    return (
        values.whole
        and fewest <= values.distinct < present
        and present >= 0.5 * len(values.codes)
        and counts.max() <= 0.8 * present
    )


def _renames(values: Values, targets: list[Values]) -> bool:
    """Whether the values are classes of the target, or parts of them, in other words."""
    for target in targets:
        good = (values.codes >= 0) & (target.codes >= 0)
        pairs = np.unique(values.codes[good] * max(1, target.distinct) + target.codes[good])
        if len(pairs) == values.distinct <= 3 * target.distinct and not target.measured:
            return True
    return False


def _by_values(columns: list[Values]) -> GroupGuess | None:
    """The best of the columns whose rows are alike. Of equals the coarser: a person, not a session of the person."""
    candidates = [values for values in columns if _is_candidate(values)]
    rows = int(np.clip(WORK // max(1, len(candidates) * MAX_COMPARED), LEAST_ROWS, ROWS_OF_A_CANDIDATE))
    found = []
    for values in candidates:
        guess = _judged(values, [other for other in columns if other is not values], rows)
        if guess is not None:
            found.append(guess)
    return max(found, key=lambda guess: (guess.confidence, -guess.distinct), default=None)


def _is_candidate(values: Values) -> bool:
    if not _may_group(values, FEWEST_BY_VALUES) or about_moments(values.name) or about_an_attribute(values.name):
        return False
    counts = np.bincount(values.codes[values.codes >= 0])
    return bool(counts.sum() >= 1.2 * values.distinct) and not _looks_dated(values)


def _looks_dated(values: Values) -> bool:
    """Texts that are days or times."""
    if values.numbers:
        low, high = values.levels[0], values.levels[-1]
        return bool(low >= 19_000_101 and high <= 21_001_231) or bool(low >= 1900 and high <= 2100)
    some = [str(level) for level in values.levels[:50]]
    dated = sum(
        sum(sign.isdigit() for sign in text) >= 3
        and any(sign in text for sign in "-/.:")
        and not any(sign.isalpha() for sign in text.replace("T", "").replace("Z", ""))
        for text in some
    )
    return dated > 0.9 * len(some)


def _judged(values: Values, others: list[Values], most_rows: int) -> GroupGuess | None:
    rows = _rows_of_whole_groups(values.codes, most_rows)
    codes = np.unique(values.codes[rows], return_inverse=True)[1]
    compared = [other for other in others if _tells(other, rows)][:MAX_COMPARED]
    if not compared:
        return None
    alike = [_alikeness(codes, other.codes[rows], other.numbers) for other in compared]
    static = sum(
        smooth < SMOOTH and _is_static(codes, other, rows, share)
        for other, (share, smooth) in zip(compared, alike, strict=True)
    )
    own = np.array([share * (1 - smooth) for share, smooth in alike])
    kept = float(np.mean(own >= ALIKE))
    blocks = _blocks(values.codes)
    coded = values.figures >= 0.9
    few = values.distinct < 8
    if static >= (2 if coded and not few else 3):
        return GroupGuess(values.name, values.distinct, "constant", min(0.98, 0.84 + 0.03 * static))
    if static >= 1 and coded and kept >= 0.4 and not few:
        return GroupGuess(values.name, values.distinct, "constant", 0.82)
    repeated = len(rows) >= 3 * (codes.max() + 1)
    if coded and not few and repeated and len(own) >= 3 and kept >= 0.5 and not _bell(values):
        return GroupGuess(values.name, values.distinct, "alike", 0.85 if blocks > 0.9 else 0.8)
    if coded and not few and repeated and blocks > 0.95:
        return GroupGuess(values.name, values.distinct, "blocks", 0.6)
    return None


def _rows_of_whole_groups(codes: np.ndarray, most: int) -> np.ndarray:
    """About `most` rows of groups that repeat, whole groups of them, in their order."""
    counts = np.bincount(codes[codes >= 0])
    drawn = np.random.default_rng(0).permutation(len(counts))
    drawn = drawn[counts[drawn] >= 2]
    taken = drawn[: max(1, int(np.searchsorted(np.cumsum(counts[drawn]), most)) + 1)]
    return np.flatnonzero(np.isin(codes, taken) & (codes >= 0))


def _tells(other: Values, rows: np.ndarray) -> bool:
    """Whether a column varies enough that being alike in it says something."""
    codes = other.codes[rows]
    present = codes[codes >= 0]
    return bool(len(present) >= 0.5 * len(rows) and np.bincount(present).max() <= 0.9 * len(present))


def _alikeness(groups: np.ndarray, codes: np.ndarray, ordered: bool) -> tuple[float, float]:
    """(share of the other column's variance between groups beyond chance, share of it that is smooth in the groups' order)."""
    good = codes >= 0
    groups, codes = np.unique(groups[good], return_inverse=True)[1], codes[good]
    if ordered:
        values_CB = _ranks(codes)[None, :]
    else:
        levels = np.argsort(-np.bincount(codes), kind="stable")[:10]
        values_CB = (codes[None, :] == levels[:, None]).astype(np.float64)
    return _shares(groups, values_CB)


def _ranks(codes: np.ndarray) -> np.ndarray:
    counts = np.bincount(codes)
    middle = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(middle[codes])


def _shares(groups: np.ndarray, values_CB: np.ndarray) -> tuple[float, float]:
    """Epsilon squared of all the rows of `values_CB` together, and its smooth share."""
    rows, count = values_CB.shape[1], int(groups.max()) + 1 if len(groups) else 0
    if rows <= count or count < 2:
        return 0.0, 0.0
    sizes = np.bincount(groups, minlength=count)
    centred_CB = values_CB - values_CB.mean(axis=1, keepdims=True)
    means_CG = np.stack([np.bincount(groups, weights=row, minlength=count) for row in centred_CB]) / sizes
    total = float((centred_CB**2).sum())
    if total <= 0:
        return 0.0, 0.0
    between = float((means_CG**2 * sizes).sum())
    share = 1 - ((total - between) / (rows - count)) / (total / (rows - 1))
    if count < 6 or share <= 0:
        return max(0.0, share), 0.0
    return share, _smoothness(means_CG, sizes)


def _smoothness(means_CG: np.ndarray, sizes: np.ndarray) -> float:
    """How much of the groups' means their neighbours in the order of the values tell: near 0 for arbitrary ids."""
    inner = means_CG[:, 1:-1]
    near = (means_CG[:, :-2] + means_CG[:, 2:]) / 2
    weights = np.minimum(np.minimum(sizes[:-2], sizes[2:]), sizes[1:-1])
    spread = np.sqrt((inner**2 * weights).sum() * (near**2 * weights).sum())
    return float(np.clip((inner * near * weights).sum() / spread, 0, 1)) if spread > 0 else 0.0


def _is_static(groups: np.ndarray, other: Values, rows: np.ndarray, share: float) -> bool:
    """Whether the other column never changes within a group, and is no second name of it."""
    codes = other.codes[rows]
    good = codes >= 0
    groups, codes = groups[good], codes[good]
    if share < 0.8:
        return False
    width = int(codes.max()) + 1
    pairs, counts = np.unique(groups * width + codes, return_counts=True)
    most = np.zeros(int(groups.max()) + 1, dtype=np.int64)
    np.maximum.at(most, pairs // width, counts)
    if most.sum() < STATIC * len(groups):
        return False
    return not _second_name(pairs, width, other)


def _second_name(pairs: np.ndarray, width: int, other: Values) -> bool:
    """One value a group and one group a value, of labels or counted codes, or in the same order."""
    groups, codes = pairs // width, pairs % width
    if len(np.unique(groups)) != len(pairs) or len(np.unique(codes)) != len(pairs):
        return False
    steps = np.diff(codes)
    return not other.numbers or other.dense or bool(np.all(steps > 0) or np.all(steps < 0))


def _blocks(codes: np.ndarray) -> float:
    """1 when the rows of every value lie together, 0 when they are mixed as by chance."""
    codes = codes[codes >= 0]
    sizes = np.bincount(codes)
    sizes = sizes[sizes > 0]
    runs = 1 + int(np.count_nonzero(np.diff(codes)))
    by_chance = len(codes) - float((sizes.astype(np.float64) ** 2).sum()) / len(codes)
    return float(1 - (runs - len(sizes)) / max(1.0, by_chance - len(sizes)))


def _bell(values: Values) -> bool:
    """Whether values in the middle are frequent and those at the ends rare, as of a measured quantity."""
    if not values.numbers or values.distinct < 8:
        return False
    counts = np.bincount(values.codes[values.codes >= 0]).astype(np.float64)
    if counts.std() < 0.2 * counts.mean():
        return False
    return bool(np.corrcoef(counts[:-1], counts[1:])[0, 1] > 0.4)
