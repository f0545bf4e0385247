"""What every place for bytes must keep. Subclass, give `blobs` an empty one, and run pytest."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from salus.core.errors import SalusError
from salus.store.blobs import Blobs

CONTENTS = (b"", b"\x00", b"salus", bytes(range(256)) * 5000)
NOT_DIGESTS = ("", "ab", "../" * 21 + "a", "/etc/passwd", "A" * 64, "g" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n")


class BlobsContract:
    """The contract, as tests."""

    def blobs(self, folder: Path) -> Blobs:
        """An empty place. folder: a fresh folder that it may use."""
        raise NotImplementedError

    @pytest.mark.parametrize("content", CONTENTS, ids=["empty", "zero", "short", "long"])
    def test_what_is_put_is_found_under_its_hash(self, tmp_path: Path, content: bytes) -> None:
        blobs = self.blobs(tmp_path / "place")
        digest = blobs.put_stream(iter([content]))
        assert digest == hashlib.sha256(content).hexdigest()
        assert blobs.has(digest)
        assert blobs.open(digest).read_bytes() == content

    def test_a_file_and_a_stream_in_pieces_are_one_blob(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path / "place")
        file = tmp_path / "given"
        file.write_bytes(CONTENTS[3])
        pieces = (CONTENTS[3][start : start + 1000] for start in range(0, len(CONTENTS[3]), 1000))
        assert blobs.put_file(file) == blobs.put_stream(pieces)
        assert file.read_bytes() == CONTENTS[3]

    def test_what_is_opened_may_not_be_written(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path / "place")
        opened = blobs.open(blobs.put_stream([b"salus"]))
        assert opened.stat().st_mode & 0o222 == 0

    def test_the_same_bytes_from_many_threads_are_one_blob(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path / "place")
        found: list[str] = []
        threads = [threading.Thread(target=lambda: found.append(blobs.put_stream([CONTENTS[3]]))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8 and len(set(found)) == 1
        assert blobs.open(found[0]).read_bytes() == CONTENTS[3]

    def test_a_stream_that_breaks_leaves_nothing(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path / "place")

        def broken() -> Iterator[bytes]:
            yield b"salus"
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            blobs.put_stream(broken())
        assert not blobs.has(hashlib.sha256(b"salus").hexdigest())

    def test_what_is_deleted_is_gone_and_may_come_again(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path / "place")
        digest = blobs.put_stream([b"salus"])
        blobs.delete(digest)
        blobs.delete(digest)
        assert not blobs.has(digest)
        with pytest.raises(SalusError, match="not in the store"):
            blobs.open(digest)
        assert blobs.put_stream([b"salus"]) == digest
        assert blobs.has(digest)

    @pytest.mark.parametrize("name", NOT_DIGESTS)
    def test_what_is_no_digest_is_no_place(self, tmp_path: Path, name: str) -> None:
        blobs = self.blobs(tmp_path / "place")
        assert not blobs.has(name)
        with pytest.raises(SalusError) as refused:
            blobs.open(name)
        assert refused.value.code == "blob_missing"

    def test_another_process_finds_what_was_put(self, tmp_path: Path) -> None:
        digest = self.blobs(tmp_path / "place").put_stream([b"salus"])
        assert self.blobs(tmp_path / "place").open(digest).read_bytes() == b"salus"
