"""The environment of a step's process: a short list of what it may inherit, and what it is given.

Knows variable names. Keys, proxies and everything else of the worker's environment stay behind; libraries that would
call home are told not to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV")
INHERITED_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "ROCR_", "HIP_")
SILENCED = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "0",
    "NO_PROXY": "*",
    "no_proxy": "*",
}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ARROW_IO_THREADS",
)


def step_environment(inherited: Mapping[str, str], threads: int, temporary: Path) -> dict[str, str]:
    """What the process of a step sees. threads: 0 means as many as the machine gives us."""
    environment = {
        name: value for name, value in inherited.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
    count = str(threads or available_threads())
    return environment | SILENCED | dict.fromkeys(THREAD_VARIABLES, count) | {"TMPDIR": str(temporary)}


def available_threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
