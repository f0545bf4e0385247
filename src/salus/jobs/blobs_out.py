"""Puts the files that a step made into the blob store, durable before the step's answer names them.

Knows folders and the blob store. Does not know what the files mean, and opens no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from salus.core.context import Context
from salus.store.blobs import Blobs


def put_folder(blobs: Blobs, folder: Path, context: Context) -> dict[str, str]:
    """Every file below `folder`: relative name with '/' -> digest, in the order of the names."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return put_files(blobs, files, context)


def put_files(blobs: Blobs, files: Mapping[str, Path], context: Context) -> dict[str, str]:
    """Every file: name -> digest, in the order of the names. Each is a sign of life; raises `stopped` when asked to."""
    tree = {}
    for name in sorted(files):
        context.stop_if_asked("storing")
        tree[name] = blobs.put_file(files[name])
    return tree
