"""Networks that write: their graphs say what torch says, and what is written depends on what was read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import salus
from salus.core.errors import SalusError
from salus.data.pieces import END, PAD, START
from salus.inference.engines.onnx import OnnxEngine
from salus.inference.programs.continuation import Continuation
from salus.inference.programs.encoder_step import EncoderStep
from salus.learners.networks import decoder, seq2seq
from salus.learners.networks.recurrent_rewriter import RecurrentRewriter
from salus.learners.networks.recurrent_writer import RecurrentWriter
from salus.learners.rewriting import RewritingFitted
from salus.learners.writing import WritingFitted
from salus.tasks.continuing import drawn

PIECES = 40


def loaded(graphs: dict[str, bytes]) -> OnnxEngine:
    engine = OnnxEngine()
    engine.load(graphs, 1)
    return engine


@pytest.fixture(params=["transformer", "rnn"])
def translator(request: pytest.FixtureRequest) -> RewritingFitted:
    torch.manual_seed(3)
    network: seq2seq.Rewriter = seq2seq.Seq2Seq(PIECES, PIECES, seq2seq.Size(2, 32, 4, 48, 0.0))
    network = network if request.param == "transformer" else RecurrentRewriter(PIECES, PIECES, 32, 0.0)
    return RewritingFitted(network.eval(), 12, 1, {}, {})


def test_a_translation_is_the_same_in_torch_and_in_the_runtime(translator: RewritingFitted, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    pieces = generator.integers(4, PIECES, (5, 1, 9)).astype(np.int32)
    pieces[1, 0, 4:] = PAD
    pieces[2, 0, 1:] = PAD
    engine = loaded(translator.graphs(tmp_path))
    found = EncoderStep().run(engine, {"pieces": pieces}, "tokens", [{"length": 12}], {})
    np.testing.assert_array_equal(found, translator.raw({"pieces": pieces}))
    alone = EncoderStep().run(engine, {"pieces": pieces[1:2]}, "tokens", [{"length": 12}], {})
    shared = min(alone.shape[1], found.shape[1])
    np.testing.assert_array_equal(alone[0, :shared], found[1, :shared])  # others in the batch change nothing
    assert not np.isin(found, [START]).any()


def test_a_short_answer_is_asked_for(translator: RewritingFitted, tmp_path: Path) -> None:
    pieces = np.full((2, 1, 4), 7, dtype=np.int32)
    engine = loaded(translator.graphs(tmp_path))
    assert EncoderStep().run(engine, {"pieces": pieces}, "tokens", [{"length": 12}], {"max_tokens": 3}).shape[1] <= 3


@pytest.fixture(params=["transformer", "lstm"])
def writer(request: pytest.FixtureRequest) -> WritingFitted:
    torch.manual_seed(4)
    network: Any = decoder.Decoder(PIECES, decoder.Size(2, 32, 4, 64, 0.0))
    network = network if request.param == "transformer" else RecurrentWriter(PIECES, 32, 2, 0.0)
    network.eval()
    torch.nn.init.normal_(network.pieces.weight, std=0.3)
    return WritingFitted(network, 1, {}, {})


def asked(prompts: list[list[int]], scored: list[list[int]], numbers: list[list[float]]) -> dict[str, np.ndarray]:
    pieces = np.zeros((len(prompts), 2, 600), dtype=np.int32)
    for row, parts in enumerate(zip(prompts, scored, strict=True)):
        for place, part in enumerate(parts):
            pieces[row, place, : len(part)] = part
    return {"pieces": pieces, "numbers": np.array(numbers, dtype=np.float32)}


def test_a_text_goes_on_as_torch_says(writer: WritingFitted, tmp_path: Path) -> None:
    nan = float("nan")
    feeds = asked([[5, 6, 7], [9], []], [[], [], []], [[10, 0, nan], [12, 0.9, 5], [4, 0, 1]])
    found = Continuation().run(loaded(writer.graphs(tmp_path)), feeds, "written", [], {})
    np.testing.assert_allclose(found, writer.raw(feeds), atol=1e-4)
    lengths = [np.count_nonzero(row[2:]) for row in found]
    ended = [END in row[2:] for row in found]
    assert all(length == wanted or stop for length, wanted, stop in zip(lengths, (10, 12, 4), ended, strict=True))


def test_long_texts_are_scored_in_windows_and_every_piece_counts_once(writer: WritingFitted, tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    text = generator.integers(4, PIECES, 500).tolist()
    engine = loaded(writer.graphs(tmp_path))
    whole = Continuation().run(engine, asked([text[:90]], [text[90:]], [[0, 0, 0]]), "written", [], {})
    assert whole[0, 1] == 410
    first = Continuation().run(engine, asked([text[:90]], [text[90:200]], [[0, 0, 0]]), "written", [], {})
    rest = Continuation().run(engine, asked([text[:200]], [text[200:]], [[0, 0, 0]]), "written", [], {})
    assert first[0, 1] + rest[0, 1] == 410
    assert whole[0, 0] == pytest.approx(first[0, 0] + rest[0, 0], rel=0.02)  # windows begin elsewhere


def test_cold_is_the_likeliest_and_warm_is_by_chance() -> None:
    logits = np.array([9.0, 9.0, 9.0, 1.0, 3.0, 2.9])
    assert drawn(logits, 0.0, np.random.default_rng(0)) == 4
    seen = {drawn(logits, 1.0, np.random.default_rng(seed)) for seed in range(60)}
    assert seen == {3, 4, 5}  # never what no text holds


@pytest.mark.parametrize(("learner", "more"), [("decoder_transformer", {"heads": 2}), ("lstm_text", {})])
def test_a_story_from_file_to_answer(learner: str, more: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "story.txt"
    path.write_text("the cat sat on the mat and the dog ran after the cat. " * 120, encoding="utf-8")
    options: dict[str, Any] = {"width": 32, "layers": 1, "steps": 60, "batch_rows": 4} | more
    model = salus.fit(path, "text", budget=8.0, threads=1, learner=learner, options=options)
    found = model.report["metrics"]["nats_per_character"]["value"]
    assert found < model.report["baseline"]["nats_per_character"]["value"]
    answer = model.predict([{"prompt": "the cat ", "length": 12, "temperature": 0}, {"scored": "the mat"}])
    assert 0 < len(answer[0]["text"]) <= 12 and "nats" not in answer[0]
    assert answer[1]["characters"] == 7 and answer[1]["nats"] > 0
    for wrong in ({"length": 2000}, {"temperature": -1}, {"seed": 0.5}):
        with pytest.raises(SalusError) as caught:
            model.predict([wrong])
        assert caught.value.code == "number_not_allowed"


WORDS = {"one": "eins", "two": "zwei", "three": "drei", "red": "rot", "cat": "Katze", "dog": "Hund", "sees": "sieht"}


@pytest.mark.parametrize("learner", ["seq2seq_transformer", "seq2seq_rnn"])
def test_words_are_translated_from_file_to_answer(learner: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pairs = [generator.choice(sorted(WORDS), generator.integers(2, 5)).tolist() for _ in range(400)]
    lines = ["\t".join([" ".join(words), " ".join(WORDS[word] for word in words)]) for words in pairs]
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(["en\tde", *dict.fromkeys(lines)]) + "\n", encoding="utf-8")
    options: dict[str, Any] = {"width": 64, "steps": 150, "batch_rows": 32, "learning_rate": 5e-3, "dropout": 0.0}
    said: dict[str, Any] = {"task": "translation", "budget": 20.0, "threads": 1}
    model = salus.fit(path, "de", learner=learner, options=options, **said)
    assert model.report["metrics"]["bleu"]["value"] > 50 > model.report["baseline"]["bleu"]["value"]
    answers = model.predict([{"en": "one red cat"}, {"en": "two"}])
    assert answers[0]["text"] == "eins rot Katze" and answers[1]["text"]
