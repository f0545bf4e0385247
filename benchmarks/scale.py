"""What size costs: seconds and peak memory of adding a table, and of training `linear` on it, at 1, 10 and 100 times the rows.

Every step runs in a process of its own, whose peak of resident memory is what is said. The rows are drawn from a seed, so no data
is needed. `--gib` adds one CSV of so many GiB, `--pictures-gib` so many GiB of pictures in class folders; both only add.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from PIL import Image as Pillow

from figures import Figure, write_figures

TIMES = (1, 10, 100)
BLOCK_ROWS = 100_000
PICTURE_SIDE = 1024  # pixels; noise, so that a PNG of it is large
BAR_MB = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the smallest table")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds that a fit may take")
    parser.add_argument("--gib", type=float, default=0.0, help="also add a CSV of so many GiB")
    parser.add_argument("--pictures-gib", type=float, default=0.0, help="also add so many GiB of pictures")
    parser.add_argument("--scratch", type=Path, help="a folder with room; a temporary one without")
    parser.add_argument("--data", type=Path, help="not needed; taken so that all scripts can be called alike")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        folder = Path(name)
        for times in TIMES if asked.rows else ():
            figures += table_figures(folder / str(times), asked.rows * times, asked.budget)
        if asked.gib:
            write_table(folder / "large.csv", None, asked.gib)
            figures += added(folder / "large.csv", folder / "large", f"a CSV of {asked.gib:g} GiB")
            (folder / "large.csv").unlink()
        if asked.pictures_gib:
            write_pictures(folder / "pictures", asked.pictures_gib)
            figures += added(folder / "pictures", folder / "pictured", f"{asked.pictures_gib:g} GiB of pictures")
    write_figures("scale", figures, asked.output)


def table_figures(folder: Path, rows: int, budget_s: float) -> list[Figure]:
    """Adding and training at one size."""
    folder.mkdir()
    write_table(folder / "rows.csv", rows, None)
    found = added(folder / "rows.csv", folder / "version", f"{rows:,} rows")
    done = child("train", str(folder / "version"), str(budget_s))
    name = f"training linear, {rows:,} rows"
    return [
        *found,
        *cost(name, done, f"a budget of {budget_s:g} s", None),
        Figure(f"{name}: accuracy", done["accuracy"], ""),
    ]


def added(path: Path, output: Path, name: str) -> list[Figure]:
    done = child("add", str(path), str(output))
    size_mb = sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*.*"))) / 2**20
    return cost(f"adding {name}", done, f"{size_mb / done['seconds']:.1f} MiB a second", f"bar {BAR_MB} MB")


def cost(name: str, done: dict[str, Any], pace: str, bar: str | None) -> list[Figure]:
    """The processor's seconds stay the same on a machine that has other work."""
    return [
        Figure(name, done["seconds"], "s", pace),
        Figure(f"{name}: processor time", done["processor_s"], "s"),
        Figure(f"{name}: peak memory", done["peak_mb"], "MB", bar),
    ]


def child(step: str, *arguments: str) -> dict[str, Any]:
    """What a step in a fresh process says of itself."""
    command = [sys.executable, str(Path(__file__).resolve()), "--step", step, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_step(step: str, arguments: list[str]) -> None:
    """In the process of its own: the step, then its seconds and peak as JSON."""
    import salus

    began = time.perf_counter()
    said: dict[str, Any] = {}
    if step == "add":
        said["rows"] = salus.read(arguments[0], output=arguments[1]).rows
    else:
        from salus.data.version import DataVersion

        version = DataVersion.open_folder(Path(arguments[0]))
        model = salus.fit(version, "state", budget=float(arguments[1]), learner="linear", contrast=False)
        said["accuracy"] = model.report["metrics"]["accuracy"]["value"]
    said["seconds"] = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    said["processor_s"] = used.ru_utime + used.ru_stime
    said["peak_mb"] = used.ru_maxrss / 1024  # kilobytes, as Linux counts
    print(json.dumps(said))


def write_table(file: Path, rows: int | None, gib: float | None) -> None:
    """Drawn rows as CSV: so many, or so many GiB."""
    generator = np.random.default_rng(0)
    written = 0
    with file.open("wb") as stream:
        while written < rows if rows is not None else stream.tell() < (gib or 0) * 2**30:
            count = BLOCK_ROWS if rows is None else min(BLOCK_ROWS, rows - written)
            block = drawn_rows(generator, written, count)
            pacsv.write_csv(block, stream, pacsv.WriteOptions(include_header=written == 0))
            written += count


def drawn_rows(generator: np.random.Generator, first: int, count: int) -> pa.Table:
    """Measurements, counts, labels, a person, a moment; and a state that follows from some of them."""
    x_BN = generator.normal(size=(count, 8)).round(4)
    place = generator.integers(0, 12, count)
    score = x_BN[:, 0] - x_BN[:, 1] * 0.5 + (place % 3 == 0) + generator.normal(size=count)
    columns: dict[str, Any] = {f"measure_{index}": x_BN[:, index] for index in range(8)}
    columns |= {f"count_{index}": generator.poisson(4.0 + 10 * index, count) for index in range(4)}
    columns["place"] = pa.array([f"place {number}" for number in range(12)]).take(pa.array(place))
    columns["device"] = pa.array(["watch", "band", "ring"]).take(pa.array(generator.integers(0, 3, count)))
    columns["row_id"] = np.arange(first, first + count)
    seconds = 1_600_000_000 + np.arange(first, first + count) * 7
    columns["measured_at"] = pa.array(seconds).cast(pa.timestamp("s"))
    columns["state"] = pa.array(["well", "ill"]).take(pa.array((score > 0.3).astype(int)))
    return pa.table(columns)


def write_pictures(folder: Path, gib: float) -> None:
    """PNG of noise, each another, in ten folders named by a class."""
    generator = np.random.default_rng(0)
    written, count = 0, 0
    while written < gib * 2**30:
        pixels = generator.integers(0, 256, (PICTURE_SIDE, PICTURE_SIDE, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Pillow.fromarray(pixels).save(stream, "PNG", compress_level=0)
        place = folder / f"class_{count % 10}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{count:06d}.png").write_bytes(stream.getvalue())
        written, count = written + stream.tell(), count + 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        run_step(sys.argv[2], sys.argv[3:])
    else:
        main()
