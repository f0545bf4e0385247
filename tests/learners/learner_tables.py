"""Tables for the tests of learners: numbers with gaps, categories with unknown codes, a target of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from salus.core.nouns import Column, Schema
from salus.learners.base import Part, Prepared

LEVELS = (3, 40)


def prepared(
    classes: int, classification: bool = True, rows: int = 400, kinds: str = "both", seed: int = 0
) -> Prepared:
    columns = [Column(name=f"n{i}", kind="number", state={}) for i in range(4)]
    columns += [
        Column(name=f"c{i}", kind="category", state={"levels": [f"v{j}" for j in range(k)]})
        for i, k in enumerate(LEVELS)
    ]
    kept = [c for c in columns if kinds == "both" or c.kind == kinds]
    sides = [part(classes, classification, rows, kinds, seed + side) for side in range(2)]
    return Prepared(Schema(columns=tuple(kept)), sides[0], sides[1], classification, classes, seed, 1)


def part(classes: int, classification: bool, rows: int, kinds: str, seed: int) -> Part:
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(rows, 4)) * [1, 100, 1e-3, 1] + [0, 5000, 0, 0]
    codes = np.stack([generator.integers(2, k + 2, rows) for k in LEVELS], axis=1)
    signal = numbers[:, 0] + (numbers[:, 1] - 5000) / 100 + (codes[:, 0] - 3) + (codes[:, 1] % 2) + numbers[:, 3] * 0.1
    numbers[generator.random(rows) < 0.2, 0] = np.nan
    codes[generator.random(rows) < 0.1, 1] = 0
    feeds = {}
    if kinds != "category":
        feeds["numbers"] = numbers.astype(np.float32)
    if kinds != "number":
        feeds["categories"] = codes.astype(np.int64)
    if classification:
        edges = np.linspace(-2, 2, classes + 1)[1:-1]
        target = np.digitize(signal, edges).astype(np.int64)
    else:
        target = np.stack([1e4 + 300 * signal * (m + 1) for m in range(classes)], axis=1)
    return Part(feeds, target, np.arange(rows))


def odd_feeds(kinds: str = "both") -> dict[str, np.ndarray]:
    """Rows as a server may get them: everything missing, unknown, huge, infinite."""
    numbers = np.array([[np.nan] * 4, [1e30, -1e30, 3e38, 0], [np.inf, -np.inf, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
    codes = np.array([[0, 0], [1, 1], [4, 41], [2, 1]], dtype=np.int64)
    feeds = {"numbers": numbers, "categories": codes}
    return {
        name: feed
        for name, feed in feeds.items()
        if kinds == "both" or {"number": "numbers", "category": "categories"}[kinds] == name
    }


def run_graph(graph: Path | bytes, feeds: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    data = graph if isinstance(graph, bytes) else graph.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = {found.name for found in session.get_inputs()}
    (value,) = session.run([output], {name: feed for name, feed in feeds.items() if name in names})
    answer: np.ndarray = value
    return answer
