"""What table learners see of times, texts, pictures and recordings: the same numbers in training and in the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from salus.core.context import Context
from salus.core.nouns import Column, Schema
from salus.data.encoding import encode_columns
from salus.data.kinds import kind_named
from salus.learners.base import Learner, Part, Prepared
from salus.learners.boosting import Boosting
from salus.learners.front import Front
from salus.learners.front_memory import Memory
from salus.learners.graphs import GraphBuilder
from salus.learners.linear import Linear

CHANNELS = ("ax", "ay")
WORDS = (("knee", "sore", "tired", "weak"), ("fresh", "strong", "fast", "calm"))


def rows_of(kind: str, target: np.ndarray, seed: int) -> list[Any]:
    """Raw values whose content follows the target."""
    generator = np.random.default_rng(seed)
    if kind == "time":
        days = np.datetime64("2024-01-01") + generator.integers(0, 300, len(target)) + 400 * target
        return [None if row % 9 == 8 else str(day) for row, day in enumerate(days)]
    if kind == "text":
        common = [f"word{n}" for n in range(40)]
        return [
            " ".join([*generator.choice(common, 6), generator.choice(WORDS[t])]) if row % 13 else None
            for row, t in enumerate(target)
        ]
    if kind == "series":
        return [
            np.sin(np.arange(60 + row % 90) * (0.2 + 0.5 * t)) + generator.normal(0, 0.3, 60 + row % 90)
            for row, t in enumerate(target)
        ]
    return list(generator.normal(size=len(target)) + target)


def problem(kinds: tuple[str, ...], rows: int = 120, classes: int = 2) -> Prepared:
    """Columns of these kinds, fitted on train rows; pictures are made as pixels."""
    names = {kind: CHANNELS if kind == "series" else (kind,) for kind in kinds if kind != "image"}
    parts, columns = [], []
    for side in range(2):
        target = np.arange(rows) % classes
        values: dict[str, Any] = {}
        for kind, of_kind in names.items():
            for place, name in enumerate(of_kind):
                values[name] = kind_named(kind).column_values(rows_of(kind, target, 10 * side + place), name)
        if side == 0:
            for kind, of_kind in names.items():
                states = [kind_named(kind).fit(values[name], {}) for name in of_kind]
                columns += [Column(name=n, kind=kind, state=s) for n, s in zip(of_kind, states, strict=True)]
        feeds = encode_columns(tuple(columns), values) if values else {}
        if "image" in kinds:
            generator = np.random.default_rng(side)
            pixels = generator.integers(0, 60, (rows, 20, 24, 3))
            pixels[target == 1, :, 8:16] += 150
            feeds["image_0"] = pixels.astype(np.uint8)
        parts.append(Part(feeds, target.astype(np.int64), np.arange(rows) + 7))
    pictures = [Column(name="photo", kind="image", state={})] if "image" in kinds else []
    return Prepared(Schema(columns=(*columns, *pictures)), parts[0], parts[1], True, classes, 3, 1)


def graph_of(front: Front) -> onnxruntime.InferenceSession:
    builder = GraphBuilder()
    return onnxruntime.InferenceSession(builder.finish("found", front.number_nodes(builder), len(front.names)))


def answer(session: onnxruntime.InferenceSession, feeds: dict[str, np.ndarray]) -> np.ndarray:
    found: np.ndarray = session.run(None, {wanted.name: feeds[wanted.name] for wanted in session.get_inputs()})[0]
    return found


def one_row(feeds: dict[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    taken = {name: feed[row : row + 1] for name, feed in feeds.items() if name not in ("series", "series_rows")}
    if "series" in feeds:
        windows = np.flatnonzero(feeds["series_rows"][row])
        taken |= {"series": feeds["series"][windows], "series_rows": feeds["series_rows"][row : row + 1][:, windows]}
    return taken


MIXES = [("number", "time"), ("text",), ("image",), ("series",), ("number", "text", "series", "image", "time")]


@pytest.mark.parametrize("kinds", MIXES)
def test_the_graph_makes_what_was_learned_from(kinds: tuple[str, ...]) -> None:
    prepared = problem(kinds)
    front = Front.fit(prepared)
    feeds = prepared.validation.feeds
    numbers = front.feeds(feeds)["numbers"]
    assert numbers.dtype == np.float32
    assert numbers.shape == (len(prepared.validation), len(front.names)) == (120, len(front.sources))
    assert set(front.sources) <= {column.name for column in prepared.schema.inputs}
    assert len(set(front.names)) == len(front.names)
    session = graph_of(front)
    np.testing.assert_allclose(answer(session, feeds), numbers, atol=1e-5)
    for row in (0, 8, 119):
        np.testing.assert_allclose(answer(session, one_row(feeds, row))[0], numbers[row], atol=1e-5)


@pytest.mark.parametrize("kinds", MIXES)
def test_the_features_tell_the_classes_apart(kinds: tuple[str, ...]) -> None:
    prepared = problem(kinds)
    front = Front.fit(prepared)
    learned, judged = front.learning(prepared.train)["numbers"], front.feeds(prepared.validation.feeds)["numbers"]
    centre, scale = np.nanmean(learned, axis=0), np.nanstd(learned, axis=0) + 1e-6
    standard = [np.nan_to_num((side - centre) / scale) for side in (learned, judged)]
    signs = 2.0 * prepared.train.target - 1
    gram = standard[0].T @ standard[0] + 10 * np.eye(standard[0].shape[1])
    right = (standard[1] @ np.linalg.solve(gram, standard[0].T @ signs) > 0) == (prepared.validation.target == 1)
    assert right.mean() > 0.75


def test_rows_learned_from_are_answered_by_models_that_did_not_see_them() -> None:
    prepared = problem(("text",))
    generator = np.random.default_rng(0)
    noise = Part(prepared.train.feeds, generator.permutation(prepared.train.target), prepared.train.rows)
    prepared = Prepared(prepared.schema, noise, prepared.validation, True, 2, 0, 1)
    front = Front.fit(prepared)
    spoken = front.names.index("text.words_for_0")
    seen = front.feeds(noise.feeds)["numbers"][:, spoken]
    unseen = front.learning(noise)["numbers"][:, spoken]
    signs = noise.target * 2 - 1
    assert np.corrcoef(seen, signs)[0, 1] > 0.5 > 0.25 > np.corrcoef(unseen, signs)[0, 1]
    some = Part({"texts": noise.feeds["texts"][5:9]}, noise.target[5:9], noise.rows[5:9])
    np.testing.assert_array_equal(front.learning(some)["numbers"][:, spoken], unseen[5:9])


def test_the_seed_decides_and_nothing_else() -> None:
    prepared = problem(("text", "series"))
    fronts = [Front.fit(prepared).feeds(prepared.validation.feeds)["numbers"] for _ in range(2)]
    np.testing.assert_array_equal(fronts[0], fronts[1])


@pytest.mark.parametrize("kinds", MIXES)
def test_no_rows_give_no_features(kinds: tuple[str, ...]) -> None:
    prepared = problem(kinds)
    front = Front.fit(prepared)
    nothing = {name: feed[:0] for name, feed in prepared.validation.feeds.items()}
    if "series" in nothing:
        nothing["series_rows"] = np.zeros((0, 0), dtype=np.float32)
    assert front.feeds(nothing)["numbers"].shape == (0, len(front.names))


def test_categories_pass_and_alone_make_no_numbers() -> None:
    columns = (Column(name="sex", kind="category", state={"levels": ["a", "b"]}),)
    codes = {"categories": np.array([[2], [3], [0]], dtype=np.int64)}
    part = Part(codes, np.array([0, 1, 1]), np.arange(3))
    found = Front.fit(Prepared(Schema(columns=columns), part, part, True, 2, 0, 1)).feeds(codes)
    assert list(found) == ["categories"]
    assert Front.takes(frozenset({"time", "text", "image", "series", "category", "number"}))
    assert not Front.takes(frozenset()) and not Front.takes(frozenset({"smell"}))


@pytest.mark.parametrize(("height", "width", "channels"), [(1, 1, 1), (3, 2, 3), (8, 64, 1), (224, 100, 3)])
def test_pictures_of_any_size_have_finite_features(height: int, width: int, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, height, width, channels), dtype=np.uint8)
    pixels[0] = 0
    part = Part({"image_0": pixels}, np.array([0, 1, 0]), np.arange(3))
    schema = Schema(columns=(Column(name="photo", kind="image", state={}),))
    front = Front.fit(Prepared(schema, part, part, True, 2, 0, 1))
    numbers = front.feeds(part.feeds)["numbers"]
    assert numbers.shape == (3, len(front.names)) and np.isfinite(numbers).all()


@pytest.mark.parametrize("steps", [1, 2, 5, 3000])
def test_windows_of_any_length_have_finite_features(steps: int) -> None:
    generator = np.random.default_rng(0)
    windows = generator.normal(size=(5, 2, steps)).astype(np.float32) * np.array([[1e4], [1e-4]], dtype=np.float32)
    windows[0] = 0.0
    rows = np.array([[0.5, 0.5, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0.5, 0.5]], dtype=np.float32)
    part = Part({"series": windows, "series_rows": rows}, np.array([0, 1, 0]), np.arange(3))
    schema = Schema(columns=tuple(Column(name=name, kind="series", state={}) for name in CHANNELS))
    front = Front.fit(Prepared(schema, part, part, True, 2, 0, 1))
    numbers = front.feeds(part.feeds)["numbers"]
    assert numbers.shape == (3, len(front.names)) and np.isfinite(numbers).all()
    spread = [place for place, name in enumerate(front.names) if name.endswith("(spread)")]
    assert not numbers[1, spread].any()


def test_what_was_made_once_is_kept_until_others_need_the_memory() -> None:
    memory, made = Memory(most_bytes=100), list[str]()

    def ask(name: str, size: int) -> str:
        def make() -> str:
            made.append(name)
            return name

        return str(memory.get((name, np.arange(3)), make, lambda value: size))

    for name, size in (("a", 60), ("a", 60), ("b", 30), ("a", 60), ("c", 20), ("b", 30), ("a", 60), ("giant", 101)):
        assert ask(name, size) == name
    assert made == ["a", "b", "c", "b", "a", "giant"]
    ask("giant", 101)
    assert made[-1] == "giant" and len(made) == 7


def test_features_of_the_same_rows_are_not_shared_with_who_changes_them() -> None:
    prepared = problem(("image",))
    front = Front.fit(prepared)
    first = front.feeds(prepared.validation.feeds)["numbers"]
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(front.feeds(prepared.validation.feeds)["numbers"], kept)


@pytest.mark.parametrize("classification", [True, False])
@pytest.mark.parametrize(
    "texts", [["one word", None, "one word"], [None, None], ["", "", ""], ["a b c"], ["x y", "x y z"] * 9]
)
def test_few_and_empty_texts_have_finite_features(texts: list[str | None], classification: bool) -> None:
    kind = kind_named("text")
    state = kind.fit(texts, {})
    feeds = kind.join({"note": kind.encode(texts, state)}, {"note": state})
    codes = np.arange(len(texts)) % 2
    part = Part(feeds, codes if classification else np.stack([codes, codes * 2.0], axis=1), np.arange(len(texts)))
    schema = Schema(columns=(Column(name="note", kind="text", state=state),))
    front = Front.fit(Prepared(schema, part, part, classification, 2, 0, 1))
    for made in (front.feeds(feeds), front.learning(part)):
        assert made["numbers"].shape == (len(texts), len(front.names)) and np.isfinite(made["numbers"]).all()


@pytest.mark.parametrize("learner", [Linear, Boosting])
def test_a_whole_model_says_the_same_as_its_graph(learner: type[Learner], tmp_path: Path) -> None:
    prepared = problem(("number", "text", "series", "image", "time"))
    fitted = learner(learner.Config()).fit(prepared, Context())
    feeds = prepared.validation.feeds
    raw = fitted.raw(feeds)
    assert (raw.argmax(axis=1) == prepared.validation.target).mean() > 0.9
    fitted.export(tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession((tmp_path / "graph.onnx").read_bytes())
    np.testing.assert_allclose(answer(session, feeds), raw, atol=1e-3)
