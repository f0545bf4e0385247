"""Quality of Salus against its peers: the same rows, the same seconds, the same threads, every fit in a process of its own.

Tables at two minutes: LightGBM with defaults, logistic or ridge regression, FLAML, AutoGluon medium and best. Recordings at two
minutes: MiniRocket of aeon, boosting on features of the signal. Pictures at five minutes: the recipe in Salus, HOG and an SVM.

`--peers` is a folder with an environment for each peer (`make bench-peers` makes .venv-peers). Sets, answers and models are kept
in `--cache`, a fit that is there is not done again, so that a run can be stopped at any time; `--again` forgets the chosen ones.
After every fit the figures are computed from the answers and written to `--output`: losses with AUC and accuracy, ranks, and the
paired difference to every peer with a 95 % interval over test rows, or over people where the set names them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from figures import machine
from quality_scores import FAILURE, score_set
from quality_sets import FAMILIES, write_set

HERE = Path(__file__).parent
BUDGETS_S = {"tables": 120.0, "series": 120.0, "pictures": 300.0}
PATIENCE = 3.0  # a fit that takes this many budgets, and five minutes more, is ended and reported as failed
OURS = "salus"


@dataclass(frozen=True)
class Contestant:
    """script: a file of quality_peers. home: the name of its environment, None: this one."""

    name: str
    script: str
    home: str | None
    environment: dict[str, str] = field(default_factory=dict)


CONTESTANTS = {
    "tables": (
        Contestant(OURS, "ours", None),
        Contestant("linear", "table_linear", "flaml"),
        Contestant("lightgbm", "table_lightgbm", "flaml"),
        Contestant("autogluon_medium", "table_autogluon", "autogluon", {"QUALITY_PRESET": "medium_quality"}),
        Contestant("flaml", "table_flaml", "flaml"),
        Contestant("autogluon_best", "table_autogluon", "autogluon", {"QUALITY_PRESET": "best_quality"}),
    ),
    "series": (
        Contestant(OURS, "ours", None),
        Contestant("minirocket", "series_minirocket", "aeon"),
        Contestant("features_boosting", "series_features", "aeon"),
    ),
    "pictures": (
        Contestant(OURS, "ours", None),
        Contestant("recipe", "ours", None, {"QUALITY_RECIPE": "cifar10_keras_cnn"}),
        Contestant("hog_svm", "picture_hog", "hog"),
    ),
}


def main() -> None:
    asked = arguments()
    results = json.loads(asked.output.read_bytes()) if asked.output and asked.output.exists() else {"sets": {}}
    for contestant_at in range(max(len(each) for each in CONTESTANTS.values())):
        for family, makers in FAMILIES.items():
            if contestant_at >= len(CONTESTANTS[family]):
                continue
            contestant = CONTESTANTS[family][contestant_at]
            for make in makers:
                if wanted(asked.sets, make.__name__, family) and wanted(asked.contestants, contestant.name):
                    about = write_set(family, make, asked.data, asked.cache / "sets" / make.__name__)
                    measure(contestant, about, asked)
                    results["sets"][about["name"]] = score_set(about, asked.cache, names_of(family), OURS)
                    write(results, asked.output)
    print(json.dumps(results["sets"], indent=1))


def measure(contestant: Contestant, about: dict[str, Any], asked: argparse.Namespace) -> None:
    """Every fold that is not there yet."""
    budget_s = asked.budget or BUDGETS_S[about["family"]]
    for fold in range(len(about["folds"]))[: asked.folds]:
        output = asked.cache / "answers" / about["name"] / contestant.name / str(fold)
        if asked.again:
            shutil.rmtree(output, ignore_errors=True)
        if (output / "result.json").exists():
            continue
        began = time.monotonic()
        failure = in_process(contestant, about, fold, budget_s, output, asked)
        if failure:
            output.mkdir(parents=True, exist_ok=True)
            (output / FAILURE).write_text(failure, encoding="utf-8")
        said = failure or f"{time.monotonic() - began:.0f} s"
        print(f"{about['name']} {contestant.name} {fold}: {said}", file=sys.stderr, flush=True)


def in_process(
    contestant: Contestant, about: dict[str, Any], fold: int, budget_s: float, output: Path, asked: argparse.Namespace
) -> str | None:
    """One fit and its answers, complete or not at all; what went wrong, if something did."""
    python = sys.executable if contestant.home is None else str(asked.peers / contestant.home / "bin" / "python")
    if not Path(python).exists():
        return f"left out, there is no {python}"
    with tempfile.TemporaryDirectory(prefix="quality-") as scratch:
        folder = asked.cache / "sets" / about["name"]
        command = [
            python,
            "-W",
            "ignore",
            str(HERE / "quality_peers" / f"{contestant.script}.py"),
            "--folder",
            str(folder),
        ]
        command += ["--fold", str(fold), "--budget", str(budget_s), "--threads", str(asked.threads)]
        command += ["--seed", str(asked.seed), "--output", scratch]
        environment = os.environ | contestant.environment | {"OMP_NUM_THREADS": str(asked.threads)}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=environment, timeout=PATIENCE * budget_s + 300, check=False
            )
        except subprocess.TimeoutExpired:
            return "failed: took too long"
        if done.returncode != 0:
            return f"failed: {done.stderr[-1500:]}"
        output.mkdir(parents=True, exist_ok=True)
        result = json.loads((Path(scratch) / "result.json").read_bytes())
        result |= {"budget_s": budget_s, "threads": asked.threads, "machine": machine()}
        shutil.copy(Path(scratch) / "scores.npy", output / "scores.npy")
        if (Path(scratch) / "kept").exists():
            shutil.copytree(Path(scratch) / "kept", output / "kept", dirs_exist_ok=True)
        (output / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return None


def names_of(family: str) -> list[str]:
    return [contestant.name for contestant in CONTESTANTS[family]]


def wanted(chosen: list[str] | None, *names: str) -> bool:
    return not chosen or any(name in chosen for name in names)


def write(results: dict[str, Any], output: Path | None) -> None:
    if output is None:
        return
    content = {"script": "quality", "machine": machine(), "sets": results["sets"]}
    output.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    given = os.environ.get("SALUS_BENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(given) if given else None, required=given is None)
    parser.add_argument("--peers", type=Path, default=HERE.parent / ".venv-peers", help="folder of environments")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "salus-quality")
    parser.add_argument("--budget", type=float, help="seconds, instead of two and five minutes")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", nargs="*", help="names of sets, or tables, series, pictures")
    parser.add_argument("--contestants", nargs="*", help="salus, linear, lightgbm, ...")
    parser.add_argument("--folds", type=int, help="only the first so many")
    parser.add_argument("--again", action="store_true", help="forget what was measured")
    parser.add_argument("--output", type=Path, help="file for the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
