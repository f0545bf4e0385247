"""Where the rows lie: a path, a member of a folder or an archive, and the files beside it that are joined.

A name that somebody gives is never put into a path: it is looked for among the files that are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources import source_for
from salus.data.sources.archive import Unpacked, is_archive
from salus.data.sources.base import Read
from salus.data.sources.join import joined
from salus.data.sources.missing import without


def placed(path: Path, spec: DataSpec) -> Read:
    path, member = _parted(path, spec.member)
    if not is_archive(path):
        return _read(path, path if path.is_dir() else path.parent, member, spec)
    named = ["/".join(_parts(name)) for name in ([member] if member else []) + [join.path for join in spec.join]]
    unpacked = Unpacked(path, named if member else ())
    folder = unpacked.folder
    try:
        read = _read(folder if member else _top(folder), folder if member else _top(folder), member, spec)
    except SalusError as error:
        if error.parameters.get("where") == folder.name:
            error.parameters["where"] = path.name
            if error.code == "member_missing":  # of the folder only what was wanted is there
                error.parameters["expected"] = ", ".join(unpacked.names)
            raise SalusError(error.code, **error.parameters) from None
        raise

    def parts() -> Iterator[pa.Table]:
        assert unpacked.folder.is_dir()  # and it stays as long as somebody can ask for the rows
        yield from read.parts()

    return Read(parts, {**read.facts, "archive": path.name}, read.kinds)


def _parted(path: Path, member: str | None) -> tuple[Path, str | None]:
    """(what lies on the disk, the member that is named)."""
    text = str(path)
    if member is None and "#" in text and not path.exists():
        before, _, after = text.partition("#")
        if after and Path(before).exists():
            return Path(before), after
    return path, member


def _read(path: Path, beside: Path, member: str | None, spec: DataSpec) -> Read:
    if member is not None:
        path = _found(beside, member) if path.is_dir() else _not_in_a_file(path, member)
    read = without(source_for(path).read(path, spec), spec.missing)
    for join in spec.join:
        file = _joined_file(path.parent if member else beside, beside, join.path)
        other = spec.model_copy(update={"join": (), "member": None, "kinds": {}, "delimiter": None})
        read = joined(read, without(source_for(file).read(file, other), spec.missing), join, file.name)
    return read


def _not_in_a_file(path: Path, member: str) -> Path:
    raise SalusError("member_missing", where=path.name, expected="it is one file", found=member[:100])


def _joined_file(near: Path, beside: Path, name: str) -> Path:
    """The file that is joined: near the table, or as it is named from the top of the data, or from where the person stands."""
    if len(_parts(name)) == 1 and any(entry.name == _parts(name)[0] for entry in near.iterdir()):
        return _found(near, name)
    if Path(name).parent.absolute() == near.absolute():  # looks at names only
        return _found(near, Path(name).name)
    return _found(beside, name)


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parts


def _found(folder: Path, name: str) -> Path:
    """The file or folder that `name` (with slashes) names below `folder`. Raises `member_missing`."""
    place = folder
    for part in _parts(name):
        inside = sorted(place.iterdir()) if place.is_dir() else []
        match = [entry for entry in inside if entry.name == part and not entry.is_symlink()]
        if not match:
            there = ", ".join(entry.name for entry in inside[:10])
            raise SalusError("member_missing", where=folder.name, expected=there, found=name[:100])
        place = match[0]
    return place


def _top(folder: Path) -> Path:
    """The folder that holds the data: many archives hold one folder that holds all."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        try:
            source_for(folder)
        except SalusError:
            folder = inside[0]
        else:
            return folder
