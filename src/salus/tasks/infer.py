"""The task that follows from the kinds of inputs and targets."""

from __future__ import annotations

from salus.core.errors import SalusError
from salus.core.nouns import Schema
from salus.tasks import TASKS, task_named
from salus.tasks.base import Task


def infer_task(schema: Schema, named: str | None = None, of_source: float = 1.0) -> Task:
    """The first task that accepts the schema (targets fitted), or `no_task`. named: the task that the person asked for, which must
    accept it too. of_source: the share of a source's letters that its target has, where both are texts."""
    inputs = frozenset(column.kind for column in schema.inputs)
    targets = tuple(column.kind for column in schema.targets)
    levels = len((schema.targets[0].state or {}).get("levels", ())) if schema.targets else 0
    for name in TASKS if named is None else (named,):
        task = task_named(name)
        short = named is not None or task.most_of_source is None or of_source < task.most_of_source
        if short and task.accepts(inputs, targets, levels):
            return task
    where = ", ".join(sorted(inputs)) or "nothing"
    if named is not None:
        raise SalusError("not_this_task", where=where, expected=named, found=", ".join(targets))
    raise SalusError("no_task", where=where, found=", ".join(targets))
