"""A large model: ready-made files, looked at from outside, named by their hashes and signed like a bundle.

Two forms: one GGUF file, or a folder as `transformers` writes it (config.json, safetensors, tokenizer.json). Nothing here loads
weights; the deeper look is the engine's, in a process of its own. Knows names, headers and JSON. Does not know engines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from salus.bundle.gguf_file import looks_like_gguf, read_gguf
from salus.bundle.safetensors_file import read_safetensors
from salus.bundle.sign import Signer, key_id, signer_of
from salus.core.errors import SalusError
from salus.core.wire import canonical, file_digest, parse_json, tree_digest

LARGE, SIGNATURE = "large.json", "signature.json"
PURPOSE = "large-model"
FOLDER = "model/"  # before the name of every file of the model
FORMAT: Literal[1] = 1
MAX_FILES = 200
MAX_JSON_BYTES = 4 * 2**20
MAX_TOKENIZER_BYTES = 64 * 2**20
MAX_MANIFEST_BYTES = 2**20
CODE_OR_PICKLE = (
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".pkl",
    ".pickle",
    ".joblib",
    ".npy",
    ".npz",
    ".h5",
    ".keras",
    ".msgpack",
)
CODE = (".py", ".pyc", ".so", ".dll", ".dylib", ".sh")
OF_A_FOLDER = (".json", ".safetensors", ".txt", ".md", ".jinja", ".model", ".tsv", ".yaml", ".png", ".jpg", ".svg", "")
FOREIGN = {b"\x80": "a pickle", b"PK": "a zip archive", b"\x1f\x8b": "a gzip archive", b"\x89HDF": "an HDF5 file"}
INDEX, WEIGHTS, CONFIG, TOKENIZER = "model.safetensors.index.json", "model.safetensors", "config.json", "tokenizer.json"
POOLED = "modules.json"  # a folder of sentence-transformers: texts become vectors
ENCODERS = ("bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "nomic_bert", "modernbert")
_LICENCE = re.compile(r"^license:\s*['\"]?([A-Za-z0-9][A-Za-z0-9 ._+-]{0,80})", re.MULTILINE)


class LargeManifest(BaseModel):
    """What is signed. files: name -> SHA-256. parameters: how many numbers the weights are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    form: Literal["gguf", "folder"]
    answers: Literal["text", "vectors"]
    architecture: str = Field(max_length=100)
    chat: bool  # whether it brings a template for conversations
    context_tokens: int = Field(ge=1)
    parameters: int = Field(ge=1)
    bytes: int = Field(ge=1)
    licence: str = Field(min_length=1, max_length=200)
    source: str = Field(max_length=500)
    files: dict[str, str]
    created: str

    @property
    def model_hash(self) -> str:
        return tree_digest(self.files)


@dataclass(frozen=True)
class Looked:
    """What the files say of themselves. licence: None where they do not say it."""

    form: Literal["gguf", "folder"]
    answers: Literal["text", "vectors"]
    architecture: str
    chat: bool
    context_tokens: int
    parameters: int
    licence: str | None


@dataclass(frozen=True)
class Large:
    """An opened large model. files: name -> path, without the folder's name."""

    manifest: LargeManifest
    files: Mapping[str, Path]


def look(files: Mapping[str, Path]) -> Looked:
    """The facts of a large model in these files (relative name -> path).

    Raises `model_format_refused` for pickles and other foreign bytes, `model_code_refused` for code, `model_incomplete` for a folder
    that was half copied, `gguf_invalid`, `safetensors_invalid`, `bad_json`.
    """
    if len(files) > MAX_FILES:
        raise SalusError(
            "model_incomplete", where="the folder", expected=f"at most {MAX_FILES} files", found=len(files)
        )
    for name in sorted(files):
        _check_name(name)
    ggufs = [name for name in files if name.endswith(".gguf")]
    if len(ggufs) == 1:
        return _look_at_gguf(ggufs[0], files[ggufs[0]])
    if ggufs:
        raise SalusError("model_incomplete", where="the folder", expected="one GGUF file", found=f"{len(ggufs)}")
    if len(files) == 1 and CONFIG not in files:
        ((name, path),) = files.items()
        if looks_like_gguf(path):
            return _look_at_gguf(name, path)
        raise SalusError("model_format_refused", where=name, found=_sort_of(path))
    return _look_at_folder(files)


def make_large(
    files: Mapping[str, Path], digests: Mapping[str, str], looked: Looked, licence: str, source: str
) -> LargeManifest:
    """The manifest to sign."""
    return LargeManifest(
        format=FORMAT,
        form=looked.form,
        answers=looked.answers,
        architecture=looked.architecture,
        chat=looked.chat,
        context_tokens=looked.context_tokens,
        parameters=looked.parameters,
        bytes=sum(path.stat().st_size for path in files.values()),
        licence=licence,
        source=source,
        files=dict(sorted(digests.items())),
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def seal(manifest: LargeManifest, signer: Signer) -> dict[str, bytes]:
    """The two files that stand beside the model's own."""
    content = canonical(manifest.model_dump(mode="json"))
    return {LARGE: content, SIGNATURE: signer.signature_file(content, PURPOSE)}


def is_large(files: Mapping[str, Path]) -> bool:
    return LARGE in files


def read_manifest(files: Mapping[str, Path], trusted: str) -> LargeManifest:
    """The signed word about a large model, or `bundle_damaged`, `bundle_unsigned`, `bundle_foreign`."""
    content = _bounded(files[LARGE], LARGE, MAX_MANIFEST_BYTES)
    if SIGNATURE not in files:
        raise SalusError("bundle_unsigned", where=SIGNATURE)
    signed_by = signer_of(parse_json(_bounded(files[SIGNATURE], SIGNATURE, 4096), SIGNATURE), content, PURPOSE)
    if signed_by is None:
        raise SalusError("bundle_damaged", where=SIGNATURE, expected="a signature of large.json", found="another")
    if signed_by != trusted:
        raise SalusError("bundle_foreign", where=SIGNATURE, found=key_id(signed_by))
    try:
        return LargeManifest.model_validate(parse_json(content, LARGE))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SalusError("bundle_damaged", where=LARGE, expected=first["msg"], found=where) from None


def open_large(files: Mapping[str, Path], trusted: str) -> Large:
    """The large model whose every file has the hash that this installation signed."""
    manifest = read_manifest(files, trusted)
    own = {name.removeprefix(FOLDER): path for name, path in files.items() if name.startswith(FOLDER)}
    for name in sorted(own.keys() ^ manifest.files.keys()):
        raise SalusError("bundle_damaged", where=name, expected="the files of large.json", found="others")
    for name, path in own.items():
        found = file_digest(path)
        if found != manifest.files[name]:
            expected = f"bytes with the hash {manifest.files[name][:16]}"
            raise SalusError("bundle_damaged", where=name, expected=expected, found=found[:16])
    return Large(manifest, own)


def _check_name(name: str) -> None:
    lower = name.lower()
    if lower.endswith(CODE_OR_PICKLE):
        raise SalusError("model_format_refused", where=name, found="weights of a format that may hold code (a pickle)")
    if lower.endswith(CODE):
        raise SalusError("model_code_refused", where=name, found="a file of code")
    if not lower.endswith((*OF_A_FOLDER[:-1], ".gguf")) and "." in lower.rpartition("/")[2]:
        raise SalusError("model_format_refused", where=name, found="a file that no model of this form has")


def _look_at_gguf(name: str, path: Path) -> Looked:
    found = read_gguf(path, name)
    said = found.metadata
    architecture = said.get("general.architecture")
    context = said.get(f"{architecture}.context_length")
    if not isinstance(architecture, str) or type(context) is not int or context < 1:
        missing = "general.architecture and its context_length"
        raise SalusError(
            "gguf_invalid", where=name, expected=missing, found=f"{str(architecture)[:40]}, {context}"[:80]
        )
    tokens = said.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens:
        raise SalusError("gguf_invalid", where=name, expected="tokenizer.ggml.tokens", found="none")
    licence = said.get("general.license")
    return Looked(
        form="gguf",
        answers="text",
        architecture=architecture[:100],
        chat=isinstance(said.get("tokenizer.chat_template"), str),
        context_tokens=context,
        parameters=found.parameters,
        licence=licence[:200] if isinstance(licence, str) and licence.strip() else None,
    )


def _look_at_folder(files: Mapping[str, Path]) -> Looked:
    for name in (CONFIG, TOKENIZER):
        if name not in files:
            raise SalusError(
                "model_incomplete", where="the folder", expected=f"the file {name}", found="none of this name"
            )
    described = {name: _object(files, name) for name in files if name.endswith(".json") and name != TOKENIZER}
    for name, content in described.items():
        _refuse_code(name, content)
    if not 0 < files[TOKENIZER].stat().st_size <= MAX_TOKENIZER_BYTES:
        raise SalusError(
            "model_incomplete", where=TOKENIZER, expected=f"at most {MAX_TOKENIZER_BYTES} bytes", found="more or none"
        )
    config = described[CONFIG]
    kind, context = config.get("model_type"), config.get("max_position_embeddings")
    if not isinstance(kind, str) or type(context) is not int or context < 1:
        expected = "model_type and max_position_embeddings"
        raise SalusError("model_incomplete", where=CONFIG, expected=expected, found=f"{kind}, {context}"[:80])
    pooled = POOLED in files or kind in ENCODERS
    template = "chat_template.jinja" in files or "chat_template" in described.get("tokenizer_config.json", {})
    return Looked(
        form="folder",
        answers="vectors" if pooled else "text",
        architecture=kind[:100],
        chat=template and not pooled,
        context_tokens=_longest(described, context) if pooled else context,
        parameters=_weights(files, described.get(INDEX)),
        licence=_licence(files),
    )


def _weights(files: Mapping[str, Path], index: dict[str, Any] | None) -> int:
    """How many numbers the weights are; every file that the index names must be there with every tensor."""
    named: dict[str, set[str]] = {WEIGHTS: set()}
    if index is not None:
        places = index.get("weight_map")
        if not isinstance(places, dict) or not places:
            raise SalusError("model_incomplete", where=INDEX, expected="a weight_map", found="none")
        named = {}
        for tensor, file in places.items():
            named.setdefault(str(file), set()).add(tensor)
    count = 0
    for name, expected in sorted(named.items()):
        if name not in files:
            raise SalusError(
                "model_incomplete", where="the folder", expected=f"the file {name[:100]}", found="none of this name"
            )
        if (sort := _sort_of(files[name])) in FOREIGN.values():
            raise SalusError("model_format_refused", where=name, found=sort)
        found = read_safetensors(files[name], name)
        for missing in sorted(expected - found.keys()):
            raise SalusError(
                "model_incomplete", where=name, expected=f"the tensor {missing[:100]}", found="none of this name"
            )
        for place in found.values():
            size = 1
            for length in place.shape:
                size *= length
            count += size
    return max(1, count)


def _longest(described: Mapping[str, dict[str, Any]], context: int) -> int:
    said = described.get("sentence_bert_config.json", {}).get("max_seq_length")
    return min(said, context) if type(said) is int and said > 0 else context


def _refuse_code(name: str, content: dict[str, Any]) -> None:
    for key in ("auto_map", "custom_pipelines"):
        if key in content:
            raise SalusError("model_code_refused", where=name, found=f"the field {key}, which names code to run")


def _licence(files: Mapping[str, Path]) -> str | None:
    """What the front matter of README.md says."""
    path = files.get("README.md")
    if path is None:
        return None
    with path.open("rb") as stream:
        head = stream.read(16_384).decode("utf-8", "replace")
    matter = head[3:].partition("\n---")[0] if head.startswith("---") else ""
    match = _LICENCE.search(matter)
    return match[1].strip() if match else None


def _object(files: Mapping[str, Path], name: str) -> dict[str, Any]:
    content = parse_json(_bounded(files[name], name, MAX_JSON_BYTES), name)
    if isinstance(content, dict):
        return content
    if name in (CONFIG, INDEX, "tokenizer_config.json"):
        raise SalusError("model_incomplete", where=name, expected="an object", found=type(content).__name__)
    return {}


def _sort_of(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(8)
    return next((sort for start, sort in FOREIGN.items() if head.startswith(start)), "bytes of no known model format")


def _bounded(path: Path, name: str, most: int) -> bytes:
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise SalusError("bundle_damaged", where=name, expected=f"at most {most} bytes", found="more")
    return content
