"""A chosen fit to a bundle: calibration nodes, examples, card, report, signature; verified in a fresh process before it is published."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from salus.bundle.graph_check import check_graph
from salus.bundle.read import Bundle, open_folder
from salus.bundle.sign import Signer
from salus.bundle.write import write_bundle
from salus.core.context import Context
from salus.core.durable import sync_folder
from salus.core.nouns import Column, Role, Schema
from salus.core.specs import TrainSpec
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.data.version import DataVersion
from salus.evaluation.calibrate import apply_calibration
from salus.evaluation.card import model_card
from salus.evaluation.report.html import render
from salus.inference.examples import make_examples
from salus.inference.verify import verify_in_fresh_process
from salus.study.learn import Learned
from salus.study.prepare import Material

EXAMPLES = 200
PICTURE_EXAMPLES = 20  # pictures and recordings are large
COMPOUND_EXAMPLES = 8  # a text or a picture takes many passes to make
LIBRARIES = ("salus", "numpy", "onnx", "onnxruntime", "scikit-learn", "lightgbm", "torch")


@dataclass(frozen=True)
class Package:
    """What a bundle is made of, before it is measured."""

    version: DataVersion
    data_name: str
    spec: TrainSpec
    material: Material
    plan: dict[str, Any]
    learned: Learned
    example_rows: list[dict[str, Any]]


def examples_for(schema: Schema, compound: bool, seed: int) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Synthetic rows drawn from the fitted schema, and the feeds they become."""
    large = any(column.kind in ("image", "series", "audio") for column in schema.inputs)
    count = COMPOUND_EXAMPLES if compound else PICTURE_EXAMPLES if large else EXAMPLES
    rows = make_examples(schema, count, seed)
    values = {
        column.name: kind_named(column.kind).column_values([row[column.name] for row in rows], "examples")
        for column in schema.inputs
    }
    return rows, encode_columns(schema.inputs, values)


def draft(package: Package, folder: Path) -> Bundle:
    """The bundle without a report, to be measured."""
    return _write(package, {}, folder, None)


def publish(package: Package, report: dict[str, Any], output: Path, signer: Signer | None, context: Context) -> Bundle:
    """Writes the bundle with its report beside `output`, verifies it in a fresh process, and renames it into place."""
    beside = output.with_name(f".{output.name}.{secrets.token_hex(6)}.unverified")
    try:
        _write(package, report, beside, signer)
        verified = verify_in_fresh_process(beside)
        context.stop_if_asked("publishing")
        beside.rename(output)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    sync_folder(output.parent)
    bundle = open_folder(output)
    context.event("published", bundle_hash=bundle.bundle_hash, model_hash=bundle.manifest.model_hash, verified=verified)
    return bundle


def _write(package: Package, report: dict[str, Any], folder: Path, signer: Signer | None) -> Bundle:
    task, learned = package.material.task, package.learned
    graphs = learned.served()
    answers = {task.output: _answers(learned).tolist()}
    return write_bundle(
        folder,
        task=task.name,
        schema=_served_schema(package, graphs),
        outputs=[task.output, "scores"] if task.classification else [task.output],
        graphs=graphs,
        program=learned.program,
        examples={"rows": package.example_rows, "answers": answers},
        report=report,
        report_html=render(report) if report else "",
        report_html_zh=render(report, "zh") if report else "",
        card=model_card(report) if report else "",
        calibration=learned.calibration,
        metrics=report.get("metrics", {}),
        lineage=_lineage(package),
        signer=signer,
    )


def _answers(learned: Learned) -> np.ndarray:
    """What the trainer's own libraries say to the examples, calibrated as the graph is."""
    if learned.calibration is None:
        return learned.example_answers
    return apply_calibration(learned.calibration, learned.example_answers)


def _served_schema(package: Package, graphs: Mapping[str, bytes]) -> Schema:
    """The schema with the states that answering needs, of the targets with their decisions; other columns keep their names only."""
    targets = {column.name: column for column in package.material.schema.targets}
    feeds = frozenset(name for graph in graphs.values() for name in check_graph(graph).inputs)

    def served(column: Column) -> Column:
        if column.role is Role.TARGET:
            return targets.get(column.name, column)
        if column.role is not Role.INPUT or column.state is None:
            return Column(name=column.name, kind=column.kind, role=column.role)
        needed = kind_named(column.kind).needed(column.state, feeds)
        return column.model_copy(update={"state": needed})

    columns = tuple(served(column) for column in package.learned.lesson.schema.columns)
    return package.material.schema.model_copy(update={"columns": columns})


def _lineage(package: Package) -> dict[str, Any]:
    return {
        "data_name": package.data_name,
        "data_version": package.version.hash,
        "split": package.material.splits.digest,
        "seed": package.spec.seed,
        "spec": package.spec.model_dump(mode="json"),
        "learner": package.learned.best.learner,
        "config": package.learned.best.config,
        "members": [[candidate.learner, weight] for candidate, weight in package.learned.choice.members],
        "libraries": _libraries(),
    }


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
