"""What every place for bytes must keep: subclass `BlobsContract` and give a fresh place below a folder."""

from __future__ import annotations

import contextlib
import hashlib
from abc import ABC, abstractmethod
from pathlib import Path

from salus.core.errors import SalusError
from salus.store.blobs import Blobs


class BlobsContract(ABC):
    @abstractmethod
    def blobs(self, folder: Path) -> Blobs:
        """A place that is empty the first time, and the same place when asked again."""

    def test_bytes_come_back_under_their_hash(self, tmp_path: Path) -> None:
        digest = self.blobs(tmp_path).put_stream([b"heart", b"beat"])
        assert digest == hashlib.sha256(b"heartbeat").hexdigest()
        assert self.blobs(tmp_path).open(digest).read_bytes() == b"heartbeat"

    def test_a_file_and_a_stream_of_the_same_bytes_are_one(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x" * 3_000_000)
        blobs = self.blobs(tmp_path)
        assert blobs.put_file(tmp_path / "file") == blobs.put_stream(b"x" * 1_000_000 for _ in range(3))

    def test_what_is_not_there_is_said(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path)
        for digest in ("0" * 64, "../../etc/passwd", ""):
            assert not blobs.has(digest)
            try:
                blobs.open(digest)
            except SalusError as error:
                assert error.code == "blob_missing"
            else:
                raise AssertionError(f"{digest!r} was opened")

    def test_nobody_may_write_what_is_kept(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path)
        assert blobs.open(blobs.put_stream([b"kept"])).stat().st_mode & 0o222 == 0

    def test_a_put_that_breaks_off_leaves_nothing(self, tmp_path: Path) -> None:
        def broken() -> object:
            yield b"half"
            raise OSError("gone")

        blobs = self.blobs(tmp_path)
        with contextlib.suppress(OSError):
            blobs.put_stream(broken())  # type: ignore[arg-type]
        assert not blobs.has(hashlib.sha256(b"half").hexdigest())

    def test_deleting_forgets_and_may_be_repeated(self, tmp_path: Path) -> None:
        blobs = self.blobs(tmp_path)
        digest = blobs.put_stream([b"gone"])
        blobs.delete(digest)
        blobs.delete(digest)
        assert not blobs.has(digest)
