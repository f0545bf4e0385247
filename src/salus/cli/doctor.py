"""doctor: what this machine has, and what is missing."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from salus.cli import connection, output

EXTRAS = (("sklearn", "train"), ("lightgbm", "train"), ("onnx", "train"), ("pyarrow", "train"), ("torch", "deep"))
FIXED_SQLITE = (3, 51, 3)  # from here on several connections may checkpoint a WAL database safely


def doctor(as_json: output.JsonFlag = False) -> None:
    """Print versions, places, free space and what is missing."""
    rows = checks()
    output.show(rows, as_json, ("check", "found", "verdict"))


def checks() -> list[dict[str, Any]]:
    """One row a check: what was found, and 'ok' or what to do."""
    settings = connection.settings()
    rows = [
        _row(
            "python", platform.python_version(), (3, 11) <= sys.version_info[:2] <= (3, 13), "use Python 3.11 to 3.13"
        ),
        _sqlite(),
        _home(settings.home),
        _free_space(settings.home, settings.free_space_floor_bytes),
        _row("processor", _vector_units(), True, ""),
        _openmp(),
        _package("onnxruntime", ""),
    ]
    rows += [_package(name, extra) for name, extra in EXTRAS]
    rows.append(_service())
    return rows


def _row(check: str, found: Any, good: bool, remedy: str) -> dict[str, Any]:
    return {"check": check, "found": str(found), "verdict": "ok" if good else remedy}


def _sqlite() -> dict[str, Any]:
    import sqlite3

    guard = "one writer, only it checkpoints"
    fixed = sqlite3.sqlite_version_info >= FIXED_SQLITE
    found = f"{sqlite3.sqlite_version} ({'fixed' if fixed else 'guarded'}: {guard})"
    return _row("sqlite", found, True, "")


def _home(home: Path) -> dict[str, Any]:
    if not home.exists():
        return _row("home", f"{home} (not made yet)", True, "")
    mode = home.stat().st_mode & 0o777
    return _row("home", f"{home} mode {mode:04o}", mode & 0o077 == 0, f"chmod 700 {home}")


def _free_space(home: Path, floor_bytes: int) -> dict[str, Any]:
    place = home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return _row("free space", f"{free / 2**30:.1f} GiB", free >= floor_bytes, "free space: jobs pause below the floor")


def _vector_units() -> str:
    file = Path("/proc/cpuinfo")
    flags = file.read_text().split() if file.exists() else []
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if unit in flags]
    return f"{platform.machine()} {' '.join(units)}".strip()


def _openmp() -> dict[str, Any]:
    """The library of the system that LightGBM's wheels need."""
    import ctypes

    names = (
        ("libomp.dylib", "/opt/homebrew/opt/libomp/lib/libomp.dylib") if sys.platform == "darwin" else ("libgomp.so.1",)
    )
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return _row("openmp", name, True, "")
    remedy = "brew install libomp" if sys.platform == "darwin" else "apt-get install libgomp1"
    return _row("openmp", "not found", False, f"{remedy} (boosting needs it)")


def _package(name: str, extra: str) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    distribution = {"sklearn": "scikit-learn"}.get(name, name)
    try:
        return _row(distribution, version(distribution), True, "")
    except PackageNotFoundError:
        return _row(
            distribution, "not installed", False, f"pip install 'salus[{extra}]'" if extra else "pip install salus"
        )


def _service() -> dict[str, Any]:
    ready = connection.client().ready()
    return _row("service", "answers" if ready else "does not answer", ready, "salus up --background")
