"""Writes a bundle: every file durable, the folder there whole or not at all.

Knows the layout. Does not know where graphs, reports and examples come from.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from salus.bundle.graph_check import check_graph
from salus.bundle.hashes import model_hash
from salus.bundle.manifest import (
    CARD,
    EXAMPLES,
    FORMAT,
    MANIFEST,
    PART_NAME,
    REPORT,
    REPORT_HTML,
    REPORT_HTML_ZH,
    SIGNATURE,
    Manifest,
    Program,
    graph_file,
    read_manifest,
)
from salus.bundle.read import Bundle, open_folder
from salus.bundle.sign import Signer
from salus.core.durable import publish_folder
from salus.core.errors import SalusError
from salus.core.nouns import Schema
from salus.core.wire import canonical, digest


def write_bundle(
    folder: Path,
    *,
    task: str,
    schema: Schema,
    outputs: Sequence[str],
    graphs: Mapping[str, bytes],
    examples: Mapping[str, Any],
    report: Mapping[str, Any],
    report_html: str = "",
    report_html_zh: str = "",
    card: str = "",
    calibration: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    lineage: Mapping[str, Any] | None = None,
    assets: Mapping[str, bytes] | None = None,
    roles: Mapping[str, str] | None = None,
    program: Program = "single",
    signer: Signer | None = None,
) -> Bundle:
    """Publishes the bundle at `folder`, which must not exist, and opens it.

    schema: with the states of its inputs and targets. outputs: what the graph `main` gives, the task's own first.
    graphs: name -> bytes; `roles` names what each is for. examples: {"rows": [...], "answers": {output: [[...]]}}.
    Raises `bundle_exists`, or `graph_refused` for a graph that breaks the rules.
    """
    if folder.exists():
        raise SalusError("bundle_exists", where=folder.name)
    contents = {
        **{graph_file(name): content for name, content in graphs.items()},
        **{f"assets/{name}": content for name, content in (assets or {}).items()},
        EXAMPLES: canonical(examples),
        REPORT: canonical(report),
        REPORT_HTML: report_html.encode(),
        **({REPORT_HTML_ZH: report_html_zh.encode()} if report_html_zh else {}),
        CARD: card.encode(),
    }
    _check_graphs(graphs, outputs if program == "single" else ())
    files = {name: digest(content) for name, content in sorted(contents.items())}
    manifest = Manifest(
        format=FORMAT,
        program=program,
        task=task,
        schema=schema,
        outputs=tuple(outputs),
        graphs={name: (roles or {}).get(name, name) for name in sorted(graphs)},
        calibration=dict(calibration) if calibration is not None else None,
        metrics=dict(metrics or {}),
        lineage=dict(lineage or {}),
        files=files,
        model_hash=model_hash(program, task, schema, tuple(outputs), calibration, files),
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
    contents[MANIFEST] = manifest.to_bytes()
    read_manifest(contents[MANIFEST])
    if signer is not None:
        contents[SIGNATURE] = signer.signature_file(contents[MANIFEST])
    _publish(folder, contents)
    return open_folder(folder)


def _check_graphs(graphs: Mapping[str, bytes], outputs: Sequence[str]) -> None:
    """outputs: what `main` must give."""
    for name, content in graphs.items():
        assert PART_NAME.fullmatch(name), f"{name} is no name of a graph"
        facts = check_graph(content, name)
        if name == "main":
            missing = [output for output in outputs if output not in facts.outputs]
            if missing:
                raise SalusError(
                    "graph_refused",
                    where=name,
                    expected=f"the output {', '.join(missing)}",
                    found=", ".join(facts.outputs),
                )


def _publish(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes beside the final place and renames; publishing syncs every file."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.part")
    try:
        for name, content in contents.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        publish_folder(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
