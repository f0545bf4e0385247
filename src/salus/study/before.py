"""The model version before, asked about the same test rows, so that the report can say which is better.

Only a version that was judged by the very same rows is asked: another one may have learned from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salus.bundle.read import Bundle
from salus.core.errors import SalusError
from salus.inference.predictor import Predictor
from salus.study.prepare import Material, read_values

CHUNK_ROWS = 2048


@dataclass(frozen=True)
class Before:
    """name: such as walks@3."""

    name: str
    bundle: Bundle


def answers_before(before: Before | None, material: Material, threads: int) -> np.ndarray | None:
    """What the version before says about the test rows, or None where it cannot be compared."""
    if before is None or material.splits.folds is not None:
        return None
    manifest = before.bundle.manifest
    same_rows = manifest.lineage.get("split") == material.splits.digest
    same_data = manifest.lineage.get("data_version") == material.version.hash
    targets = [(c.name, (c.state or {}).get("levels")) for c in manifest.schema.targets]
    if (
        not same_rows
        or not same_data
        or targets != [(c.name, (c.state or {}).get("levels")) for c in material.schema.targets]
    ):
        return None
    predictor = Predictor.open(before.bundle, threads=threads)
    try:
        rows = material.rows[material.splits.test]
        parts = []
        for start in range(0, len(rows), CHUNK_ROWS):
            values = read_values(material.version, manifest.schema.inputs, rows[start : start + CHUNK_ROWS])
            parts.append(predictor.predict_values(values)[material.task.output])
        return np.concatenate(parts).astype(np.float64)
    except SalusError:
        return None
    finally:
        predictor.close()
