"""manifest.json: what a bundle says about itself, and the file names it may use.

Knows the format. Does not touch files.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from salus.bundle.hashes import model_hash
from salus.core.errors import SalusError
from salus.core.nouns import Schema
from salus.core.wire import canonical, parse_json

FORMAT: Literal[1] = 1
MAX_MANIFEST_BYTES = 64 * 2**20
MANIFEST, SIGNATURE = "manifest.json", "signature.json"
EXAMPLES, REPORT, REPORT_HTML, CARD = "examples.json", "report.json", "report.html", "card.md"
REPORT_HTML_ZH = "report.zh.html"  # the same page in Chinese; older bundles have none
FIXED_NAMES = frozenset({EXAMPLES, REPORT, REPORT_HTML, CARD})
PART_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FILE_NAME = re.compile(r"graphs/[a-z0-9][a-z0-9_-]{0,62}\.onnx|assets/[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")
_DIGEST = re.compile(r"[0-9a-f]{64}")

Program = Literal["single", "encoder-step", "continuation", "diffusion"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Manifest:
    """A dataclass and no pydantic model, whose class has a method called `schema`.

    graphs: name -> role; a single-pass bundle has `main`. outputs: names that the graph gives, the task's own first.
    files: relative name -> SHA-256 of every file but manifest.json and signature.json.
    """

    format: Literal[1]
    program: Program
    task: str
    schema: Schema
    outputs: tuple[str, ...]
    graphs: dict[str, str]
    calibration: dict[str, Any] | None
    metrics: dict[str, Any]
    lineage: dict[str, Any]
    files: dict[str, str]
    model_hash: str
    created: str

    def to_bytes(self) -> bytes:
        """The one spelling, which is hashed and signed."""
        return canonical(_ADAPTER.dump_python(self, mode="json"))


_ADAPTER = TypeAdapter(Manifest)


def graph_file(name: str) -> str:
    """The file of a graph."""
    return f"graphs/{name}.onnx"


def read_manifest(content: bytes) -> Manifest:
    """The manifest in these bytes, or `bundle_damaged`, or `bundle_newer`."""
    if len(content) > MAX_MANIFEST_BYTES:
        raise _damaged(f"at most {MAX_MANIFEST_BYTES} bytes", f"{len(content)} bytes")
    try:
        data = parse_json(content, MANIFEST)
    except SalusError as error:
        raise _damaged("strict JSON", str(error.parameters.get("found"))) from None
    if not isinstance(data, dict):
        raise _damaged("an object", type(data).__name__)
    if type(data.get("format")) is not int:  # true is 1 to a validator
        raise _damaged(f"the format {FORMAT}", repr(data.get("format"))[:80])
    if data["format"] > FORMAT:
        raise SalusError("bundle_newer", where=MANIFEST, expected=FORMAT, found=data["format"])
    if canonical(data) != content:
        raise _damaged("canonical JSON", "another spelling")
    try:
        manifest = _ADAPTER.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(first["msg"], "field " + ".".join(str(part) for part in first["loc"])) from None
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    """What the types do not say: names, and parts that must belong together."""
    for name, found in manifest.files.items():
        if name not in FIXED_NAMES and name != REPORT_HTML_ZH and not _FILE_NAME.fullmatch(name):
            raise _damaged("file names of the format", repr(name))
        if not _DIGEST.fullmatch(found):
            raise _damaged(f"the SHA-256 of {name}", repr(found[:80]))
    missing = FIXED_NAMES - manifest.files.keys()
    if missing:
        raise _damaged(f"the file {min(missing)}", "no hash of it")
    graphs = {name for name in manifest.files if name.startswith("graphs/")}
    if graphs != {graph_file(name) for name in manifest.graphs} or not graphs:
        raise _damaged("one file for each graph", ", ".join(sorted(graphs)) or "no graph")
    if not manifest.outputs:
        raise _damaged("at least one output", "none")
    expected = model_hash(
        manifest.program, manifest.task, manifest.schema, manifest.outputs, manifest.calibration, manifest.files
    )
    if manifest.model_hash != expected:
        raise _damaged(f"the model hash {expected}", manifest.model_hash[:80])


def _damaged(expected: str, found: str) -> SalusError:
    return SalusError("bundle_damaged", where=MANIFEST, expected=expected, found=found)
