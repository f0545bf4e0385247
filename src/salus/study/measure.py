"""The report of a study, from predictions of the packaged graph on the test rows, which are opened here for the first time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from salus.bundle.read import Bundle
from salus.core.context import Context
from salus.core.gate import gate
from salus.data.findings import overlapping_rows
from salus.data.kinds.base import Values
from salus.evaluation.answers import measure_answers
from salus.evaluation.measure import measure
from salus.evaluation.measures import measure_of
from salus.evaluation.measures.base import Known
from salus.inference.predictor import Predictor
from salus.study.before import Before, answers_before
from salus.study.contrast import contrast, learning_curve
from salus.study.judge import Judged, saliency_of
from salus.study.learn import Learned
from salus.study.look import Asked, look
from salus.study.package import Package
from salus.study.prepare import Material
from salus.study.rounds import spread
from salus.study.story import choice_facts
from salus.tasks.compound import CompoundTask

CHUNK_ROWS = 2048
CURVE_SHARE = 0.03  # of the budget, for the learning curve
LOOK_SHARE = 0.06  # of the budget, for what the model looks at
MOST_COLUMNS = 40
JUDGED_SHARE = 0.15  # of the budget, for answers to the rows that judge, where one takes long
FEWEST_JUDGED = 200


def measure_bundle(
    bundle: Bundle, package: Package, judged: Judged | None, before: Before | None, context: Context
) -> dict[str, Any]:
    """report.json without the files around it.

    judged: what the folds said about their rows; None: the bundle is asked about the test side.
    """
    started = time.monotonic()
    material, spec = package.material, package.spec
    positions = material.splits.test
    predictor = Predictor.open(bundle, threads=package.learned.lesson.threads)
    try:
        latency = _one_row_latency(predictor)
        if material.task.plain:
            report = _of_plain(predictor, package, positions, judged, before, context)
        else:
            report = _of_answers(predictor, package, positions, context)
    finally:
        predictor.close()
    report |= _beside(package, report["headline"]["metric"], context)
    report |= _story(package, latency, time.monotonic() - started, context)
    report["previous"] = before.name if before else None
    report["gate"] = gate(report, spec.policy)
    return report


def _of_plain(
    predictor: Predictor,
    package: Package,
    positions: np.ndarray,
    judged: Judged | None,
    before: Before | None,
    context: Context,
) -> dict[str, Any]:
    """What is said of labels or numbers."""
    material, spec = package.material, package.spec
    raw = _predict(predictor, package, positions, context) if judged is None else judged.raw
    states = [column.state or {} for column in material.schema.targets]
    report = measure(
        task=material.task,
        target=material.target[positions],
        raw=raw,
        states=states,
        names=list(spec.target),
        groups=material.groups_of(positions),
        baseline=material.task.baseline(material.target[material.splits.train], states),
        seed=spec.seed,
        columns=_columns(material, positions),
        before=answers_before(before, material, package.learned.lesson.threads),
        before_name=before.name if before else "",
        overlap=overlapping_rows(material.version, material.schema, material.rows, material.splits),
    )
    asked = _asked(predictor, package, positions) if judged is None else judged.asked
    answers = np.asarray(raw[material.task.output], dtype=np.float64)
    context.event("explaining")
    return report | look(asked, material, answers, spec.target, spec.seed, LOOK_SHARE * spec.budget_s)


def _of_answers(predictor: Predictor, package: Package, positions: np.ndarray, context: Context) -> dict[str, Any]:
    """What is said of the answers of a compound task."""
    material = package.material
    task, states = material.task, [column.state or {} for column in material.schema.targets]
    assert isinstance(task, CompoundTask), "plain tasks are measured otherwise"
    positions, train = spread(positions, _most_judged(task, package)), material.splits.train
    values = material.values(positions)
    parts = []
    for start in range(0, len(positions), task.rows_at_once):
        context.stop_if_asked("measuring")
        some = {name: of_all[start : start + task.rows_at_once] for name, of_all in values.items()}
        parts.append(predictor.answers(some))

    def train_values() -> dict[str, Values]:
        return material.values(train)

    nothing = task.nothing_by(material.target[train], train_values, states, values, len(positions))
    known = Known(predictor.engine.run, material.schema, material.target[train], train_values, values)
    return measure_answers(
        measure=measure_of(task.name).informed(known),
        task=task.name,
        answers=np.concatenate(parts),
        target=material.target[positions],
        nothing=nothing,
        values=values,
        states=states,
        groups=material.groups_of(positions),
        seed=package.spec.seed,
    )


def _most_judged(task: CompoundTask, package: Package) -> int | None:
    """How many rows judge where an answer takes long: by what a row took when its candidate was fitted, never by the clock of now."""
    if task.most_judged is None:
        return None
    row_s = package.learned.best.one_row_ms / 1000 / package.learned.lesson.threads
    within = int(JUDGED_SHARE * package.spec.budget_s / max(row_s, 1e-6))
    return min(task.most_judged, max(FEWEST_JUDGED, within))


def _columns(material: Material, positions: np.ndarray) -> dict[str, Values]:
    """The plain inputs of the test rows, by which they are measured apart."""
    names = [column.name for column in material.schema.inputs if column.kind in ("number", "category")]
    return material.version.take(names[:MOST_COLUMNS], material.rows[positions]) if names else {}


def _asked(predictor: Predictor, package: Package, positions: np.ndarray) -> Asked:
    """The bundle itself, about its test rows."""
    output = package.material.task.output

    def predict(values: dict[str, Values]) -> np.ndarray:
        return predictor.predict_values(values)[output]

    return Asked(positions, predict, saliency_of(package.learned, package.learned.lesson.threads))


def _beside(package: Package, metric: str, context: Context) -> dict[str, Any]:
    """Why this model, what a random split would have claimed, what more rows would bring."""
    learned, spec = package.learned, package.spec
    return {
        "choice": choice_facts(learned, package.plan),
        "contrast": contrast(package.material, learned, metric, package.plan["contrast_s"], spec.seed, context),
        "learning_curve": learning_curve(learned, CURVE_SHARE * spec.budget_s, context),
    }


def _predict(predictor: Predictor, package: Package, positions: np.ndarray, context: Context) -> dict[str, np.ndarray]:
    parts: list[dict[str, np.ndarray]] = []
    for start in range(0, len(positions), CHUNK_ROWS):
        context.stop_if_asked("measuring")
        parts.append(predictor.predict_values(package.material.values(positions[start : start + CHUNK_ROWS])))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _one_row_latency(predictor: Predictor) -> dict[str, float]:
    """Median milliseconds of one row in this process, one pass at a time."""
    row = predictor.example_row()
    seconds = []
    for _ in range(30):
        began = time.perf_counter()
        predictor.predict_rows([row])
        seconds.append(time.perf_counter() - began)
    return {"one_row_ms": round(float(np.median(seconds)) * 1000, 4)}


def _story(package: Package, latency: dict[str, float], measuring_s: float, context: Context) -> dict[str, Any]:
    """What was done, beside how good it is."""
    material, learned = package.material, package.learned
    sides = {name: len(material.side(name)) for name in ("train", "validation", "test")}
    groups = None
    if material.groups is not None:
        groups = {name: len(np.unique(material.groups[material.side(name)])) for name in sides}
    tried = [{"learner": c.learner, "score": c.loss, "seconds": c.seconds} for c in learned.candidates]
    return {
        "format": 1,
        "target": list(package.spec.target),
        "group": material.group,
        "split": {"how": material.splits.how, **sides, "groups": groups, "digest": material.splits.digest},
        "findings": [finding.model_dump(mode="json") for finding in material.findings],
        "plan": package.plan,
        "cut": learned.cut,
        "learner": _learner(learned),
        "tried": tried,
        "data": {"name": package.data_name, "version": package.version.hash, "rows": package.version.rows},
        "latency": latency,
        "size_bytes": sum(map(len, learned.graphs.values())),
        "seconds": {"total": round(context.elapsed_s(), 1), "measuring": round(measuring_s, 1)},
    }


def _learner(learned: Learned) -> dict[str, Any]:
    """The member that weighs most, and all of them with their weights."""
    members: list[dict[str, Any]] = [
        {"learner": one.candidate.learner, "weight": weight, "config": one.candidate.config, "details": one.details}
        for one, (_, weight) in zip(learned.members, learned.choice.members, strict=True)
    ]
    strongest = max(members, key=lambda one: float(one["weight"]))
    name = strongest["learner"] if len(members) == 1 else "ensemble"
    return {"name": name, "config": strongest["config"], "details": strongest["details"], "members": members}
