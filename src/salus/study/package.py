"""A chosen fit to a bundle: calibration nodes, examples, card, report, signature; verified in a fresh process before it is published."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from salus.bundle.read import Bundle
from salus.bundle.sign import Signer
from salus.bundle.write import write_bundle
from salus.core.context import Context
from salus.core.durable import publish_folder
from salus.core.specs import TrainSpec
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.data.version import DataVersion
from salus.evaluation.card import model_card
from salus.evaluation.report.html import render
from salus.inference.examples import make_examples
from salus.inference.verify import verify_in_fresh_process
from salus.learners.graphs import add_calibration
from salus.study.fit import Candidate
from salus.study.prepare import Material

EXAMPLES = 200
PICTURE_EXAMPLES = 20  # pictures and recordings are large
LIBRARIES = ("salus", "numpy", "onnx", "onnxruntime", "scikit-learn", "lightgbm", "torch")


@dataclass(frozen=True)
class Package:
    """What a bundle is made of, before it is measured."""

    version: DataVersion
    data_name: str
    spec: TrainSpec
    material: Material
    plan: dict[str, Any]
    candidates: tuple[Candidate, ...]
    best: Candidate
    example_rows: list[dict[str, Any]]
    cut: bool


def examples_for(material: Material, seed: int) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Synthetic rows drawn from the schema, and the feeds they become."""
    large = any(column.kind in ("image", "series") for column in material.schema.inputs)
    rows = make_examples(material.schema, PICTURE_EXAMPLES if large else EXAMPLES, seed)
    values = {
        column.name: kind_named(column.kind).column_values([row[column.name] for row in rows], "examples")
        for column in material.schema.inputs
    }
    return rows, encode_columns(material.schema.inputs, values)
