"""Writes docs/benchmarks.md from benchmarks/results/*.json, so that the page quotes only what a script printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Every figure here was printed by the script that its section names; the JSON with all single runs and the machine lies in `benchmarks/results/`.
This page is made from them by `scripts/make_benchmarks_page.py`. Machines are shared and noisy: read medians and ratios, not single times.

Run them all with `make bench BENCH_FLAGS='--data FOLDER'`; `train_cifar10.py` needs a folder with `train.parquet` and `test.parquet`, and
it and `serve.py` take `--peer-python`, a Python of an environment that has the peer installed.
"""


def main() -> None:
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The page."""
    sections = [section(json.loads(path.read_bytes())) for path in sorted(RESULTS.glob("*.json"))]
    return "\n".join([HEAD, *sections])


def section(result: dict[str, Any]) -> str:
    """One script as a table."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        f"## {result['script']}",
        "",
        f"`benchmarks/{result['script']}.py` on {machine['cores']} cores of {machine['processor']}, {machine['memory'] / 2**30:.0f} GiB; {versions}.",
        "",
        "| figure | median | unit | runs | beside |",
        "| --- | --- | --- | --- | --- |",
    ]
    for figure in result["figures"]:
        runs = ", ".join(shown(run) for run in figure["runs"])
        lines.append(
            f"| {figure['name']} | {shown(figure['value'])} | {figure['unit']} | {runs} | {figure['against'] or ''} |"
        )
    return "\n".join([*lines, ""])


def shown(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


if __name__ == "__main__":
    main()
