"""Step `add`: the files of an upload become one immutable data version.

Knows how uploaded files are laid out as a folder again. How they are read is known by `salus.data`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from salus.core.disk import full_disk_named
from salus.core.errors import SalusError
from salus.core.specs import DataSpec, checked
from salus.data.add import add as add_data
from salus.jobs.blobs_out import put_folder
from salus.jobs.names import safe_name
from salus.jobs.steps import Workplace


def add(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    """`job`: `upload` (a list of `name`, `path`) or `builtin` (`sklearn:digits`), and `options` of a DataSpec."""
    spec = checked(DataSpec, job.get("options") or {}, "options")
    upload, output = place.folder / "upload", place.folder / "version"
    for leftover in (upload, output):
        shutil.rmtree(leftover, ignore_errors=True)
    with full_disk_named(place.folder):
        source = Path(job["builtin"]) if job.get("builtin") else lay_out(job["upload"], upload)
        place.context.event("reading", files=len(job.get("upload") or ()))
        version = add_data(source, spec, output, place.context)
        place.context.stop_if_asked("add")
        place.context.event("storing", rows=version.rows)
        tree = put_folder(place.blobs, output, place.context)
    return {
        "tree": tree,
        "rows": version.rows,
        "schema": version.schema.model_dump(mode="json"),
        "findings": [finding.model_dump(mode="json") for finding in version.findings],
        "preview": json.loads((output / "preview.json").read_bytes()),
    }


def lay_out(files: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    """The uploaded files under their own names, as links to their blobs; the file itself if it is the only one."""
    folder.mkdir(parents=True)
    path = folder
    for file in files:
        path = folder / safe_name(file["name"])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _link(Path(file["path"]), path)
        except (FileExistsError, NotADirectoryError):
            raise SalusError("file_names_collide", where="upload", found=str(file["name"])[:120]) from None
    return path if len(files) == 1 and path.parent == folder else folder


def _link(source: Path, path: Path) -> None:
    """A second name for the same bytes; where the file system has none, a symbolic link."""
    try:
        path.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:
        path.symlink_to(source)
