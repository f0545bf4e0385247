"""Blobs on a disk: the contract, and what is peculiar to files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from salus.core.errors import SalusError
from salus.store.blobs import Blobs, LocalBlobs, require_space
from salus.testing.blobs import BlobsContract

OLD_S = 1000.0


class TestLocalBlobs(BlobsContract):
    def blobs(self, folder: Path) -> Blobs:
        return LocalBlobs(folder)


def age(path: Path) -> None:
    moment = time.time() - OLD_S
    os.utime(path, (moment, moment))


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


def test_the_sweep_takes_what_is_old_and_not_named(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "place")
    named, forgotten, fresh = (blobs.put_stream([content]) for content in (b"named", b"forgotten", b"fresh"))
    half = blobs.root / ".0123456789abcdef.part"
    half.write_bytes(b"of a dead process")
    for path in (blobs.open(named), blobs.open(forgotten), half):
        age(path)
    assert blobs.sweep({named}, grace_s=OLD_S / 2) == 2
    assert [blobs.has(digest) for digest in (named, forgotten, fresh)] == [True, False, True]
    assert not half.exists()


def test_what_is_put_again_has_its_grace_again(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "place")
    digest = blobs.put_stream([b"salus"])
    age(blobs.open(digest))
    blobs.put_stream([b"salus"])
    assert blobs.sweep(set(), grace_s=OLD_S / 2) == 0


def test_below_the_floor_nothing_is_written(tmp_path: Path) -> None:
    require_space(tmp_path, 0)
    with pytest.raises(SalusError) as refused:
        require_space(tmp_path, 2**62)
    assert (refused.value.code, refused.value.status) == ("storage_low", 507)
