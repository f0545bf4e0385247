"""Writes docs/benchmarks.md from benchmarks/results/*.json, so that the page quotes only what a script printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
OURS = "salus"
LONGEST_WORD = 120  # of a cell
HEAD = """# Benchmarks

Every figure here was printed by the script that its section names; the JSON with all single runs and the machine lies in `benchmarks/results/`.
This page is made from them by `scripts/make_benchmarks_page.py`. Machines are shared and noisy: read medians and ratios, not single times.

Run them all with `make bench BENCH_FLAGS='--data FOLDER'`; `train_cifar10.py` needs a folder with `train.parquet` and `test.parquet`, and
it and `serve.py` take `--peer-python`, a Python of an environment that has the peer installed. `make bench-peers` installs all peers into
`.venv-peers/NAME`, from `benchmarks/peers/NAME.txt`: `tensorflow` for the former, `fastapi` for the latter, the others for `quality.py`,
which `make bench-quality BENCH_FLAGS='--data FOLDER'` runs together with `one_row.py` and `repeat.py`.
"""
QUALITY = """Both sides learn from the same rows with the same budget and threads, every fit in a process of its own. *ours minus it* is the
paired difference of the loss with its 95 % interval: below 0 Salus is better, an interval that holds 0 decides nothing, **bold** is one that does
not. It is drawn over the judged rows, over people or patients where the set names them, and by a t-interval where they are fewer than 20. A row
is asked alone in the process of its model; sizes are those of what is deployed."""


def main() -> None:
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The page."""
    sections = [section(json.loads(path.read_bytes())) for path in sorted(RESULTS.glob("*.json"))]
    return "\n".join([HEAD, *sections])


def section(result: dict[str, Any]) -> str:
    """One script: its machine, and its figures as a table or, of quality.py, as a table a set."""
    if "task" in result:
        return "\n".join([*task_lines(result), ""])
    lines = [f"## {result['script']}", "", machine_line(result), ""]
    lines += quality_lines(result["sets"]) if "sets" in result else figure_lines(result["figures"])
    return "\n".join([*lines, ""])


def machine_line(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = f"{machine['cores']} cores of {machine['processor']}, {machine['memory'] / 2**30:.0f} GiB"
    return f"`benchmarks/{result['script']}.py` on {where}; {versions}."


def task_lines(result: Mapping[str, Any]) -> list[str]:
    """One task of tasks.py: every number that it gave, by its path of names."""
    conditions = f"{result['threads']} threads, {shown(result['seconds'])} s in all"
    note = f" {result['note']}" if "note" in result else ""
    lines = [
        f"## task {result['task']}",
        "",
        f"{machine_line(result)} `--task {result['task']}`, {conditions}.{note}",
        "",
    ]
    return [*lines, "| figure | value |", "| --- | --- |", *leaf_lines(result["figures"], "")]


def leaf_lines(value: Any, name: str) -> list[str]:
    """A row for every number or short word below; an interval is one row. Lists, such as samples, are left to the JSON."""
    if isinstance(value, Mapping):
        if {"value", "low", "high"} <= value.keys():
            return [f"| {name} | {shown(value['value'])} ({shown(value['low'])} to {shown(value['high'])}) |"]
        inside = f"{name}: " if name else ""
        return [line for key, part in value.items() for line in leaf_lines(part, f"{inside}{key}")]
    if isinstance(value, bool) or value is None or isinstance(value, list):
        return []
    if isinstance(value, int | float):
        return [f"| {name} | {shown(float(value))} |"]
    return [f"| {name} | {value} |"] if len(str(value)) <= LONGEST_WORD else []


def figure_lines(figures: list[dict[str, Any]]) -> list[str]:
    lines = ["| figure | median | unit | runs | beside |", "| --- | --- | --- | --- | --- |"]
    for figure in figures:
        runs = ", ".join(shown(run) for run in figure["runs"])
        value = f"{shown(figure['value'])} | {figure['unit']}"
        lines.append(f"| {figure['name']} | {value} | {runs} | {figure['against'] or ''} |")
    return lines


def quality_lines(sets: Mapping[str, dict[str, Any]]) -> list[str]:
    """The mean ranks of each family, then a table a set."""
    lines = [QUALITY, ""]
    for family in dict.fromkeys(found["family"] for found in sets.values()):
        of_family = {name: found for name, found in sets.items() if found["family"] == family}
        lines += [*rank_lines(family, of_family), ""]
        for name, found in of_family.items():
            lines += [*set_lines(name, found), ""]
    return lines[:-1]


def rank_lines(family: str, sets: Mapping[str, dict[str, Any]]) -> list[str]:
    """Mean rank of every contestant that was measured on all sets, the smallest first."""
    ranks = {
        name: [found["contestants"][name]["rank"] for found in sets.values()]
        for name in next(iter(sets.values()))["contestants"]
        if all(name in found["contestants"] for found in sets.values())
    }
    ordered = sorted(ranks, key=lambda name: (sum(ranks[name]), name))
    told = ", ".join(f"{name} {sum(ranks[name]) / len(sets):.2f}" for name in ordered)
    return [f"### Quality of {family}", "", f"Mean rank over {len(sets)} sets: {told}."]


def set_lines(name: str, found: dict[str, Any]) -> list[str]:
    """One set: contestants by rank."""
    judged = f"{found['judged']:,} rows judged"
    folds = f"{found['folds']} folds" if found["folds"] > 1 else "one split"
    units = f", of {found['units']:,} units" if found["units"] else ""
    lines = [f"**{name}**: {judged}{units}, {folds}.", ""]
    lines += [
        f"| contestant | {found['loss']} | 95 % | AUC | accuracy | ours minus it | budget s | fit s | MB | one row ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    contestants = found["contestants"]
    for contestant in sorted(contestants, key=lambda each: contestants[each]["rank"]):
        lines.append(contestant_line(contestant, contestants[contestant], found["ours_minus"].get(contestant)))
    for contestant, texts in found["failures"].items():
        lines += ["", f"Without an answer: {contestant}, {len(texts)} times; {texts[0]}"]
    return lines


def contestant_line(name: str, said: dict[str, Any], difference: list[float] | None) -> str:
    interval = " to ".join(shown(edge) for edge in said["interval"])
    cells = [f"**{name}**" if name == OURS else name, shown(said["loss"]), interval]
    cells += [shown(said[metric]) if said.get(metric) is not None else "" for metric in ("auc", "accuracy")]
    cells.append(difference_cell(difference))
    cells += [
        shown(said["budget_s"]),
        shown(said["fit_s"]),
        f"{said['size_bytes'] / 1e6:.2f}",
        shown(said["one_row_ms"]),
    ]
    return f"| {' | '.join(cells)} |"


def difference_cell(difference: list[float] | None) -> str:
    """The difference and its interval, bold where it decides."""
    if not difference:
        return ""
    middle, low, high = difference
    told = f"{middle:+.3g} ({low:+.3g} to {high:+.3g})"
    return f"**{told}**" if low > 0 or high < 0 else told


def shown(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


if __name__ == "__main__":
    main()
