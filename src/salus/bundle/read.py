"""A bundle that may be used: every file has the hash that the manifest names, every graph keeps the rules, the signature holds.

Files are given as names and paths (blobs lie under their hash) and are never joined to a path. What is handed out later is
hashed again as it is read, so that a file changed since is refused, not used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salus.bundle.graph_check import MAX_GRAPH_BYTES, GraphFacts, check_graph
from salus.bundle.hashes import bundle_hash
from salus.bundle.manifest import (
    EXAMPLES,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    REPORT,
    SIGNATURE,
    Manifest,
    graph_file,
    read_manifest,
)
from salus.bundle.sign import key_id, signer_of
from salus.core.errors import SalusError
from salus.core.wire import canonical, digest, file_digest, parse_json

MAX_SIGNATURE_BYTES = 4096
MAX_FILES = 1000


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. signed_by: the public key in hexadecimal, None without a signature."""

    manifest: Manifest
    bundle_hash: str
    signed_by: str | None
    facts: Mapping[str, GraphFacts]
    _files: Mapping[str, Path]

    def graph_bytes(self, name: str = "main") -> bytes:
        """One graph."""
        return self._content(graph_file(name))

    def graphs(self) -> dict[str, bytes]:
        """All graphs by their names."""
        return {name: self.graph_bytes(name) for name in self.manifest.graphs}

    def asset(self, name: str) -> bytes:
        """One file of assets/."""
        return self._content(f"assets/{name}")

    def text(self, name: str) -> str:
        """card.md, report.html or report.zh.html."""
        return self._content(name).decode("utf-8")

    def report(self) -> dict[str, Any]:
        """report.json."""
        return self._json(REPORT)

    def examples(self) -> dict[str, Any]:
        """examples.json: {"rows": [...], "answers": {output: [[...]]}}."""
        return self._json(EXAMPLES)

    def _json(self, name: str) -> dict[str, Any]:
        value = parse_json(self._content(name), name)
        if not isinstance(value, dict):
            raise _damaged(name, "a JSON object", type(value).__name__)
        return value

    def _content(self, name: str) -> bytes:
        assert name in self.manifest.files, f"the bundle has no {name}"
        content = _read(self._files[name], name, None)
        _compare(name, self.manifest.files[name], digest(content))
        return content


def open_folder(folder: Path, trusted: Sequence[str] | None = None) -> Bundle:
    """The bundle in a folder. Links are refused: a bundle holds its own bytes."""
    files: dict[str, Path] = {}
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(place) / name
            if path.is_symlink():
                raise _damaged(path.relative_to(folder).as_posix(), "a file or a folder", "a link")
        for name in names:
            path = Path(place) / name
            files[path.relative_to(folder).as_posix()] = path
            if len(files) > MAX_FILES:
                raise _damaged("the folder", f"at most {MAX_FILES} files", "more")
    return open_bundle(files, trusted)


def open_bundle(files: Mapping[str, Path], trusted: Sequence[str] | None = None) -> Bundle:
    """The bundle in these files.

    files: relative name -> path. trusted: public keys in hexadecimal, one of which must have signed; None asks for no
    signature, but one that is there must still be right.
    Raises `bundle_damaged`, `bundle_newer`, `bundle_unsigned`, `bundle_foreign` or `graph_refused`.
    """
    if MANIFEST not in files:
        raise _damaged(MANIFEST, "a manifest", "none")
    content = _read(files[MANIFEST], MANIFEST, MAX_MANIFEST_BYTES)
    signed_by = _check_signature(files, content, trusted)
    manifest = read_manifest(content)
    expected = {*manifest.files, MANIFEST, *({SIGNATURE} if SIGNATURE in files else ())}
    for name in sorted(expected ^ files.keys()):
        raise _damaged(name, *(("a file", "none") if name in expected else ("no such file", "one")))
    facts: dict[str, GraphFacts] = {}
    for name in manifest.graphs:
        graph = _read(files[graph_file(name)], graph_file(name), MAX_GRAPH_BYTES)
        _compare(graph_file(name), manifest.files[graph_file(name)], digest(graph))
        facts[name] = check_graph(graph, name)
    for name, found in manifest.files.items():
        if not name.startswith("graphs/"):
            _compare(name, found, _digest(files[name], name))
    return Bundle(manifest, bundle_hash(content), signed_by, facts, dict(files))


def _check_signature(files: Mapping[str, Path], manifest: bytes, trusted: Sequence[str] | None) -> str | None:
    """Who signed, before anything of the manifest is believed."""
    if SIGNATURE not in files:
        if trusted is not None:
            raise SalusError("bundle_unsigned", where=SIGNATURE)
        return None
    content = _read(files[SIGNATURE], SIGNATURE, MAX_SIGNATURE_BYTES)
    try:
        parsed = parse_json(content, SIGNATURE)
        signed_by = signer_of(parsed, manifest) if canonical(parsed) == content else None
    except SalusError:
        signed_by = None
    if signed_by is None:
        raise _damaged(SIGNATURE, "a signature of the manifest", "one that does not fit it")
    if trusted is not None and signed_by not in trusted:
        raise SalusError("bundle_foreign", where=SIGNATURE, found=key_id(signed_by))
    return signed_by


def _read(path: Path, name: str, limit: int | None) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read() if limit is None else stream.read(limit + 1)
    except OSError as error:
        raise _damaged(name, "a readable file", os.strerror(error.errno or 0)) from None
    if limit is not None and len(content) > limit:
        raise _damaged(name, f"at most {limit} bytes", "more")
    return content


def _digest(path: Path, name: str) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise _damaged(name, "a readable file", os.strerror(error.errno or 0)) from None


def _compare(name: str, expected: str, found: str) -> None:
    if expected != found:
        raise _damaged(name, f"bytes with the hash {expected[:16]}", found[:16])


def _damaged(where: str, expected: str, found: str) -> SalusError:
    return SalusError("bundle_damaged", where=where, expected=expected, found=found)
