"""A disk that really fills while data is added: the error says so, and nothing half written is left.

Filled in two ways: a file system of two megabytes where the system lets us mount one, and a limit on the size of files, which
needs no rights. The work happens in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ADD = """
import json, resource, sys
from pathlib import Path
from salus.core.context import Context
from salus.core.errors import SalusError
from salus.jobs.steps import Workplace
from salus.jobs.steps.add import add
from salus.store.blobs import LocalBlobs

source, home, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
(home / "job").mkdir()
place = Workplace(home / "job", home / "keys", LocalBlobs(home / "blobs"), Context())
if most:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    add({"upload": [{"name": "table.csv", "path": str(source)}]}, place)
except SalusError as error:
    print(json.dumps([error.code, str(error)]))
else:
    print(json.dumps(["added", ""]))
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Four megabytes of numbers that nothing packs well."""
    values = np.random.default_rng(0).normal(size=(40_000, 6))
    file = tmp_path / "table.csv"
    np.savetxt(file, values, delimiter=",", header="a,b,c,d,e,f", comments="", fmt="%.14f")
    return file


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("this system has no program 'mount'")
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def added(table: Path, home: Path, most: int = 0) -> tuple[str, str]:
    command = [sys.executable, "-c", ADD, str(table), str(home), str(most)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, message = json.loads(done.stdout)
    return code, message


def leftovers(home: Path) -> list[str]:
    """Files beside the upload itself."""
    return [path.name for path in home.rglob("*") if path.is_file() and path.name != "table.csv"]


def test_a_disk_that_fills_is_named_and_left_as_it_was(table: Path, small_disk: Path) -> None:
    code, message = added(table, small_disk)
    assert code == "disk_filled" and "job" in message
    assert leftovers(small_disk) == []


@pytest.mark.parametrize("most", [1000, 500_000], ids=["at once", "among the rows"])
def test_a_file_that_may_not_grow_is_a_full_disk(table: Path, tmp_path: Path, most: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    code, _ = added(table, home, most)
    assert code == "disk_filled" and leftovers(home) == []


def test_with_room_the_same_is_added(table: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert added(table, home) == ("added", "")
    assert "schema.json" in leftovers(home)
