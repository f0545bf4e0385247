"""How long one answer takes, at the quality that quality.py measured: ours in this process and over HTTP, peers in theirs.

Serves the models that quality.py kept in `--cache`, the first fold of every table, through the model server with key, checks,
metrics and request ids, and asks for one test row at a time over one connection that stays open. The times of the peers are
those of quality.py, in their own process: AutoGluon persisted in memory, the others as they are fitted.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

import salus
from figures import Figure, write_figures
from salus.bundle.sign import Signer
from serve import TOKEN, make_home, ours

IN_PROCESS_BAR = "bar 1 ms"
CALLS = 1000
WARMING_CALLS = 50


def main() -> None:
    asked = arguments()
    figures = []
    for kept in sorted((asked.cache / "answers").glob("*/salus/0/kept/rows.json")):
        answers = kept.parents[3]
        rows = json.loads(kept.read_bytes())
        figures += figures_of(answers.name, kept.parent / "bundle", rows)
        for result in sorted(answers.glob("*/0/result.json")):
            peer = result.parents[1].name
            if peer != "salus":
                value = json.loads(result.read_bytes())["one_row_ms"]
                figures.append(Figure(f"{answers.name}: {peer} in its process", value, "ms"))
    if not figures:
        raise SystemExit(f"no model of quality.py in {asked.cache}")
    write_figures("one_row", figures, asked.output)


def figures_of(name: str, bundle: Path, rows: list[dict[str, Any]]) -> list[Figure]:
    model = salus.load(bundle)
    inside = times(lambda row: model.predict([row]), rows)
    with tempfile.TemporaryDirectory() as scratch:
        signed = shutil.copytree(bundle, Path(scratch) / "bundle")
        signer = Signer.create(Path(scratch) / "signing.pem")
        (signed / "signature.json").write_bytes(signer.signature_file((signed / "manifest.json").read_bytes()))
        home = make_home(Path(scratch) / "home", signed)
        with ours(home) as (address, _):
            outside = over_http(address, rows)
    return [
        Figure(f"{name}: salus in-process", inside[0], "ms", IN_PROCESS_BAR),
        Figure(f"{name}: salus in-process, 99th percentile", inside[1], "ms"),
        Figure(f"{name}: salus over HTTP", outside[0], "ms"),
        Figure(f"{name}: salus over HTTP, 99th percentile", outside[1], "ms"),
    ]


def over_http(address: str, rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Median and 99th percentile of requests with one row, one after another."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=10)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}

    def ask(row: dict[str, Any]) -> None:
        connection.request("POST", parts.path, json.dumps({"rows": [row]}).encode(), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {content[:500]!r}")

    found = times(ask, rows)
    connection.close()
    return found


def times(ask: Any, rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Median and 99th percentile of a call, in milliseconds."""
    for at in range(WARMING_CALLS):
        ask(rows[at % len(rows)])
    seconds = []
    for at in range(CALLS):
        began = time.perf_counter()
        ask(rows[at % len(rows)])
        seconds.append(time.perf_counter() - began)
    middle, high = np.quantile(seconds, [0.5, 0.99]) * 1000
    return float(middle), float(high)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="not needed; taken so that all scripts can be called alike")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "salus-quality")
    parser.add_argument("--output", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
