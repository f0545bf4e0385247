"""Sounds from bytes to answers: formats and rates, damage, padding, graphs beside torch, and a whole study."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salus.core.errors import SalusError
from salus.core.nouns import Column
from salus.data.kinds.audio import Audio, wav_of
from salus.tasks.edits import edits
from salus.tasks.paths import Phrases
from salus.tasks.transcription import Transcription
from salus.testing.kind import KindContract

STATE = {"rate_hz": 8000, "frames": 60, "mels": 40}


class TestAudio(KindContract):
    def kind(self) -> Audio:
        return Audio()

    def good(self) -> list[Any]:
        return [wav_of(tone(200.0 + 50 * row, 0.1 + 0.05 * row), 8000) for row in range(6)] + [None]

    def bad(self) -> list[Any]:
        return [3.5, "not base64!", ["a"], {"url": "http://x"}]


def tone(hz: float, seconds: float, rate_hz: int = 8000) -> np.ndarray:
    return 0.4 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("rate_hz", [8000, 44_100, 96_000])
def test_every_rate_and_depth_is_heard_alike(subtype: str, rate_hz: int) -> None:
    import soundfile

    stream = io.BytesIO()
    stereo = np.stack([tone(700, 0.4, rate_hz)] * 2, axis=1)
    soundfile.write(stream, stereo, rate_hz, subtype=subtype, format="WAV")
    found = Audio().encode([stream.getvalue(), wav_of(tone(700, 0.4), 8000)], STATE)["sound"]
    assert found[0, :, -1].sum() == pytest.approx(40, abs=1)
    bands = found[:, 5:35, :-1].std(axis=1)
    assert np.isfinite(bands).all()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"name,age\nana,3\n" * 20, "not_a_sound"),
        (b"", "not_a_sound"),
        (wav_of(np.zeros(0), 8000), "sound_empty"),
        (wav_of(np.zeros(8000 * 700), 8000), "sound_too_long"),
    ],
)
def test_what_cannot_be_heard_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(SalusError) as caught:
        Audio().encode([content], STATE)
    assert caught.value.code == code


def test_edits_are_those_of_the_book() -> None:
    assert edits("kitten", "sitting") == 3
    assert edits("", "abc") == 3
    assert edits(["one", "two", "three"], ["one", "three"]) == 1


def test_a_path_is_read_without_blanks_and_repeats() -> None:
    logits = np.eye(3, dtype=np.float32)[[[1, 1, 0, 1, 2, 2, 0]]]
    assert Transcription().settle(logits, [{"characters": ["a", "b"]}]).tolist() == ["aab"]


def test_what_is_said_again_and_again_is_answered_by_one_of_its_phrases() -> None:
    said = np.array(["One", "two", "too"] * 10, dtype=object)
    state = Transcription().fit_target(said, Column(name="said", kind="text"))
    assert state["phrases"] == ["one", "too", "two"]
    codes = {character: code for code, character in enumerate(state["characters"], start=1)}
    logits = np.full((1, 9, 1 + len(codes)), -4.0, dtype=np.float32)
    logits[0, range(5), [codes["t"], 0, codes["o"], codes["o"], codes["o"]]] = 3.0
    logits[0, 5:, 0] = 10.0
    assert Transcription().settle(logits, [{"characters": state["characters"]}]).tolist() == ["to"]
    answers = Transcription().settle(logits, [state])
    assert answers.tolist() == ["two"]  # "too" needs a blank between two like letters
    assert Transcription().output_schema([state], ["said"])["properties"]["text"]["enum"] == ["one", "too", "two"]
    alone = np.append(said, ["call john", "call john"])
    for others in (said[:20], alone):  # too seldom on average; one that is rare
        assert not Transcription().fit_target(others, Column(name="said", kind="text"))["phrases"]


def test_phrases_are_as_likely_as_the_loss_says() -> None:
    import torch

    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (12, 5)).astype(np.float32)
    phrases = [[1, 2, 2, 3], [4], [3, 3, 3], [1] * 9]
    logs = torch.log_softmax(torch.from_numpy(logits), dim=1)[:, None]
    found = Phrases(phrases).log_likelihoods(logits)
    for codes, likelihood in zip(phrases[:3], found, strict=False):
        lost = torch.nn.functional.ctc_loss(
            logs, torch.tensor([codes]), torch.tensor([12]), torch.tensor([len(codes)]), reduction="sum"
        )
        assert likelihood == pytest.approx(-float(lost), abs=1e-4)
    assert found[3] == -np.inf  # nine like letters need seventeen steps


@pytest.mark.parametrize("network", ["path", "mean"])
def test_the_graph_answers_as_torch_and_padding_changes_nothing(network: str, tmp_path: Path) -> None:
    import onnxruntime
    import torch

    from salus.learners.networks.sound import MeanNetwork, PathNetwork
    from salus.learners.sounds import FEED, SoundFitted

    torch.manual_seed(0)
    made = (PathNetwork if network == "path" else MeanNetwork)(40, 5, 4).eval().requires_grad_(False)
    made.trunk.fold()
    sizes: tuple[int, ...] = (30, 5) if network == "path" else (5,)
    fitted = SoundFitted(made, (60, 41), "scores", sizes, 1)
    sounds = Audio().encode([wav_of(tone(300, 0.5), 8000), wav_of(tone(900, 0.2), 8000), None], STATE)["sound"]
    fitted.export(tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx", providers=["CPUExecutionProvider"])
    said = session.run(None, {FEED: sounds})[0]
    np.testing.assert_allclose(said, fitted.raw({FEED: sounds}), atol=1e-4)
    cut = fitted.raw({FEED: sounds[1:2, :30]})
    np.testing.assert_allclose(cut, said[1:2, :15] if network == "path" else said[1:2], atol=1e-4)


@pytest.mark.parametrize("learner", ["audio_cnn", "linear"])
def test_tones_are_told_apart_from_folders(learner: str, tmp_path: Path) -> None:
    import salus

    generator = np.random.default_rng(0)
    for label, hz in (("low", 300.0), ("high", 1500.0)):
        (tmp_path / label).mkdir()
        for number in range(30):
            sound = tone(hz * generator.uniform(0.9, 1.1), generator.uniform(0.15, 0.3))
            file = tmp_path / label / f"{number}.wav"
            file.write_bytes(wav_of(sound + generator.normal(0, 0.02, len(sound)), 8000))
    options = {"steps": 40, "width": 8} if learner == "audio_cnn" else {}
    model = salus.fit(tmp_path, "label", budget=8, threads=1, learner=learner, options=options)
    assert model.report["metrics"]["accuracy"]["value"] >= 0.8
    with pytest.raises(SalusError, match="expected a sound"):
        model.predict([{"audio": "bm90IGEgc291bmQ="}])


def test_words_of_two_tones_are_recognised(tmp_path: Path) -> None:
    """Sounds of one or two tones, their names as text; the report plays them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    import salus
    from salus.evaluation.report.html import render

    generator = np.random.default_rng(1)
    sounds, texts = [], []
    for _ in range(90):
        chosen = generator.integers(0, 2, generator.integers(1, 3))
        parts = [np.r_[tone((400.0, 1600.0)[one], 0.15), np.zeros(400)] for one in chosen]
        sound = np.concatenate(parts)
        sounds.append(wav_of(sound + generator.normal(0, 0.01, len(sound)), 8000))
        texts.append(" ".join("lo" if one == 0 else "hi" for one in chosen))
    pq.write_table(pa.table({"audio": sounds, "said": texts}), tmp_path / "tones.parquet")
    options = {"steps": 80, "width": 8, "learning_rate": 5e-3, "masks": 0, "batch_rows": 16}
    model = salus.fit(tmp_path / "tones.parquet", "said", budget=8, threads=1, task="transcription", options=options)
    report = model.report
    assert set(report["metrics"]) == {"wer", "cer"}
    assert report["metrics"]["cer"]["value"] < report["baseline"]["cer"]["value"]
    assert report["shown"]["kind"] == "sounds" and report["shown"]["items"][0]["sound"]
    assert "data:audio/wav;base64," in render(report)
