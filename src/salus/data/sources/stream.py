"""The text of a file as UTF-8 blocks or lines: unpacked, decoded and checked on the way, never all of it at once.

Knows bytes, encodings and line ends; does not know fields. Every fault is named with the line that it is in.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from salus.core.errors import SalusError

MAX_LINE_BYTES = 2**20
BLOCK_BYTES = 2**20
MAX_RATIO = 100  # unpacked bytes for one packed; real data stays below
FREE_BYTES = 2**26  # so much may come out of anything before the ratio is looked at
GZIP_MAGIC = b"\x1f\x8b"
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
RUN_OF_SPACES = re.compile(rb'"[^"\n]*"|[ \t]+')


def suffix_of(path: Path) -> str:
    """The last suffix in small letters, that below `.gz` where the file is packed."""
    path = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return path.suffix.lower()


def line_where(file: Path, line: int) -> str:
    return f"{file.name}, line {line}"


def unpacked(file: Path) -> Iterator[bytes]:
    """The blocks of a file, also of one in gzip. Raises `archive_malformed`, `archive_too_large`."""
    packed_bytes = file.stat().st_size
    with file.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        count = 0
        try:
            while block := stream.read(BLOCK_BYTES):
                count += len(block)
                if packed and count > FREE_BYTES and count > MAX_RATIO * packed_bytes:
                    expected = f"{MAX_RATIO} bytes for each one packed"
                    raise SalusError("archive_too_large", where=file.name, expected=expected, found="more")
                yield block
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SalusError("archive_malformed", where=file.name, found=str(error)[:120]) from None


@dataclass(frozen=True)
class TextFile:
    """`spaces`: runs of blanks and tabs become one tab, those at the ends of a line none. `longest`: bytes of a line."""

    path: Path
    encoding: str | None = None
    spaces: bool = False
    longest: int = MAX_LINE_BYTES

    def blocks(self) -> Iterator[bytes]:
        """UTF-8 without a byte order mark, with line feeds."""
        return _single_tabs(self._checked()) if self.spaces else self._checked()

    def stream(self) -> io.BufferedReader:
        return io.BufferedReader(_Blocks(self.blocks()), 2 * BLOCK_BYTES)

    def lines(self) -> Iterator[tuple[int, str]]:
        """(number, text without its end) of every line."""
        number, rest = 1, b""
        for block in self.blocks():
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                yield number, line.decode().removesuffix("\r")
                number += 1
        if rest:
            yield number, rest.decode()

    def head(self, size: int) -> bytes:
        """The first bytes."""
        stream = self.stream()
        return stream.read(size)

    def malformed(self, line: int, found: str, expected: str | None = None) -> SalusError:
        expected = expected or self.encoding or "utf-8"
        return SalusError("csv_malformed", where=line_where(self.path, line), expected=expected, found=found)

    def _checked(self) -> Iterator[bytes]:
        """UTF-8 blocks without NUL bytes and without lines that are too long."""
        encoding = self.encoding or "utf-8"
        decoder: codecs.IncrementalDecoder | None = None
        line, length, plain, returns = 1, 0, False, False
        for block in unpacked(self.path):
            if decoder is None:
                encoding = "utf-16" if encoding == "utf-8" and block.startswith(UTF_16_MARKS) else encoding
                decoder = self._decoder(encoding)
                plain = encoding == "utf-8"
                block = block.removeprefix(codecs.BOM_UTF8)
                text = self._decoded(decoder, block, line)
                returns = "\r" in text and "\n" not in text  # alone, as old systems ended their lines
            else:
                text = self._decoded(decoder, block, line)
            content = block if plain else text.removeprefix("\ufeff").encode()
            content = content.replace(b"\r", b"\n") if returns else content
            if b"\0" in content:
                raise self.malformed(line + content[: content.index(b"\0")].count(b"\n"), "a NUL byte")
            first, last = content.find(b"\n"), content.rfind(b"\n")
            if length + (len(content) if first < 0 else first) > self.longest:
                raise SalusError("line_too_long", where=line_where(self.path, line), expected=self.longest)
            length = length + len(content) if last < 0 else len(content) - last - 1
            line += content.count(b"\n")
            yield content
        if decoder is not None:
            self._decoded(decoder, b"", line, final=True)

    def _decoder(self, encoding: str) -> codecs.IncrementalDecoder:
        try:
            io.TextIOWrapper(io.BytesIO(), encoding=encoding)  # refuses codecs that are no encodings of text
            return codecs.getincrementaldecoder(encoding)()
        except (LookupError, UnicodeError):
            found = encoding[:40]
            raise SalusError("csv_malformed", where=self.path.name, expected="a known encoding", found=found) from None

    def _decoded(self, decoder: codecs.IncrementalDecoder, block: bytes, line: int, final: bool = False) -> str:
        try:
            return str(decoder.decode(block, final))
        except UnicodeError as error:
            before = error.object[: error.start].count(b"\n") if isinstance(error, UnicodeDecodeError) else 0
            raise self.malformed(line + before, "bytes of another encoding") from None


def _single_tabs(blocks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        whole, end, rest = (rest + block).rpartition(b"\n")
        if end:
            yield _tabs(whole) + b"\n"
    if rest:
        yield _tabs(rest)


def _tabs(text: bytes) -> bytes:
    if b'"' in text:
        text = RUN_OF_SPACES.sub(lambda found: found[0] if found[0].startswith(b'"') else b"\t", text)
    else:
        text = re.sub(rb"[ \t]+", b"\t", text)
    return re.sub(rb"^\t+|\t+(?=\r?$)", b"", text, flags=re.MULTILINE)


class _Blocks(io.RawIOBase):
    """A stream of blocks that are made one by one."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
