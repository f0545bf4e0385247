"""One program of a kind in a home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from salus.core.errors import SalusError
from salus.programs.locks import ProgramLock, lock_path, read_holder, wait_until_free


def test_a_second_holder_is_refused_and_told_who_holds(home: Path) -> None:
    with ProgramLock(home, "worker"), pytest.raises(SalusError) as caught:
        ProgramLock(home, "worker")
    assert caught.value.code == "home_in_use"
    assert caught.value.parameters["found"] == os.getpid()


def test_the_lock_is_free_after_release_and_others_are_not_touched(home: Path) -> None:
    with ProgramLock(home, "worker"), ProgramLock(home, "control"):
        pass
    with ProgramLock(home, "worker"):
        assert read_holder(home, "control") is None


def test_the_holder_tells_about_itself(home: Path) -> None:
    with ProgramLock(home, "worker") as lock:
        assert read_holder(home, "worker") == {"pid": os.getpid()}
        lock.tell(ready=True, note="x" * 100)
        lock.tell(ready=True)
        assert read_holder(home, "worker") == {"pid": os.getpid(), "ready": True}
    assert read_holder(home, "worker") is None
    assert read_holder(home, "never") is None


def test_the_lock_goes_with_a_killed_process(home: Path) -> None:
    source = (
        "import sys, time; from pathlib import Path; from salus.programs.locks import ProgramLock;"
        "lock = ProgramLock(Path(sys.argv[1]), 'worker'); print('held', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", source, str(home)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert not wait_until_free(home, "worker", 0.1)
    process.kill()
    process.wait()
    process.stdout.close()
    assert wait_until_free(home, "worker", 5)
    ProgramLock(home, "worker").release()


def test_home_and_lock_are_for_their_owner_alone(home: Path) -> None:
    new = home / "new"
    with ProgramLock(new, "worker"):
        assert new.stat().st_mode & 0o777 == 0o700
        assert lock_path(new, "worker").stat().st_mode & 0o777 == 0o600
