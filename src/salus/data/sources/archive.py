"""Zip and tar archives: streamed member by member into a folder of our own, counted and checked before and on the way.

A name from an archive becomes a name below that folder only when every part of it is plain; links, devices, archives inside
the archive, entries that share bytes and names that differ in case only are refused. Knows nothing of tables.
"""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import weakref
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from salus.core.errors import SalusError
from salus.data.sources.stream import FREE_BYTES, GZIP_MAGIC, MAX_RATIO

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
MAX_ENTRIES = 200_000
MAX_BYTES = 2**36
MAX_DIRECTORY_BYTES = 2**25  # of a zip; its count of entries may lie
MAX_HEADER_BYTES = 2**22  # of a tar between two files
MIN_FREE_BYTES = 2**30  # left on the disk
COPY_BYTES = 2**20
BROKEN = (  # what the standard library raises for bytes that are no archive, for a password or for a packing that it does not know
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)
MOST_SHOWN = 10  # names, where one that is asked for is missing
OVERLOOKED = ("__MACOSX", ".DS_Store", "Thumbs.db")
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"BZh", b"\xfd7zXZ\x00")
END_OF_ZIP, END_OF_ZIP64, PLACE_OF_ZIP64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"


def is_archive(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


class Unpacked:
    """A folder that goes with this object."""

    def __init__(self, archive: Path, wanted: Collection[str] = ()) -> None:
        """Unpacks all, or only what `wanted` names (files, or folders with all in them)."""
        temporary = Path(tempfile.mkdtemp(prefix="salus-"))
        self._end = weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        self.folder = temporary / "archive"
        self.folder.mkdir(mode=0o700)
        try:
            self.names = _unpack(archive, self.folder, wanted)  # the first of all that are in it
        except BaseException:
            self._end()
            raise


def _unpack(archive: Path, folder: Path, wanted: Collection[str]) -> list[str]:
    there: list[str] = []
    names, counted = _Names(archive), _Counted(archive, folder)
    entries = _zip_entries if archive.name.lower().endswith(".zip") else _tar_entries
    try:
        for name, stream in entries(archive, names, counted):
            if stream is None or name.startswith(OVERLOOKED) or name.rpartition("/")[2] in OVERLOOKED:
                continue
            if len(there) < MOST_SHOWN:
                there.append(name)
            if not wanted or any(name == one or name.startswith(one.rstrip("/") + "/") for one in wanted):
                _write(folder, name, stream, counted, archive)
    except SalusError:
        raise
    except BROKEN as error:
        raise SalusError("archive_malformed", where=archive.name, found=str(error)[:120]) from None
    except OSError as error:
        if error.errno is not None:  # what the disk says has a number, what bzip2 says has none
            raise
        raise SalusError("archive_malformed", where=archive.name, found=str(error)[:120]) from None
    return there


def _write(folder: Path, name: str, stream: BinaryIO, counted: _Counted, archive: Path) -> None:
    *above, last = name.split("/")
    for part in above:
        folder = folder / part
        folder.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    begins = True
    with os.fdopen(os.open(folder / last, flags, 0o600), "wb") as file:
        while block := stream.read(COPY_BYTES):
            if begins and _nested(name, block):
                raise SalusError("archive_nested", where=archive.name, found=_shown(name))
            begins = False
            counted.add(len(block))
            file.write(block)


def _nested(name: str, block: bytes) -> bool:
    """Whether a member is an archive; a single file in gzip is none."""
    return name.lower().endswith(SUFFIXES) or block.startswith(ARCHIVES) or block[257:262] == b"ustar"


class _Names:
    """Every name of an archive, each plain and there once, in any spelling."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._count = 0

    def add(self, name: str, plain: bool, folder: bool) -> str:
        """The name with its parts between single slashes. Raises `archive_unsafe_entry`, `too_many_entries`."""
        self._count += 1
        if self._count > MAX_ENTRIES:
            raise SalusError("too_many_entries", where=self._archive.name, expected=MAX_ENTRIES)
        kept = name.removeprefix("./").rstrip("/") if folder else name.removeprefix("./")
        if folder and kept in ("", "."):
            return ""
        parts = kept.split("/")
        if not plain or not all(_is_plain(part) for part in parts) or len(kept.encode(errors="replace")) > 1024:
            raise self._unsafe(name)
        alike = unicodedata.normalize("NFKC", kept).casefold()
        above = {alike[:place] for place, letter in enumerate(alike) if letter == "/"}
        if alike in self._files or above & self._files or (not folder and alike in self._folders):
            raise self._unsafe(name)
        (self._folders if folder else self._files).add(alike)
        self._folders |= above
        return kept

    def _unsafe(self, name: str) -> SalusError:
        return SalusError("archive_unsafe_entry", where=self._archive.name, found=_shown(name))


def _is_plain(part: str) -> bool:
    if part in ("", ".", "..") or len(part.encode(errors="replace")) > 255 or part[1:2] == ":":
        return False
    return not any(letter in "\\/" or unicodedata.category(letter) in ("Cc", "Cf", "Cs") for letter in part)


def _shown(name: str) -> str:
    return ascii(name)[:120]


class _Counted:
    """How much came out of the archive, against what may."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self._where = archive.name
        self._packed = max(1, archive.stat().st_size)
        self._limit = min(MAX_BYTES, max(0, shutil.disk_usage(folder).free - MIN_FREE_BYTES))
        self._bytes = 0

    def add(self, count: int) -> None:
        self._bytes += count
        if self._bytes > FREE_BYTES and self._bytes > MAX_RATIO * self._packed:
            expected = f"{MAX_RATIO} bytes for each one packed"
            raise SalusError("archive_too_large", where=self._where, expected=expected, found="more")
        if self._bytes > self._limit:
            raise SalusError("archive_too_large", where=self._where, expected=f"{self._limit >> 20} MiB", found="more")


def _zip_entries(archive: Path, names: _Names, _: _Counted) -> Iterator[tuple[str, BinaryIO | None]]:
    count, directory_bytes = _zip_end(archive)
    if count > MAX_ENTRIES or directory_bytes > MAX_DIRECTORY_BYTES:
        raise SalusError("too_many_entries", where=archive.name, expected=MAX_ENTRIES)
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
        found = []
        for entry in entries:
            mode = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == 3 else 0
            plain = mode in (0, stat.S_IFREG, stat.S_IFDIR) and entry.orig_filename == entry.filename
            found.append(names.add(entry.filename, plain, entry.filename.endswith("/")))
        _check_apart(entries, opened.start_dir, archive)
        for name, entry in zip(found, entries, strict=True):
            if entry.filename.endswith("/"):
                continue
            with opened.open(entry) as stream:
                yield name, cast(BinaryIO, stream)


def _check_apart(entries: list[zipfile.ZipInfo], end: int, archive: Path) -> None:
    """No two entries share bytes: that is how a small zip becomes a huge one."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    if ordered and ordered[0].header_offset < 0:
        raise zipfile.BadZipFile("an entry before the beginning")
    for entry, following in zip(ordered, [*(e.header_offset for e in ordered[1:]), end], strict=True):
        if entry.header_offset + 30 + entry.compress_size > following:
            raise SalusError("archive_overlap", where=archive.name, found=_shown(entry.filename))


def _zip_end(archive: Path) -> tuple[int, int]:
    """(entries, bytes of the directory) as the end of the zip says, read before the directory is."""
    size = archive.stat().st_size
    with archive.open("rb") as file:
        begin = max(0, size - 2**16 - 22 - 20)
        file.seek(begin)
        tail = file.read()
        place = tail.rfind(END_OF_ZIP)
        if place < 0 or place + 22 > len(tail):
            raise zipfile.BadZipFile("no end of a zip file")
        count, length = struct.unpack_from("<HI", tail, place + 10)
        locator = tail[place - 20 : place] if place >= 20 else b""
        if locator.startswith(PLACE_OF_ZIP64):
            (offset,) = struct.unpack_from("<Q", locator, 8)
            found = []
            for spot in (offset, begin + place - 20 - 56):  # the second is where zipfile looks, whatever the first says
                file.seek(min(max(0, spot), size))
                record = file.read(56)
                if record.startswith(END_OF_ZIP64) and len(record) == 56:
                    found.append(struct.unpack_from("<QQ", record, 32))
            if found:
                count, length = max(one for one, _ in found), max(one for _, one in found)
    return count, length


class _Tape:
    """What a tar is read from: unpacked, and never much of it between two files."""

    def __init__(self, raw: BinaryIO, archive: Path) -> None:
        self._raw, self._archive = raw, archive
        self.since = 0  # bytes since the last file ended

    def read(self, size: int) -> bytes:
        block = self._raw.read(size)
        self.since += len(block)
        if self.since > MAX_HEADER_BYTES:
            raise SalusError("archive_malformed", where=self._archive.name, found="a header that is too long")
        return block


class _Member:
    """One file of a tar; reading it is no header."""

    def __init__(self, stream: BinaryIO, tape: _Tape) -> None:
        self._stream, self._tape = stream, tape

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._tape.since = 0
        return block


def _tar_entries(archive: Path, names: _Names, counted: _Counted) -> Iterator[tuple[str, BinaryIO | None]]:
    with archive.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        tape = _Tape(cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw, archive)
        with tarfile.open(fileobj=cast(BinaryIO, tape), mode="r|", bufsize=2**16) as opened:
            for entry in opened:
                plain = (entry.isreg() and not entry.issparse()) or entry.isdir()
                name = names.add(entry.name, plain, entry.isdir())
                if entry.isdir():
                    continue
                stream = opened.extractfile(entry)
                assert stream is not None
                member = _Member(cast(BinaryIO, stream), tape)
                yield name, cast(BinaryIO, member)
                while block := member.read(COPY_BYTES):  # what nobody wanted counts too
                    counted.add(len(block))
