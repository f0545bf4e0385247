"""The data sets of quality.py, written once into a cache folder in the one form that every contestant reads.

A set's folder holds `rows.csv` (tables) or `rows.parquet` (recordings, pictures) with the cells as the source has them, empty
where the source says missing, and `set.json`: what is predicted, the true answers, who belongs together, and the test rows of
every fold. Sets of few rows are cross-validated, the others have one split; both are seeded, stratified, and by group where
the source names people.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SEED = 2026
TEST_SHARE = 0.2
WINDOW_STEPS, STRIDE_STEPS = 200, 100  # four seconds of the watch, for the flattering split of windows

Rows = dict[str, list[Any]]  # column -> cells


@dataclass(frozen=True)
class Made:
    """rows: the cells. sides: the official split a row, or None. folds: how often to split without one."""

    rows: Rows
    target: str
    folds: int = 1
    group: str | None = None
    ignore: tuple[str, ...] = ()
    sides: list[str] | None = None
    regression: bool = False
    unit: str | None = None  # the column whose values are drawn together by intervals; the group without
    rate_hz: float | None = None


def pima(data: Path) -> Made:
    names = ["pregnancies", "glucose", "pressure", "skin", "insulin", "bmi", "pedigree", "age", "diabetes"]
    lines = list(csv.reader((data / "pima_diabetes" / "pima-indians-diabetes.csv").open(encoding="utf-8")))
    return Made(_by_column(names, lines), "diabetes", folds=5)


def heart(data: Path) -> Made:
    lines = list(csv.reader((data / "heart_cleveland" / "heart_disease.tab").open(encoding="utf-8"), delimiter="\t"))
    return Made(_by_column(lines[0], lines[3:], ("", "?")), "diameter narrowing", folds=5)


def wdbc(data: Path) -> Made:
    lines = list(csv.reader((data / "breast_cancer_wdbc" / "breast_cancer.csv").open(encoding="utf-8")))[1:]
    return Made(_by_column([*(f"c{number}" for number in range(30)), "benign"], lines), "benign", folds=5)


def cardio(data: Path) -> Made:
    lines = list(csv.reader((data / "cardio_70k" / "cardio_train.csv").open(encoding="utf-8"), delimiter=";"))
    return Made(_by_column(lines[0], lines[1:]), "cardio", ignore=("id",))


def stroke(data: Path) -> Made:
    lines = list(csv.reader((data / "stroke" / "healthcare-stroke-dataset.csv").open(encoding="utf-8")))
    return Made(_by_column(lines[0][:12], lines[1:], ("N/A",)), "stroke", folds=5, ignore=("id",))


def diabetes_130(data: Path) -> Made:
    """Readmitted within 30 days, by patient."""
    with gzip.open(data / "diabetes_130" / "diabetic_data.csv.gz", "rt", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    rows = _by_column(lines[0], lines[1:], ("?",))
    rows["soon"] = ["yes" if value == "<30" else "no" for value in rows.pop("readmitted")]
    return Made(rows, "soon", group="patient_nbr", ignore=("encounter_id",))


def calories(data: Path) -> Made:
    folder = data / "calories_exercise"
    burnt = list(csv.reader((folder / "calories.csv").open(encoding="utf-8")))
    lines = list(csv.reader((folder / "exercise.csv").open(encoding="utf-8")))
    by_user = {line[0]: line[1] for line in burnt[1:]}
    rows = _by_column(lines[0], lines[1:])
    rows["Calories"] = [by_user[user] for user in rows["User_ID"]]
    return Made(rows, "Calories", ignore=("User_ID",), regression=True)


def fitbit(data: Path) -> Made:
    """Calories of a day, of people not seen."""
    lines = list(csv.reader((data / "fitbit_daily" / "dailyActivity_merged.csv").open(encoding="utf-8")))
    return Made(_by_column(lines[0], lines[1:]), "Calories", folds=5, group="Id", regression=True)


def wisdm_ar(data: Path) -> Made:
    text = (data / "wisdm_ar" / "WISDM_ar_v1.1_transformed.arff").read_text(encoding="utf-8")
    head, _, body = text.partition("@data")
    names = [line.split()[1] for line in head.splitlines() if line.lower().startswith("@attribute")]
    return Made(_by_column(names, [line.split(",") for line in body.split() if line], ("?",)), "class")


def watch(data: Path) -> Made:
    """Ten people, each left out once; intervals over people."""
    rows = _watch_rows(data)
    return Made(rows, "label", folds=10, group="subject", ignore=("side",), rate_hz=50.0)


def watch_random_windows(data: Path) -> Made:
    """The same recordings cut into windows that are split at random: how much such a split flatters."""
    rows = _watch_rows(data)
    channels = ["ax", "ay", "az", "wx", "wy", "wz"]
    cut: Rows = {name: [] for name in (*channels, "label")}
    for row, label in enumerate(rows["label"]):
        for start in range(0, len(rows["ax"][row]) - WINDOW_STEPS + 1, STRIDE_STEPS):
            for name in channels:
                cut[name].append(rows[name][row][start : start + WINDOW_STEPS])
            cut["label"].append(label)
    return Made(cut, "label", rate_hz=50.0)


def basic_motions(data: Path) -> Made:
    rows: Rows = {f"channel_{number}": [] for number in range(6)} | {"label": []}
    sides = []
    for side in ("TRAIN", "TEST"):
        text = (data / "basic_motions" / f"BasicMotions_{side}.ts").read_text(encoding="utf-8")
        for line in text.partition("@data")[2].split("\n"):
            if not line.strip():
                continue
            *channels, label = line.strip().split(":")
            for number, channel in enumerate(channels):
                rows[f"channel_{number}"].append([float(value) for value in channel.split(",")])
            rows["label"].append(label)
            sides.append(side.lower())
    return Made(rows, "label", sides=sides, rate_hz=10.0)


def ecg5000(data: Path) -> Made:
    lines = (data / "ecg5000_trainpart" / "ECG5000_TRAIN.txt").read_text(encoding="utf-8").splitlines()
    values = [[float(value) for value in line.split()] for line in lines if line.strip()]
    return Made({"beat": [v[1:] for v in values], "label": [f"class {v[0]:.0f}" for v in values]}, "label", folds=5)


def fashion_mnist(data: Path) -> Made:
    rows: Rows = {"image": [], "label": []}
    sides = []
    for side, name in (("train", "train"), ("test", "t10k")):
        pictures = _idx(data / "fashion_mnist" / f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        rows["image"] += [_png(picture) for picture in pictures]
        rows["label"] += [f"class {code}" for code in _idx(data / "fashion_mnist" / f"{name}-labels-idx1-ubyte.gz", 8)]
        sides += [side] * len(pictures)
    return Made(rows, "label", sides=sides)


def brain_tumor_mri(data: Path) -> Made:
    """Test pictures whose bytes also lie in train are left out."""
    import pyarrow.parquet as parquet

    rows: Rows = {"image": [], "label": []}
    sides: list[str] = []
    learned: set[str] = set()
    for side in ("train", "test"):
        table = parquet.read_table(data / "brain_tumor_mri" / f"{side}.parquet", columns=["image", "label"])
        for image, label in zip(table["image"].to_pylist(), table["label"].to_pylist(), strict=True):
            name = hashlib.sha256(image).hexdigest()
            if side == "train":
                learned.add(name)
            elif name in learned:
                continue
            rows["image"].append(image)
            rows["label"].append(label)
            sides.append(side)
    return Made(rows, "label", sides=sides)


def bccd(data: Path) -> Made:
    """Every boxed cell as a picture of its own; the photographs of `test.json` judge."""
    from PIL import Image

    rows: Rows = {"image": [], "label": [], "photograph": []}
    sides: list[str] = []
    with zipfile.ZipFile(data / "bccd" / "images.zip") as archive:
        for part in ("train", "val", "test"):
            boxes = json.loads((data / "bccd" / f"{part}.json").read_bytes())
            files = {image["id"]: image["file_name"] for image in boxes["images"]}
            names = {category["id"]: category["name"] for category in boxes["categories"]}
            for box in boxes["annotations"]:
                left, top, width, height = box["bbox"]
                photograph = Image.open(io.BytesIO(archive.read(files[box["image_id"]]))).convert("RGB")
                crop = photograph.crop((left, top, left + width, top + height))
                rows["image"].append(_png(np.asarray(crop)))
                rows["label"].append(names[box["category_id"]])
                rows["photograph"].append(files[box["image_id"]])
                sides.append("test" if part == "test" else "train")
    return Made(rows, "label", sides=sides, unit="photograph", ignore=("photograph",))


TABLES = (pima, heart, wdbc, cardio, stroke, diabetes_130, calories, fitbit, wisdm_ar)
SERIES = (watch, watch_random_windows, basic_motions, ecg5000)
PICTURES = (fashion_mnist, brain_tumor_mri, bccd)
FAMILIES: dict[str, tuple[Callable[[Path], Made], ...]] = {"tables": TABLES, "series": SERIES, "pictures": PICTURES}


def write_set(family: str, make: Callable[[Path], Made], data: Path, folder: Path) -> dict[str, Any]:
    """The set's folder, made when it is not there yet, and the content of its set.json."""
    about = folder / "set.json"
    if not about.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = make(data)
        _write_rows(made.rows, folder, family)
        about.write_text(json.dumps(_about(family, make.__name__, made)), encoding="utf-8")
    content: dict[str, Any] = json.loads(about.read_bytes())
    return content


def _about(family: str, name: str, made: Made) -> dict[str, Any]:
    labels = [str(value) for value in made.rows[made.target]]
    levels = None if made.regression else sorted(set(labels))
    truth = [float(v) for v in labels] if levels is None else [levels.index(label) for label in labels]
    units = made.rows[made.unit or made.group] if made.unit or made.group else None
    codes = None if units is None else np.unique([str(unit) for unit in units], return_inverse=True)[1]
    folds = [np.flatnonzero(np.array(made.sides) == "test")] if made.sides else _folds(made, np.array(truth), codes)
    return {
        "name": name,
        "family": family,
        "target": made.target,
        "levels": levels,
        "group": made.group,
        "ignore": list(made.ignore),
        "rate_hz": made.rate_hz,
        "truth": truth,
        "units": None if codes is None else codes.tolist(),
        "folds": [np.sort(fold).tolist() for fold in folds],
    }


def _folds(made: Made, truth: np.ndarray, codes: np.ndarray | None) -> list[np.ndarray]:
    """Test rows of every fold: units are shuffled and dealt in turn, class by class where there are no groups."""
    generator = np.random.default_rng(SEED)
    hands = made.folds if made.folds > 1 else round(1 / TEST_SHARE)
    if codes is not None:
        hand_of_unit = np.empty(codes.max() + 1, dtype=np.int64)
        hand_of_unit[generator.permutation(len(hand_of_unit))] = np.arange(len(hand_of_unit)) % hands
        hand = hand_of_unit[codes]
    else:
        order = generator.permutation(len(truth))
        if not made.regression:
            order = order[np.argsort(truth[order], kind="stable")]
        hand = np.empty(len(truth), dtype=np.int64)
        hand[order] = np.arange(len(truth)) % hands
    return [np.flatnonzero(hand == number) for number in range(made.folds)]


def _write_rows(rows: Rows, folder: Path, family: str) -> None:
    if family == "tables":
        with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(rows)
            writer.writerows(zip(*rows.values(), strict=True))
        return
    import pyarrow
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table(rows), folder / "rows.parquet")


def _by_column(names: Sequence[str], lines: Sequence[Sequence[str]], missing: tuple[str, ...] = ()) -> Rows:
    return {
        name: ["" if line[at].strip() in missing else line[at].strip() for line in lines if line]
        for at, name in enumerate(names)
    }


def _watch_rows(data: Path) -> Rows:
    import pyarrow.parquet as parquet

    names = ["subject", "side", "ax", "ay", "az", "wx", "wy", "wz", "label"]
    table = parquet.read_table(data / "watch_shoulder_exercises" / "watch.parquet", columns=names)
    return {name: table[name].to_pylist() for name in names}


def _idx(path: Path, header_bytes: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes())[header_bytes:], dtype=np.uint8)


def _png(picture: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
