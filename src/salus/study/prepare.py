"""A data version and a spec to what a study is about: roles, task, labelled rows, target, groups, split, findings.

Knows which rows are labelled and on which side they lie. Fits no kind, see `lesson`, and no learner.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.core.nouns import Column, Finding, Role, Schema, Severity, Split
from salus.core.specs import TrainSpec
from salus.data.families import apart
from salus.data.findings import find_for_training, findings_of_labels
from salus.data.groups import find_group
from salus.data.kinds import kind_named
from salus.data.kinds.base import Values
from salus.data.kinds.category import label_of
from salus.data.split import Splits, side_of, split_rows
from salus.data.version import DataVersion
from salus.evaluation.decide import positive_code
from salus.learners import learner_named
from salus.tasks import task_named
from salus.tasks.base import Task
from salus.tasks.compound import CompoundTask
from salus.tasks.infer import infer_task

FOLDED_PICTURES_S = 60.0  # a shorter budget does not teach several networks
SURE_GROUP = 0.8  # how sure a found group must be to be used
FEWEST_GROUPS = 3
MEASURED_TEXTS = 500  # pairs of texts, whose lengths tell a summary from a translation
FILES = frozenset({"image", "audio"})  # kinds whose values were files
FILE_NAME = re.compile(r".*\.[A-Za-z][A-Za-z0-9]{1,4}")
NAMES_LOOKED_AT = 200
MAX_NUMBER_CLASSES = 100  # a target of whole numbers beside pictures or recordings is a class up to this many


@dataclass(frozen=True)
class Material:
    """Everything about the data that a study needs. `rows` are the labelled rows of the version; `target` is aligned
    with them; the arrays of `splits` are positions in `rows`. Of `schema` only the targets are fitted."""

    version: DataVersion
    schema: Schema
    task: Task
    rows: np.ndarray
    target: np.ndarray
    groups: np.ndarray | None
    splits: Splits
    findings: tuple[Finding, ...]
    group: str | None = None  # the column whose values stay on one side, named or found
    validation_given: bool = False  # the person's own split names rows to choose by
    reads: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # kind of an input -> options it is fitted with

    def side(self, name: str) -> np.ndarray:
        """Positions of one side: train, validation or test."""
        positions: np.ndarray = getattr(self.splits, name)
        return positions

    def values(self, positions: np.ndarray) -> dict[str, Values]:
        """The input values of these rows, read by their kinds; missing in columns that only requests have."""
        rows, asked = self.rows[positions], dict[str, Values]()
        if isinstance(self.task, CompoundTask):
            asked = {column.name: self._asked(self.task, column, rows) for column in self.task.asked}
        inputs = tuple(column for column in self.schema.inputs if column.name not in asked)
        return read_values(self.version, inputs, rows) | asked

    def _asked(self, task: CompoundTask, column: Column, rows: np.ndarray) -> Values:
        there = frozenset(of_data.name for of_data in self.version.schema.columns)
        source = task.asked_from(there, [target.name for target in self.schema.targets]).get(column.name)
        if source is None:
            return task.asked_values(column, rows)
        return read_values(self.version, (column.model_copy(update={"name": source}),), rows)[source]

    def with_schema(self, schema: Schema) -> Material:
        """The same rows with targets that know more."""
        return replace(self, schema=schema)

    def groups_of(self, positions: np.ndarray) -> np.ndarray | None:
        return None if self.groups is None else self.groups[positions]


def read_values(version: DataVersion, columns: tuple[Column, ...], rows: np.ndarray) -> dict[str, Values]:
    """Values of `columns` for `rows`, as the kinds read them."""
    raws = version.take([column.name for column in columns], rows)
    return {c.name: kind_named(c.kind).column_values(raws[c.name], f"column '{c.name}'") for c in columns}


def prepare(version: DataVersion, spec: TrainSpec) -> Material:
    """Gives columns their roles, encodes the target and splits the rows."""
    spec, guessed = _with_found_group(version, spec)
    if names := _file_names(version, spec):
        told = {"where": ", ".join(names)}
        guessed = (
            *guessed,
            Finding(code="file_names_left_out", severity=Severity.INFO, columns=names, parameters=told),
        )
        spec = spec.model_copy(update={"ignore": (*spec.ignore, *names)})
    columns = assign_roles(version, spec)
    targets = tuple(_target_column(version, name, columns, spec.task) for name in spec.target)
    target_values = [values for _, values in targets]
    labelled = np.flatnonzero(~np.any([_missing(values) for values in target_values], axis=0))
    if len(labelled) == 0:
        raise SalusError("no_labels", where=f"target '{', '.join(spec.target)}'")
    target_values = [[values[row] for row in labelled] for values in target_values]
    target_columns = tuple(
        _fit_target(column, values) for (column, _), values in zip(targets, target_values, strict=True)
    )
    schema = Schema(columns=(*(c for c in columns if c.role is not Role.TARGET), *target_columns))
    task = infer_task(schema, spec.task, _of_source(version, schema, labelled, target_values))
    if isinstance(task, CompoundTask):
        schema = schema.model_copy(update={"columns": (*schema.columns, *task.asked)})
    if not schema.inputs:
        raise SalusError("no_inputs", where="the data", found=", ".join(spec.target))
    target = task.encode_target(
        target_values if len(target_values) > 1 else target_values[0], [c.state or {} for c in target_columns]
    )
    _check_decisions(spec, target_columns)
    if task.plain:
        _refuse_blockers(tuple(findings_of_labels(schema, target)))
    groups = _codes(version, spec.group, labelled)
    given = _given(version, schema, labelled)
    times = _times(version, spec.time, labelled) if spec.time else None
    pictures = any(column.kind in FILES for column in schema.inputs)
    folded = task.plain and (spec.budget_s >= FOLDED_PICTURES_S or not pictures)
    splits = split_rows(target, groups, given, task.classification, spec.seed, times, folded)
    chooses = given is not None and any(side_of(side or "") is Split.VALIDATION for side in given)
    if groups is None and not chooses:
        splits, of_parts = _families_apart(version, schema, task, labelled, splits, spec.seed)
        guessed = (*guessed, *of_parts)
    findings = find_for_training(version, schema, labelled, target, splits, groups)
    findings = (*guessed, *findings)
    schema = _without_leaks(schema, findings)
    _refuse_blockers(findings)
    schema = schema.model_copy(update={"task": task.name})
    return Material(
        version, schema, task, labelled, target, groups, splits, findings, spec.group, chooses, _reads(task, spec)
    )


def _families_apart(
    version: DataVersion, schema: Schema, task: Task, rows: np.ndarray, splits: Splits, seed: int
) -> tuple[Splits, tuple[Finding, ...]]:
    """Where many texts are parts of other texts, those that choose are no parts of those that are learned from."""
    texts = [column for column in schema.inputs if column.kind == "text"]
    if task.name != "text-classification" or len(texts) != 1:
        return splits, ()
    splits, parts = apart(splits, read_values(version, tuple(texts), rows)[texts[0].name], seed)
    told: dict[str, Any] = {"where": texts[0].name, "found": parts}
    finding = Finding(
        code="texts_in_texts", severity=Severity.WARNING, columns=(texts[0].name,), count=parts, parameters=told
    )
    return splits, (finding,) if parts else ()


def _reads(task: Task, spec: TrainSpec) -> Mapping[str, Mapping[str, Any]]:
    """How inputs are read for the task, or for the learner that was named."""
    named = {} if spec.learner == "auto" else learner_named(spec.learner).reads(spec.options)
    return {**task.reads, **named}


def _of_source(version: DataVersion, schema: Schema, rows: np.ndarray, targets: list[Any]) -> float:
    """The median share of a source's letters that its target has, of some rows; 1 where they are not texts."""
    kinds = [column.kind for column in (*schema.inputs, *schema.targets)]
    if kinds != ["text", "text"]:
        return 1.0
    some = np.unique(np.linspace(0, len(rows) - 1, MEASURED_TEXTS).astype(np.int64))
    sources = version.take([schema.inputs[0].name], rows[some])[schema.inputs[0].name]
    return float(np.median([len(targets[0][at]) / max(1, len(of or "")) for at, of in zip(some, sources, strict=True)]))


def _with_found_group(version: DataVersion, spec: TrainSpec) -> tuple[TrainSpec, tuple[Finding, ...]]:
    """The spec with the column of people that the data show when the person named none, and what says so."""
    if spec.group is not None or not spec.find_group:
        return spec, ()
    guess = find_group(version, _seen(version.schema, spec))
    if guess is None:
        return spec, ()
    told: dict[str, Any] = {"where": guess.column, "found": guess.distinct, "expected": guess.why}
    if guess.confidence < SURE_GROUP or guess.distinct < FEWEST_GROUPS:
        hint = Finding(code="possible_group", severity=Severity.INFO, columns=(guess.column,), parameters=told)
        return spec, () if guess.why == "name" else (hint,)  # adding has hinted at names already
    finding = Finding(code="group_used", severity=Severity.WARNING, columns=(guess.column,), parameters=told)
    return spec.model_copy(update={"group": guess.column}), (finding,)


def _seen(schema: Schema, spec: TrainSpec) -> Schema:
    """Without what the person gave another role; the target is known as such."""
    taken = {*spec.ignore, spec.split, spec.time}
    columns = (c for c in schema.columns if c.name not in taken)
    return Schema(
        columns=tuple(c.model_copy(update={"role": Role.TARGET}) if c.name in spec.target else c for c in columns)
    )


def assign_roles(version: DataVersion, spec: TrainSpec) -> tuple[Column, ...]:
    """The columns with the roles that the person named, or `no_such_column`."""
    names = [column.name for column in version.schema.columns]
    given = [name for name in (spec.group, spec.split, spec.time) if name]
    named = [*spec.target, *given, *spec.ignore]
    for name in named:
        if name not in names:
            raise SalusError("no_such_column", where="the spec", expected=", ".join(names)[:300], found=name)
    if len(set(named)) != len(named):
        raise SalusError("bad_spec", where="the spec", expected="one role a column", found=", ".join(named))
    roles = {name: Role.TARGET for name in spec.target} | {name: Role.IGNORE for name in spec.ignore}
    if spec.group:
        roles[spec.group] = Role.GROUP
    if spec.split:
        roles[spec.split] = Role.SPLIT
    if spec.time:
        roles[spec.time] = Role.TIME
    found = version.schema.columns
    columns = tuple(c.model_copy(update={"role": roles.get(c.name, _left(c, spec))}) for c in found)
    return columns


def _file_names(version: DataVersion, spec: TrainSpec) -> tuple[str, ...]:
    """Columns beside pictures or sounds that only say where these lay: a model would learn folders by heart."""
    columns = version.schema.columns
    if not any(column.kind in FILES for column in columns):
        return ()
    given = {*spec.target, *spec.ignore, spec.group, spec.split, spec.time}
    asked = [c.name for c in columns if c.kind in ("text", "category") and c.role is Role.INPUT and c.name not in given]
    some = np.unique(np.linspace(0, version.rows - 1, min(version.rows, NAMES_LOOKED_AT)).astype(np.int64))
    values = version.take(asked, some) if asked else {}
    return tuple(name for name in asked if _name_files([value for value in values[name] if value is not None]))


def _name_files(values: list[Any]) -> bool:
    return len(values) > 0 and all(isinstance(value, str) and FILE_NAME.fullmatch(value) for value in values)


def _left(column: Column, spec: TrainSpec) -> Role:
    """The role of a column that nobody named: a found split column gives way to one that was named."""
    return Role.IGNORE if column.role is Role.SPLIT and spec.split else column.role


def _target_column(
    version: DataVersion, name: str, columns: tuple[Column, ...], task: str | None
) -> tuple[Column, Values]:
    """The target as its kind, or as the named task reads it; whole numbers that name classes become labels."""
    column = next(c for c in columns if c.name == name)
    named = None if task is None else task_named(task)
    if isinstance(named, CompoundTask):
        column = column.model_copy(update={"kind": named.target_kind})
    if column.kind in ("time", "series", "audio"):
        raise SalusError("bad_target", where=f"target '{name}'", found=column.kind)
    values = version.columns([name])[name]
    if column.kind == "number" and _names_classes(np.asarray(values), columns):
        labels = [None if np.isnan(value) else label_of(float(value)) for value in values]
        return column.model_copy(update={"kind": "category"}), labels
    return column, kind_named(column.kind).column_values(values, f"column '{name}'")


def _names_classes(values: np.ndarray, columns: tuple[Column, ...]) -> bool:
    distinct = np.unique(values[np.isfinite(values)])
    if len(distinct) == 2:
        return True
    perceived = any(c.kind in ("image", "series", "audio") and c.role is Role.INPUT for c in columns)
    return perceived and len(distinct) <= MAX_NUMBER_CLASSES and bool(np.all(distinct == np.round(distinct)))


def _missing(values: Values) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return ~np.isfinite(values)
    return np.array([value is None for value in values], dtype=bool)


def _fit_target(column: Column, values: list[Any]) -> Column:
    """The target's state; class names in sorted order, so that equal data give equal graphs."""
    if column.kind not in ("number", "category"):
        return column  # what is learned of it is learned from train rows alone
    if column.kind == "number":
        deviation = float(np.std(np.asarray(values, dtype=np.float64))) or 1.0
        return column.model_copy(update={"state": {"deviation": deviation}})
    return column.model_copy(update={"state": {"levels": sorted(set(values))}})


def _check_decisions(spec: TrainSpec, targets: tuple[Column, ...]) -> None:
    """Refuses a threshold or a coverage that this target cannot have, before anything is learned."""
    levels = (targets[0].state or {}).get("levels")
    for name, asked in (("threshold", spec.threshold), ("coverage", spec.coverage)):
        if asked is not None and levels is None:
            raise SalusError("bad_spec", where=name, expected="a target of labels", found="a target of numbers")
    if spec.threshold is not None and len(levels or ()) > 1:  # a single class has an error of its own
        positive_code(spec.threshold, levels or ())


def _codes(version: DataVersion, name: str | None, rows: np.ndarray) -> np.ndarray | None:
    """Group codes of the rows; a missing group is a group of its own."""
    if name is None:
        return None
    raws = version.take([name], rows)[name]
    labels = [label_of(raw) if isinstance(raw, float) else str(raw) for raw in raws]
    return np.unique(np.asarray(labels, dtype=str), return_inverse=True)[1].astype(np.int64)


def _times(version: DataVersion, name: str, rows: np.ndarray) -> np.ndarray:
    """Moments of the rows in the unit of the column; missing ones are NaN."""
    column = version.schema.column(name)
    if column.kind not in ("number", "time"):
        raise SalusError("bad_spec", where=f"time '{name}'", expected="a column of times or numbers", found=column.kind)
    kind = kind_named(column.kind)
    values = kind.column_values(version.take([name], rows)[name], f"column '{name}'")
    if isinstance(values, np.ndarray):
        return values
    day_first = kind.fit(values, column.options)["day_first"]
    return np.array([np.nan if moment is None else moment.settled(day_first) for moment in values])


def _given(version: DataVersion, schema: Schema, rows: np.ndarray) -> list[str | None] | None:
    columns = schema.with_role(Role.SPLIT)
    return list(version.take([columns[0].name], rows)[columns[0].name]) if columns else None


def _without_leaks(schema: Schema, findings: tuple[Finding, ...]) -> Schema:
    """Columns that only say the target again are not learned from."""
    leaks = {name for finding in findings if finding.code == "leaks_target" for name in finding.columns}
    columns = tuple(
        c.model_copy(update={"role": Role.IGNORE}) if c.name in leaks and c.role is Role.INPUT else c
        for c in schema.columns
    )
    if not any(c.role is Role.INPUT for c in columns):
        raise SalusError("no_inputs", where="the data", found=", ".join(sorted(leaks)))
    return schema.model_copy(update={"columns": columns})


def _refuse_blockers(findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        if finding.severity is Severity.BLOCKER:
            raise SalusError(finding.code, **finding.parameters)
