"""The one form of a measured figure, with the machine it was measured on."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

LIBRARIES = (
    "numpy",
    "onnxruntime",
    "torch",
    "scikit-learn",
    "lightgbm",
    "uvicorn",
    "pillow",
    "openvino-genai",
    "salus",
)


@dataclass(frozen=True)
class Figure:
    """value: usually the median of `runs`. against: what it is compared with, in words."""

    name: str
    value: float
    unit: str
    against: str | None = None
    runs: list[float] = field(default_factory=list)


def write_figures(script: str, figures: list[Figure], output: Path | None = None) -> None:
    """Prints the figures as JSON, and writes them when asked to."""
    content = {"script": script, "machine": machine(), "figures": [asdict(figure) for figure in figures]}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    print(text, flush=True)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """What a figure depends on beside the code."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory": psutil.virtual_memory().total,
        "versions": {"python": platform.python_version(), **_versions()},
    }


def short(values: dict[str, Any]) -> dict[str, Any]:
    """The same with its numbers as long as somebody reads them."""
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in values.items()}


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
