"""Speech recognition and audio classification: spoken digits (FSDD) and coffee orders (how many shots).

`fsdd_speaker`: words of each of six speakers, learned from the other five, five minutes each; the speaker left out is the official test side.
`fsdd_official`: the published sides, which share speakers. `fsdd_digit`: the digit as a label, speakers held out as groups. `barista`: the
number of shots that an order names, or none. The figures are those of the report.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import salus
from figures import short

NAMES = ("fsdd_speaker", "fsdd_official", "fsdd_digit", "barista")
BUDGET_S = 300.0


def run(name: str, data: Path, budget_s: float | None, threads: int, seed: int) -> dict[str, Any]:
    """Figures of one set."""
    said = {"budget": budget_s or BUDGET_S, "threads": threads, "seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sounds.parquet"
        if name == "barista":
            write_table(path, _orders(data))
            return _learned(path, "shots", said)
        digits = read_digits(data)
        if name == "fsdd_digit":
            write_table(path, {column: digits[column] for column in ("audio_wav", "digit", "speaker")})
            return _learned(path, "digit", said | {"group": "speaker"})
        columns = {column: digits[column] for column in ("audio_wav", "transcript")}
        if name == "fsdd_official":
            write_table(path, columns | {"split": digits["split"]})
            return _learned(path, "transcript", said | {"task": "transcription"})
        found: dict[str, Any] = {}
        for speaker in sorted(set(digits["speaker"])):
            sides = ["test" if other == speaker else "train" for other in digits["speaker"]]
            write_table(path, columns | {"split": sides})
            found[speaker] = _learned(path, "transcript", said | {"task": "transcription"})
        rates = [one["metrics"]["wer"]["value"] for one in found.values()]
        return {"mean_wer": round(float(np.mean(rates)), 4), "worst_wer": max(rates), "speakers": found}


def _learned(path: Path, target: str, said: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    model = salus.fit(path, target, **said)
    report = model.report
    return {
        "metrics": {name: short(item) for name, item in report["metrics"].items()},
        "nothing": {name: round(item["value"], 4) for name, item in report["baseline"].items()},
        "split": {side: report["split"][side] for side in ("train", "validation", "test")},
        "learner": report["learner"]["name"],
        "config": report["learner"]["config"],
        "one_row_ms": report["latency"]["one_row_ms"],
        "graph_bytes": report["size_bytes"],
        "fit_seconds": report["seconds"],
        "seconds": round(time.monotonic() - began, 1),
    }


def read_digits(data: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sides = {side: pq.read_table(data / "fsdd" / f"{side}.parquet") for side in ("train", "test")}
    columns: dict[str, list[Any]] = pa.concat_tables(sides.values()).to_pydict()
    columns["digit"] = [str(digit) for digit in columns["digit"]]
    return columns | {"split": [side for side, table in sides.items() for _ in range(table.num_rows)]}


def _orders(data: Path) -> dict[str, list[Any]]:
    import pyarrow.parquet as pq

    table = pq.read_table(data / "barista_commands" / "sample310.parquet").to_pydict()
    shots = [json.loads(slots).get("numberOfShots", "none") for slots in table["slots_json"]]
    return {"audio_flac": table["audio_flac"], "shots": shots}


def write_table(path: Path, columns: dict[str, list[Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)
