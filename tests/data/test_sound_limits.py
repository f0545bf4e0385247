"""A small file may hold many samples: what decoding takes is bounded, and only known formats are opened at all."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from salus.core.errors import SalusError
from salus.data.findings_sounds import SoundCheck
from salus.data.kinds.audio import MOST_SAMPLES, decode, facts_of, samples_of

soundfile = pytest.importorskip("soundfile")


def silence(rate_hz: int, channels: int, seconds: int, form: str = "FLAC") -> bytes:
    stream = io.BytesIO()
    with soundfile.SoundFile(stream, "w", rate_hz, channels, format=form) as file:
        for _ in range(seconds):
            file.write(np.zeros((rate_hz, channels), np.int16))
    return stream.getvalue()


def refused(content: bytes) -> str:
    with pytest.raises(SalusError) as caught:
        facts_of(content, "x")
    return caught.value.code


def test_a_small_file_of_much_silence_takes_little_memory() -> None:
    content = silence(96_000, 8, 120)
    assert len(content) < 200_000
    tracemalloc.start()
    samples, rate_hz = samples_of(content, "x")
    heard = decode(content, 16_000, "x")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(samples) == min(MOST_SAMPLES // 8, 120 * rate_hz) and abs(len(heard) - 480_000) < 10
    assert most < 200 * 2**20  # all at once would be 370 MB


def test_many_channels_of_a_high_rate_are_refused() -> None:
    assert refused(silence(384_000, 8, 1)) == "not_a_sound"


def test_other_formats_of_the_library_are_not_opened() -> None:
    assert refused(silence(8_000, 1, 1, "AIFF")) == "not_a_sound"


def test_sounds_that_are_left_out_are_told_by_their_reason() -> None:
    check = SoundCheck("sound", lambda: None)
    contents = [silence(8_000, 1, 1), silence(8_000, 1, 0, "WAV"), b"a text, called .wav", silence(8_000, 1, 3 * 3600)]
    check.part(pa.chunked_array([pa.array(contents, pa.binary())]), 10)
    told = {one.code: tuple(one.rows) for one in check.findings() if one.code != "silent_sounds"}
    assert told == {"empty_sounds": (11,), "undecodable_sounds": (12,), "too_long_sounds": (13,)}
    assert check.broken == [11, 12, 13]
