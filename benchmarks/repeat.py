"""Whether the same plan gives the same model: twice undisturbed, and killed (SIGKILL) at random moments and resumed, 20 times in all.

Each case is one study: a table with the whole portfolio, and pictures with a network. Both plans of the first fit are put into the
folders of all others, since new ones would follow the clock. A fit that was killed goes on in its folder; when it ends, its `model_hash` is compared
and the next one begins in an empty folder, until so many kills have happened. Needs no data beside what scikit-learn brings.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from figures import Figure, write_figures

SEED = 2026
PLANS = ("plan.json", "further.json")  # both follow the clock: the second is made when the first fits are done
CASES = {
    "table": {"data": "sklearn:breast_cancer", "target": "target", "learner": "auto"},
    "pictures": {"data": "sklearn:digits", "target": "label", "learner": "cnn"},
}


@dataclass(frozen=True)
class Ended:
    """One child: model_hash is None when it was killed."""

    model_hash: str | None
    seconds: float


def main() -> None:
    asked = arguments()
    if asked.case:
        fit(asked.case, asked.budget, asked.folder)
        return
    figures = []
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="repeat-") as scratch:
            figures += figures_of(case, Path(scratch), asked.budget, asked.kills)
    write_figures("repeat", figures, asked.output)


def fit(case: str, budget_s: float, folder: Path) -> None:
    """In a child: the study, its hash on the last line."""
    import salus

    about = CASES[case]
    model = salus.fit(
        about["data"], about["target"], learner=about["learner"], budget=budget_s, threads=1, checkpoints=folder
    )
    print(json.dumps({"model_hash": model.bundle.manifest.model_hash}), flush=True)


def figures_of(case: str, scratch: Path, budget_s: float, kills: int) -> list[Figure]:
    """Equal hashes as a share, with what was counted."""
    first = child(case, budget_s, scratch / "first", None)
    plans = {name: (scratch / "first" / name).read_bytes() for name in PLANS}
    again = child(case, budget_s, folder_with(plans, scratch / "again"), None)
    generator = random.Random(SEED)
    killed, resumed, equal = 0, 0, 0
    while killed < kills:
        folder = folder_with(plans, scratch / "killed")
        ended = Ended(None, 0.0)
        before = killed
        while ended.model_hash is None:
            most_s = generator.uniform(0.1, 1.0) * first.seconds if killed < kills else None
            ended = child(case, budget_s, folder, most_s)
            killed += ended.model_hash is None
        if killed > before:
            resumed += 1
            equal += ended.model_hash == first.model_hash
        print(f"{case}: {killed} kills, {equal} of {resumed} equal", file=sys.stderr, flush=True)
        shutil.rmtree(folder)
    return [
        Figure(
            f"{case}: same plan again, equal model_hash", float(again.model_hash == first.model_hash), "share", "bar 1"
        ),
        Figure(
            f"{case}: killed {killed} times, {resumed} models resumed, equal model_hash",
            equal / resumed,
            "share",
            "bar 1",
        ),
        Figure(f"{case}: an undisturbed fit", first.seconds, "s", None, [first.seconds, again.seconds]),
    ]


def folder_with(plans: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir()
    for name, content in plans.items():
        (folder / name).write_bytes(content)
    return folder


def child(case: str, budget_s: float, folder: Path, most_s: float | None) -> Ended:
    """One fit in a process of its own, killed after `most_s` seconds."""
    command = [sys.executable, __file__, "--case", case, "--budget", str(budget_s), "--folder", str(folder)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said, complaint = process.communicate(timeout=most_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Ended(None, time.monotonic() - began)
    if process.returncode != 0:
        raise SystemExit(f"{case} failed:\n{complaint[-2000:]}")
    return Ended(json.loads(said.strip().splitlines()[-1])["model_hash"], time.monotonic() - began)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="not needed; taken so that all scripts can be called alike")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of a fit")
    parser.add_argument("--kills", type=int, default=20, help="of each case")
    parser.add_argument("--output", type=Path, help="also write the figures to this file")
    parser.add_argument("--case", choices=list(CASES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
