"""A folder as `transformers` writes it, opened to start learning from: config.json, safetensors, and a tokenizer or how pictures are seen.

Nothing in it is run and nothing is fetched: weights are safetensors alone, JSON is read as data, a folder with pickles or with code of
its own is refused, and so is one that was copied by half. A folder is opened where a person names it; what is kept in plans and
reports is its name and the digest of its weights, never where it lies. Knows files. Does not know networks.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load

from salus.core.errors import SalusError
from salus.data.pieces import SPLIT

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER, PICTURES = "tokenizer.json", "preprocessor_config.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".keras", ".msgpack")
CODE = (".py", ".pyc", ".so", ".dll", ".dylib", ".sh")
KNOWN = ("bert", "distilbert", "electra", "vit", "deit", "resnet", "convnext")
MOST_JSON_BYTES, MOST_TOKENIZER_BYTES, MOST_WEIGHT_BYTES = 2**20, 2**25, 180 * 2**20  # a graph holds all of them
MOST_FILES, MOST_CARD_BYTES = 200, 2**16
MOST_PUT_IN = 16  # letters that a tokenizer writes in place of one
_LICENCE = re.compile(r"^license:\s*['\"]?([A-Za-z0-9][A-Za-z0-9 ._+-]{0,80})", re.MULTILINE)
_opened: dict[str, Start] = {}


@dataclass(frozen=True)
class Start:
    """name: of the folder, with the beginning of the digest of its weights. licence: as its card says, None where it says nothing."""

    name: str
    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]
    tokenizer: str | None
    pictures: dict[str, Any]
    licence: str | None
    digest: str

    @property
    def told(self) -> dict[str, Any]:
        """What the report says of where the model came from."""
        return {
            "name": self.name,
            "architecture": str(self.config["model_type"]),
            "licence": self.licence or "not stated",
            "weights_sha256": self.digest,
            "weights": int(sum(tensor.numel() for tensor in self.tensors.values())),
        }


def open_start(path: Path) -> Start:
    """The folder's contents, which `start_named` knows from now on.

    Raises `start_missing`, `start_pickle`, `start_code`, `start_incomplete`, `start_unknown`.
    """
    where = f"the folder {path.name[:60]}"
    files = _files(path, where)
    config = _json(files, CONFIG, where)
    pictures = _json(files, PICTURES, where) if PICTURES in files else {}
    for name in (CONFIG, PICTURES, "tokenizer_config.json"):
        if name in files and "auto_map" in _json(files, name, where):
            raise SalusError("start_code", where=where, expected=", ".join(KNOWN), found=f"auto_map in {name}")
    if config.get("model_type") not in KNOWN:
        found = str(config.get("model_type"))[:60]
        raise SalusError("start_unknown", where=where, expected=f"one of {', '.join(KNOWN)}", found=found)
    tensors, digest = _tensors(files, where)
    tokenizer = None
    if TOKENIZER in files:
        _check_tokenizer(_json(files, TOKENIZER, where, MOST_TOKENIZER_BYTES), where)
        tokenizer = files[TOKENIZER].read_text(encoding="utf-8")
    card = files["README.md"].read_bytes()[:MOST_CARD_BYTES].decode("utf-8", "replace") if "README.md" in files else ""
    licence = _LICENCE.search(card)
    name = f"{path.name[:60]}@{digest[:12]}"
    said = licence[1].strip() if licence else None
    _opened[name] = Start(name, config, tensors, tokenizer, pictures, said, digest)
    return _opened[name]


def start_named(name: str) -> Start:
    """The start that was opened under this name."""
    if name not in _opened:
        raise SalusError("start_missing", where="the option start", found=name[:80])
    return _opened[name]


def _files(path: Path, where: str) -> dict[str, Path]:
    if not path.is_dir():
        raise SalusError("start_missing", where=where, found="a file" if path.exists() else "nothing there")
    files = {file.name: file for file in sorted(path.iterdir())[: MOST_FILES + 1] if file.is_file()}
    if len(files) > MOST_FILES:
        raise SalusError("start_unknown", where=where, expected=f"at most {MOST_FILES} files", found="more")
    for name in files:
        if name.lower().endswith(PICKLES):
            raise SalusError("start_pickle", where=where, found=name[:80])
        if name.lower().endswith(CODE):
            raise SalusError("start_code", where=where, expected=", ".join(KNOWN), found=name[:80])
    return files


def _json(files: dict[str, Path], name: str, where: str, most: int = MOST_JSON_BYTES) -> dict[str, Any]:
    if name not in files:
        raise SalusError("start_incomplete", where=where, expected=name, found="no such file")
    if files[name].stat().st_size > most:
        raise SalusError("start_unknown", where=f"{where}, {name}", expected=f"at most {most} bytes", found="more")
    try:
        found = json.loads(files[name].read_bytes())
    except (ValueError, RecursionError) as error:
        raise SalusError("start_incomplete", where=f"{where}, {name}", expected="JSON", found=str(error)[:80]) from None
    if not isinstance(found, dict):
        raise SalusError("start_incomplete", where=f"{where}, {name}", expected="an object", found="something else")
    return found


def _check_tokenizer(tokenizer: dict[str, Any], where: str) -> None:
    """It reads every text that is sent to the model: nothing in it may take for ever or make a text many times longer. Tokenizers of BERT
    have no patterns of their own."""
    left: list[Any] = [tokenizer.get(name) for name in ("normalizer", "pre_tokenizer", "post_processor", "decoder")]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            left += part.values()
            texts = [text for name in ("content", "prepend", "replacement") if isinstance(text := part.get(name), str)]
            long = max(map(len, texts), default=0) > MOST_PUT_IN
            if part.get("Regex", SPLIT) != SPLIT or part.get("type") == "Precompiled" or long:
                expected = "a tokenizer without patterns of its own, such as BERT's"
                raise SalusError("start_unknown", where=f"{where}, {TOKENIZER}", expected=expected, found="another")


def _tensors(files: dict[str, Path], where: str) -> tuple[dict[str, torch.Tensor], str]:
    """All tensors, as the index lists them where there are several files, and the digest of the files."""
    names = [WEIGHTS]
    if INDEX in files:
        parts = _json(files, INDEX, where).get("weight_map")
        names = sorted({str(name) for name in parts.values()}) if isinstance(parts, dict) else []
    missing = [name for name in names if name not in files]
    if missing or not names:
        found = "no such file" if missing else "an index without files"
        raise SalusError("start_incomplete", where=where, expected=", ".join(missing)[:80] or INDEX, found=found)
    if sum(files[name].stat().st_size for name in names) > MOST_WEIGHT_BYTES:
        raise SalusError(
            "start_unknown", where=where, expected=f"weights of at most {MOST_WEIGHT_BYTES} bytes", found="more"
        )
    tensors, digest = dict[str, torch.Tensor](), hashlib.sha256()
    for name in names:
        content = files[name].read_bytes()
        digest.update(content)
        try:
            tensors |= load(content)
        except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
            told = str(error)[:80]
            raise SalusError("start_incomplete", where=f"{where}, {name}", expected="safetensors", found=told) from None
    floats = {name: tensor.float() for name, tensor in tensors.items() if tensor.is_floating_point()}
    if not all(bool(np.isfinite(tensor.numpy()).all()) for tensor in floats.values()):
        raise SalusError("start_incomplete", where=where, expected="finite weights", found="others")
    return floats, digest.hexdigest()
