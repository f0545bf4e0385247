"""What is peculiar to blobs that are files: modes, moving in, half-written files of the dead."""

from __future__ import annotations

import os
from pathlib import Path

from salus.store.blobs import LocalBlobs


def test_only_the_owner_may_look_in(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "place")
    opened = blobs.open(blobs.put_stream([b"salus"]))
    assert [path.stat().st_mode & 0o777 for path in (opened, opened.parent, blobs.root)] == [0o400, 0o700, 0o700]
    assert opened.parent.name == opened.name[:2]


def test_adopting_moves_the_file(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "place")
    digest = blobs.put_stream([b"salus"])
    for _ in range(2):
        part = tmp_path / "part"
        part.write_bytes(b"salus")
        blobs.adopt(part, digest)
        assert not part.exists()
    assert blobs.open(digest).read_bytes() == b"salus"


def test_the_sweep_takes_what_dead_processes_left_half_written(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "place")
    old, young = (blobs.root / f".{letter * 16}.part" for letter in "ab")
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert blobs.sweep(set(), grace_s=60) == 1
    assert not old.exists() and young.exists()
