"""Sound: encoded bytes in, one size of log-mel frames out.

Knows formats, limits, rates and the mel scale. Channels are mixed to one; any rate is resampled to the state's. The frames are made here
and not in a graph, so that graphs stay small; frames behind the end are zeros that are marked, so that they change no answer.
`soundfile` decodes (wav, flac, ogg, mp3) and `soxr` resamples; both are loaded when first needed.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values

FORMATS = ("WAV", "FLAC", "OGG", "MP3")
MOST_BYTES = 200 * 2**20
MOST_S = 600.0  # a longer sound is refused before it is decoded
LONGEST_S = 30.0  # so much of a sound is heard at most
MOST_RATE_HZ, LEAST_RATE_HZ = 16_000, 4_000
MOST_FILE_RATE_HZ, MOST_CHANNELS = 768_000, 64
MOST_SAMPLES_A_SECOND = 768_000  # of all channels together: silence of any rate is a small file
MOST_SAMPLES = 2**26  # of all channels together, of a whole sound
BLOCK_SAMPLES = 2**22  # decoded at once, of all channels together
MELS = 40
WINDOW_S, STEP_S = 0.025, 0.010
LOWEST_HZ = 60.0
QUIET = 1e-6  # added to energies, so that silence has a logarithm
LOOKED_AT = 500
SMALL_BYTES = 32 * 1024
LENGTH_SHARE = 0.999  # of the train sounds are heard to their end


class Audio(Kind):
    name = "audio"
    storage = "bytes"

    def recognise(self, values: Sequence[Any]) -> float:
        present = [value for value in values if value is not None]
        if not present or not all(isinstance(value, bytes) for value in present):
            return 0.0
        return 0.95 if sum(looks_like_sound(value) for value in present) * 2 > len(present) else 0.0

    def read(self, raw: Any, where: str) -> Any:
        if raw is None or isinstance(raw, bytes):
            return raw
        if isinstance(raw, dict) and set(raw) == {"base64"}:
            raw = raw["base64"]
        if not isinstance(raw, str):
            raise SalusError("not_a_sound", where=where, found=type(raw).__name__)
        try:
            return base64.b64decode(raw, validate=True)
        except (binascii.Error, ValueError):
            raise SalusError("not_a_sound", where=where, found="text that is not base64") from None

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        """The rate (the median, at most 16 kHz) and how many frames are heard (nearly the longest, at most 30 s)."""
        present = [value for value in values if value is not None]
        if not present:
            raise SalusError("no_sounds", where="the train rows")
        heard = [facts_of(value, "a sound") for value in present[:: max(1, len(present) // LOOKED_AT)]]
        rate_hz = int(np.clip(np.median([rate for rate, _ in heard]), LEAST_RATE_HZ, MOST_RATE_HZ))
        longest_s = float(np.quantile([seconds for _, seconds in heard], LENGTH_SHARE, method="higher"))
        frames = int(np.ceil(min(LONGEST_S, longest_s) / STEP_S)) + 1
        return {"rate_hz": rate_hz, "frames": max(16, frames), "mels": MELS}

    def encode(self, values: Values, state: State) -> Arrays:
        frames_BFM = np.zeros((len(values), state["frames"], state["mels"] + 1), dtype=np.float32)
        for row, value in enumerate(values):
            if value is not None:
                found = log_mel(decode(value, state["rate_hz"], f"sound {row}"), state["rate_hz"], state["mels"])
                count = min(len(found), state["frames"])
                frames_BFM[row, :count, :-1] = standard(found[:count])
                frames_BFM[row, :count, -1] = 1.0
        return {"sound": frames_BFM}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        """`sound_<i>` float32 (B, F, mels + 1): log-mel frames of mean 0 and deviation 1, and 1 in the last place where there is sound."""
        return {f"sound_{index}": arrays["sound"] for index, arrays in enumerate(encoded.values())}

    def json_schema(self, state: State) -> dict[str, Any]:
        text = {"type": "string", "contentEncoding": "base64", "description": f"a sound: {', '.join(FORMATS)}"}
        wrapped = {
            "type": "object",
            "properties": {"base64": text},
            "required": ["base64"],
            "additionalProperties": False,
        }
        return {"anyOf": [text, wrapped, {"type": "null"}]}

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        """Silence, noise and gliding tones."""
        values: list[Any] = []
        for row in range(count):
            samples = max(400, int(state["rate_hz"] * STEP_S * state["frames"] * generator.uniform(0.2, 1.0)))
            times_s = np.arange(samples) / state["rate_hz"]
            glide_hz = generator.uniform(100, 600) * (1 + times_s)
            sound = 0.4 * np.sin(2 * np.pi * glide_hz * times_s) if row % 2 else generator.normal(0, 0.1, samples)
            values.append({"base64": base64.b64encode(wav_of(sound * (row > 0), state["rate_hz"])).decode()})
        if count > 9:
            values[9] = None
        return values


def looks_like_sound(content: bytes) -> bool:
    """By its first bytes."""
    if content[:4] == b"RIFF":
        return content[8:12] == b"WAVE"
    mp3 = len(content) > 1 and content[0] == 0xFF and content[1] & 0xE6 == 0xE2
    return content.startswith((b"fLaC", b"OggS", b"ID3")) or mp3


def _open(content: bytes, where: str) -> Any:
    """The open file, its limits checked, nothing decoded yet."""
    import soundfile

    if len(content) > MOST_BYTES:
        raise SalusError("sound_too_long", where=where, expected=f"{MOST_BYTES} bytes", found=f"{len(content)} bytes")
    if not looks_like_sound(content):  # the library knows many more formats; none of their parsers sees foreign bytes
        raise SalusError("not_a_sound", where=where, found=f"{len(content)} bytes of another format")
    try:
        file = soundfile.SoundFile(io.BytesIO(content))
    except (soundfile.SoundFileError, OSError, ValueError, TypeError):
        raise SalusError("not_a_sound", where=where, found=f"{len(content)} bytes of another format") from None
    if file.format not in (*FORMATS, "WAVEX"):
        raise SalusError("not_a_sound", where=where, found=f"the format {file.format}")
    sound = 1 <= file.samplerate <= MOST_FILE_RATE_HZ and 1 <= file.channels <= MOST_CHANNELS
    if not sound or file.samplerate * file.channels > MOST_SAMPLES_A_SECOND:
        raise SalusError("not_a_sound", where=where, found=f"{file.channels} channels of {file.samplerate} Hz")
    if file.frames > MOST_S * file.samplerate:
        said = f"{file.frames / file.samplerate:.0f} s"
        raise SalusError("sound_too_long", where=where, expected=f"{MOST_S:.0f} s", found=said)
    return file


def facts_of(content: bytes, where: str) -> tuple[int, float]:
    """Its own rate in Hz and its seconds, from the header."""
    with _open(content, where) as file:
        return int(file.samplerate), float(file.frames) / float(file.samplerate)


def samples_of(content: bytes, where: str, most_s: float = MOST_S) -> tuple[np.ndarray, int]:
    """The first float32 samples (T,), mixed to one channel, and their rate; block by block, so that a small file of many channels takes
    no more memory than what is given. Raises `not_a_sound`, `sound_too_long`, `sound_empty`."""
    import soundfile

    with _open(content, where) as file:
        rate_hz, blocks = int(file.samplerate), list[np.ndarray]()
        left = min(int(most_s * rate_hz) + 1, MOST_SAMPLES // file.channels)
        try:
            while left > 0:
                block = file.read(min(left, BLOCK_SAMPLES // file.channels), dtype="float32", always_2d=True)
                if not len(block):
                    break
                blocks.append(block.mean(axis=1))
                left -= len(block)
        except (soundfile.SoundFileError, OSError, ValueError):
            raise SalusError("not_a_sound", where=where, found="a damaged file") from None
    if not blocks:
        raise SalusError("sound_empty", where=where)
    mixed: np.ndarray = np.nan_to_num(np.concatenate(blocks), posinf=1.0, neginf=-1.0)
    return mixed, rate_hz


def decode(content: bytes, rate_hz: int, where: str) -> np.ndarray:
    """Its first 30 s as float32 samples of this rate, between -1 and 1."""
    samples, own_hz = samples_of(content, where, LONGEST_S)
    samples = samples.clip(-1.0, 1.0)
    if own_hz == rate_hz:
        return samples
    import soxr

    resampled: np.ndarray = np.asarray(soxr.resample(samples, own_hz, rate_hz), dtype=np.float32)
    return resampled


@cache
def mel_filters(rate_hz: int, mels: int) -> tuple[int, np.ndarray]:
    """Points of the Fourier transform, and triangles (points // 2 + 1, mels) that are evenly spaced on the mel scale (Stevens et al.
    1937, as O'Shaughnessy 1987 writes it)."""
    points = 1 << int(np.ceil(np.log2(WINDOW_S * rate_hz)))
    ends = 2595 * np.log10(1 + np.array([LOWEST_HZ, rate_hz / 2]) / 700)
    edges_hz = 700 * (10 ** (np.linspace(ends[0], ends[1], mels + 2) / 2595) - 1)
    places_hz = np.arange(points // 2 + 1)[:, None] * rate_hz / points
    rising = (places_hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - places_hz) / (edges_hz[2:] - edges_hz[1:-1])
    return points, np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def log_mel(samples: np.ndarray, rate_hz: int, mels: int) -> np.ndarray:
    """float32 (F, mels): the logarithm of the energy in each band, every 10 ms; a sound is framed from its start to its end."""
    points, filters = mel_filters(rate_hz, mels)
    window, step = round(WINDOW_S * rate_hz), round(STEP_S * rate_hz)
    padded = np.pad(samples, (window // 2, window))
    framed = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(samples) : step]
    energies = np.abs(np.fft.rfft(framed * np.hanning(window).astype(np.float32), points)) ** 2
    found: np.ndarray = np.log(energies.astype(np.float32) @ filters + QUIET)
    return found


def standard(frames_FM: np.ndarray) -> np.ndarray:
    """Less the mean of each band and by the deviation of all: what a microphone and a distance do is taken away."""
    centred = frames_FM - frames_FM.mean(axis=0)
    found: np.ndarray = centred / max(float(centred.std()), 0.1)
    return found


def beginning_of(content: bytes) -> bytes:
    """The sound itself where it is short, else its first second."""
    if len(content) <= SMALL_BYTES:
        return content
    samples, rate_hz = samples_of(content, "the preview", 1.0)
    return wav_of(samples[:rate_hz], rate_hz)


def wav_of(samples: np.ndarray, rate_hz: int) -> bytes:
    """16-bit WAV."""
    import wave

    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", "not compressed"))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return stream.getvalue()
