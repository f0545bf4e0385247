"""Real sets that ship inside scikit-learn: `sklearn:NAME`. Digits come as pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image as Pillow

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source

PREFIX = "sklearn:"
TABLES = ("breast_cancer", "iris", "wine", "diabetes", "linnerud")


class Bundled(Source):
    name = "bundled"

    def claims(self, path: Path) -> bool:
        return str(path).startswith(PREFIX)

    def read(self, path: Path, spec: DataSpec) -> Read:
        name = str(path).removeprefix(PREFIX)
        if name not in (*TABLES, "digits"):
            raise SalusError("unknown_layout", where=str(path), found=f"no bundled set '{name}'")
        try:
            from sklearn import datasets
        except ImportError:
            raise SalusError("extra_missing", where=str(path), found="scikit-learn", extra="train") from None
        bunch = getattr(datasets, f"load_{name}")()
        table = _digits(bunch) if name == "digits" else _table(bunch)
        kinds = {"label": "category"} if name == "digits" else {}
        return Read.of(table, {"format": "bundled", "files": [str(path)]}, kinds)


def _table(bunch: object) -> pa.Table:
    """One column a feature; class names instead of their numbers."""
    data, target = np.asarray(bunch["data"]), np.asarray(bunch["target"])  # type: ignore[index]
    names = [str(name) for name in bunch["feature_names"]]  # type: ignore[index]
    columns: dict[str, pa.Array] = {name: pa.array(data[:, index]) for index, name in enumerate(names)}
    if target.ndim == 2:
        columns |= {str(name): pa.array(target[:, index]) for index, name in enumerate(bunch["target_names"])}  # type: ignore[index]
    elif target.dtype.kind in "iu":
        labels = [str(name) for name in bunch["target_names"]]  # type: ignore[index]
        columns["target"] = pa.array([labels[code] for code in target])
    else:
        columns["target"] = pa.array(target)
    return pa.table(columns)


def _digits(bunch: object) -> pa.Table:
    pictures = []
    for digit in np.asarray(bunch["images"]):  # type: ignore[index]
        stream = io.BytesIO()
        Pillow.fromarray(np.round(digit * 255 / 16).astype(np.uint8)).save(stream, format="PNG")
        pictures.append(stream.getvalue())
    labels = [str(code) for code in np.asarray(bunch["target"])]  # type: ignore[index]
    return pa.table({"image": pa.array(pictures, pa.large_binary()), "label": pa.array(labels)})
