"""The real tables on which findings and groups are tried: those that scikit-learn brings, and those of a folder when there is one."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from sklearn import datasets

BUNDLED = ("iris", "wine", "breast_cancer", "diabetes", "linnerud")
WHO = {  # the person columns of the real sets
    "diabetes_130": ("diabetes_130/diabetic_data.csv.gz", ",", "patient_nbr"),
    "fitbit": ("fitbit_daily/dailyActivity_merged.csv", ",", "Id"),
    "watch": ("watch_shoulder_exercises/watch.parquet", "", "subject"),
    "cardio": ("cardio_70k/cardio_train.csv", ";", None),
    "stroke": ("stroke/healthcare-stroke-dataset.csv", ",", None),
    "calories": ("calories_exercise/exercise.csv", ",", None),
    "heart": ("heart_cleveland/heart_disease.tab", "\t", None),
    "pima": ("pima_diabetes/pima-indians-diabetes.csv", ",", None),
    "wdbc": ("breast_cancer_wdbc/breast_cancer.csv", ",", None),
    "etth": ("etth/ETTh1.csv", ",", None),
}
TARGETS = {  # of the sets whose last column is none
    "diabetes_130": "readmitted",
    "fitbit": "Calories",
    "watch": "label",
    "calories": "Heart_Rate",
}
HEADERLESS = {"pima": 0, "wdbc": 1}  # rows to skip


def real_tables(folder: Path | None, foreign: bool = False) -> dict[str, tuple[pa.Table, str | None]]:
    """Name -> (table, its person column or None). foreign: that column is called x7."""
    found = {f"sklearn {name}": (bundled(name), None) for name in BUNDLED}
    if folder is None:
        return found
    for name, (file, delimiter, who) in WHO.items():
        if not (folder / file).exists():
            print(f"absent   {file}", flush=True)
            continue
        table = _read(folder / file, name, delimiter)
        if who is not None and foreign:
            table = table.rename_columns(["x7" if column == who else column for column in table.column_names])
            who = "x7"
        found[name] = (table, who)
    return found


def bundled(name: str) -> pa.Table:
    """A set of scikit-learn as a table."""
    content = getattr(datasets, f"load_{name}")()
    columns = {str(key): content.data[:, at] for at, key in enumerate(content.feature_names)}
    target = content.target if content.target.ndim == 1 else content.target[:, 0]
    if hasattr(content, "target_names") and content.target.ndim == 1 and target.dtype.kind == "i":
        target = np.asarray(content.target_names)[target]
    return pa.table({**columns, "target": target})


def _read(file: Path, name: str, delimiter: str) -> pa.Table:
    if file.suffix == ".parquet":
        return pq.read_table(file)
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    lines = content.split(b"\n")
    if file.suffix == ".tab":  # Orange: three header rows
        lines = [lines[0], *lines[3:]]
    elif name in HEADERLESS:
        lines = lines[HEADERLESS[name] :]
        content = b",".join(b"c%d" % at for at in range(lines[0].count(b",") + 1))
        lines = [content, *lines]
    read = pyarrow.csv.read_csv(
        io.BytesIO(b"\n".join(lines)),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
        convert_options=pyarrow.csv.ConvertOptions(null_values=["", "?", "N/A"], strings_can_be_null=True),
    )
    return read.select([column for column in read.column_names if column])
