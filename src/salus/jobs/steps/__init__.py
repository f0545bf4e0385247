"""The steps there are, one file each: a job's input in, records out. Adding one is one file and one name in `STEPS`.

A step may assume a folder of its own that survives attempts, and a context. It must keep: files it answers with are in
the blob store before it returns; a second attempt in the same folder goes on or begins anew, never fails on leftovers.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.store.blobs import Blobs

STEPS: dict[str, str] = {
    "add": "salus.jobs.steps.add:add",
    "train": "salus.jobs.steps.train:train",
}


@dataclass(frozen=True)
class Workplace:
    """Where a step works and what it may use."""

    folder: Path  # survives attempts; gone when the job is over
    keys: Path  # the home's keys; signing.pem lies there
    blobs: Blobs
    context: Context


Step = Callable[[dict[str, Any], Workplace], dict[str, Any]]


def step_named(name: str) -> Step:
    """The step's function; its heavy imports happen here, in the process of the step."""
    if name not in STEPS:
        raise SalusError("unknown_step", expected=", ".join(STEPS), found=name[:60])
    module, _, attribute = STEPS[name].partition(":")
    step: Step = getattr(importlib.import_module(module), attribute)
    return step
