"""Every task of the mission on its real data: quality, with the peer or reference in the same run, and the time it took.

`--task NAME` is what one of the files `tasks_*.py` beside this one serves; `--task list` names them. Each file has `NAMES` and
`run(name, data, budget_s, threads, seed)`, which goes through `salus.fit` as a person would, and gives figures as JSON.
With `--output` the figures are kept with the machine's description, one file a task.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from figures import machine

HERE = Path(__file__).parent


def main() -> None:
    asked = arguments()
    served = modules()
    if asked.task == "list":
        print("\n".join(sorted(served)))
        return
    if asked.task not in served:
        sys.exit(f"no task {asked.task}: expected one of {', '.join(sorted(served))}")
    began = time.monotonic()
    figures = served[asked.task].run(asked.task, asked.data, asked.budget, asked.threads, asked.seed)
    result: dict[str, Any] = {"script": "tasks", "task": asked.task, "machine": machine(), "threads": asked.threads}
    result |= {"seconds": round(time.monotonic() - began, 1), "figures": figures}
    shown = json.dumps(result, indent=1, ensure_ascii=False)
    print(shown)
    if asked.output:
        asked.output.write_text(shown + "\n", encoding="utf-8")


def modules() -> dict[str, ModuleType]:
    """Name of a task -> the file that serves it."""
    found: dict[str, ModuleType] = {}
    for path in sorted(HERE.glob("tasks_*.py")):
        module = importlib.import_module(path.stem)
        found |= dict.fromkeys(module.NAMES, module)
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    given = os.environ.get("SALUS_BENCH_DATA")
    parser.add_argument("--task", required=True, help="a name, or list")
    parser.add_argument("--data", type=Path, default=Path(given) if given else None, required=given is None)
    parser.add_argument("--budget", type=float, help="seconds, instead of the task's own")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="file for the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
