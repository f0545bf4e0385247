"""Uploads as a kill leaves them, at each of its moments: what was answered is what is completed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from salus.actions import uploads
from salus.core.wire import digest
from salus.testing.records import RecordHome, record_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RecordHome]:
    with record_home(tmp_path / "home") as opened:
        yield opened


def begun(home: RecordHome, content: bytes) -> str:
    """An upload of which `content` was answered."""
    upload = str(uploads.create(home.principal(), home.records)["id"])
    receiver = uploads.receive(home.principal(), home.records, upload, 0, "a.csv", 0)
    receiver.write(content)
    assert receiver.close() == len(content)
    return upload


def completed(home: RecordHome, upload: str) -> bytes:
    (file,) = uploads.complete(home.principal(), home.records, upload)["files"]
    content = home.records.blobs.open(file["digest"]).read_bytes()
    assert (file["digest"], file["bytes"]) == (digest(content), len(content))
    return content


def test_bytes_that_were_written_and_not_answered_are_cut_off(home: RecordHome) -> None:
    upload = begun(home, b"answered")
    receiver = uploads.receive(home.principal(), home.records, upload, 0, "a.csv", 8)
    receiver.write(b" and not answered")
    receiver.stream.close()  # what a kill leaves: bytes, and no row of them
    assert uploads.find(home.principal(), home.records, upload)["files"][0]["received"] == 8
    assert completed(home, upload) == b"answered"


def test_a_sender_goes_on_over_bytes_that_were_not_answered(home: RecordHome) -> None:
    upload = begun(home, b"answered")
    receiver = uploads.receive(home.principal(), home.records, upload, 0, "a.csv", 8)
    receiver.write(b"XXXXXXXXXXXXXXXX")
    receiver.stream.close()
    again = uploads.receive(home.principal(), home.records, upload, 0, "a.csv", 8)
    again.write(b", all")
    assert again.close() == 13
    assert completed(home, upload) == b"answered, all"


@pytest.mark.parametrize("moved", [False, True], ids=["before", "after the file was moved"])
def test_killed_while_completing_what_was_begun_anew(home: RecordHome, moved: bool) -> None:
    upload = begun(home, b"first")
    receiver = uploads.receive(home.principal(), home.records, upload, 0, "a.csv", 0)
    receiver.stream.close()  # killed after the row was set back
    if moved:  # and killed again between moving the file and the row that says so
        home.records.blobs.adopt(home.records.tmp / upload / "0.part", digest(b""))
    assert completed(home, upload) == b""
