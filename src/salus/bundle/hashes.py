"""The two hashes of a bundle.

`model_hash` names what answers: graphs, assets, schema, calibration, outputs. `bundle_hash` names the whole folder, with times and ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salus.core.nouns import Schema
from salus.core.wire import canonical, digest

ANSWERING = ("graphs/", "assets/")  # files that decide answers


def model_hash(
    program: str,
    task: str,
    schema: Schema,
    outputs: tuple[str, ...],
    calibration: Mapping[str, Any] | None,
    files: Mapping[str, str],
) -> str:
    """The hash of all that decides an answer; equal plans give equal hashes, whenever and wherever they ran."""
    return digest(
        canonical(
            {
                "program": program,
                "task": task,
                "schema": schema.model_dump(mode="json"),
                "outputs": list(outputs),
                "calibration": calibration,
                "files": {name: found for name, found in files.items() if name.startswith(ANSWERING)},
            }
        )
    )


def bundle_hash(manifest: bytes) -> str:
    """The hash of the manifest's bytes, which hold the hash of every other file but the signature."""
    return digest(manifest)
