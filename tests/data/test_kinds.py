"""The kinds, through their contract and at their edges."""

from __future__ import annotations

import base64
import io
import math
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from salus.core.errors import SalusError
from salus.core.nouns import Column
from salus.data.kinds import kind_named
from salus.data.kinds.base import Kind
from salus.data.kinds.image import decode, picture_shape
from salus.data.windows import MAX_WINDOWS, choose_window, cut, fill, starts
from salus.inference.plans import NumberPlan
from salus.testing.kind import KindContract


def picture(size: tuple[int, int] = (6, 4), mode: str = "RGB", suffix: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Pillow.fromarray(pixels).convert(mode).save(stream, format=suffix, **options)
    return stream.getvalue()


class TestNumber(KindContract):
    def kind(self) -> Kind:
        return kind_named("number")

    def good(self) -> list[Any]:
        return [1, 2.5, None, -3, 1e6, 0]

    def bad(self) -> list[Any]:
        return ["1", True, [1], {}, math.inf, 1e300]


class TestCategory(KindContract):
    def kind(self) -> Kind:
        return kind_named("category")

    def good(self) -> list[Any]:
        return ["a", "b", None, "a", "a", "b"]

    def bad(self) -> list[Any]:
        return [[1], {}, math.nan]


class TestImage(KindContract):
    def kind(self) -> Kind:
        return kind_named("image")

    def good(self) -> list[Any]:
        return [picture(), None, picture(mode="L"), picture(suffix="JPEG"), picture(), picture(suffix="BMP")]

    def bad(self) -> list[Any]:
        return [3, "not base64!", [1], {"url": "x"}]


class TestSeries(KindContract):
    def kind(self) -> Kind:
        return kind_named("series")

    def good(self) -> list[Any]:
        return [[1.0] * 20, None, [1, 2, None] * 10, list(range(50)), [0.5] * 20, [3.0] * 9]

    def bad(self) -> list[Any]:
        return [[], "12", ["a"], 4, [True]]


def test_labels_of_numbers_keep_all_their_digits() -> None:
    assert kind_named("category").read(1234567.0, "x") == "1234567"
    assert kind_named("category").read(0.1, "x") == "0.1"


def test_unknown_and_missing_labels_have_codes_of_their_own() -> None:
    kind = kind_named("category")
    codes = kind.encode(["b", None, "never seen", "a"], {"levels": ["a", "b"]})["column"]
    assert codes.tolist() == [3, 0, 1, 2]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "1", "LA"])
def test_pictures_of_any_mode_become_three_bytes_a_pixel(mode: str) -> None:
    suffix = "TIFF" if mode == "CMYK" else "PNG"
    pixels = decode(picture(mode=mode, suffix=suffix), {"height": 4, "width": 6, "channels": 3}, "x")
    assert pixels.shape == (4, 6, 3) and pixels.dtype == np.uint8


def test_sixteen_bit_pictures_keep_their_light() -> None:
    stream = io.BytesIO()
    Pillow.fromarray(np.full((4, 6), 40_000, dtype=np.uint16)).save(stream, format="PNG")
    pixels = decode(stream.getvalue(), {"height": 4, "width": 6, "channels": 1}, "x")
    assert set(pixels.ravel()) == {40_000 >> 8}


def test_turned_photographs_stand_upright() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    turned = picture(size=(8, 4), suffix="JPEG", exif=exif)
    assert picture_shape(turned) == (8, 4, 3)


@pytest.mark.parametrize("suffix", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(suffix: str, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    content = picture(size=(8, 4), suffix=suffix, exif=exif)
    opened = Pillow.open(io.BytesIO(content))
    opened.load()
    upright = ImageOps.exif_transpose(opened).convert("RGB")
    height, width, channels = picture_shape(content)
    assert (width, height) == upright.size
    pixels = decode(content, {"height": height, "width": width, "channels": channels}, "x")
    np.testing.assert_array_equal(pixels, np.asarray(upright))


def test_damaged_pictures_are_refused_by_name_and_never_crash() -> None:
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010E] = 6, "notes"
    generator = np.random.default_rng(7)
    for suffix in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"):
        good = picture(suffix=suffix, **({} if suffix in ("BMP", "GIF") else {"exif": exif}))
        for _ in range(300):
            bad = bytearray(good)
            for _ in range(generator.integers(1, 6)):
                bad[generator.integers(0, min(len(bad), 120))] = generator.choice([0, 1, 2, 127, 255])
            try:
                decode(bytes(bad), {"height": 4, "width": 6, "channels": 3}, "row 3")
            except SalusError as error:
                assert error.code.startswith(("not_a_picture", "picture_"))


def test_a_broken_note_in_a_good_picture_does_not_matter() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 1
    content = picture(suffix="JPEG", exif=exif)
    at = content.index(b"Exif\0\0") + 6
    damaged = content[: at + 2] + b"\xff" * 6 + content[at + 8 :]
    assert picture_shape(damaged) == (4, 6, 3)
    assert decode(damaged, {"height": 4, "width": 6, "channels": 3}, "x").shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_a_picture"),
        (b"\x89PNG\r\n\x1a\n", "not_a_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_a_picture"),
        (picture(size=(300, 300))[:-2000], "picture_truncated"),
        (picture(size=(300, 300), suffix="JPEG")[:-3000], "picture_truncated"),
    ],
)
def test_what_is_no_whole_picture_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(SalusError) as caught:
        decode(content, {"height": 4, "width": 6, "channels": 3}, "row 3")
    assert caught.value.code == code and "row 3" in caught.value.detail()


def test_giant_pictures_are_refused_from_their_header() -> None:
    small = picture()
    size = struct.pack(">II", 30_000, 30_000)
    check = struct.pack(">I", zlib.crc32(small[12:16] + size + small[24:29]))
    with pytest.raises(SalusError) as caught:
        picture_shape(small[:16] + size + small[24:29] + check + small[33:])
    assert caught.value.code == "picture_too_large"


def test_animations_are_refused() -> None:
    stream = io.BytesIO()
    frames = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(stream, format="GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(SalusError) as caught:
        picture_shape(stream.getvalue())
    assert caught.value.code == "picture_animated"


def test_base64_in_both_spellings_is_the_picture() -> None:
    text = base64.b64encode(picture()).decode()
    kind = kind_named("image")
    assert kind.read(text, "x") == kind.read({"base64": text}, "x") == picture()


def test_windows_cover_a_recording_and_never_more() -> None:
    window, stride = choose_window([1000, 700, 2000])
    assert (window, stride) == (256, 128)
    assert starts(1000, window, stride)[-1] + window <= 1000
    assert len(starts(10**6, window, stride)) == MAX_WINDOWS
    assert choose_window([140, 140]) == (140, 140)
    assert choose_window([1, *[900] * 50]) == (256, 128)
    assert choose_window([]) == (1, 1) and choose_window([3, 1, 2]) == (3, 1)


def test_gaps_are_filled_with_what_was_there_before() -> None:
    assert fill(np.array([np.nan, 1, np.nan, 3])).tolist() == [1, 1, 1, 3]
    assert fill(np.array([np.nan, np.nan])).tolist() == [0, 0]
    assert cut(np.array([1.0, 2.0]), 4, starts(2, 4, 2)).tolist() == [[1, 2, 2, 2]]


def test_channels_of_unequal_length_are_refused() -> None:
    kind = kind_named("series")
    state = {"window_steps": 4, "stride_steps": 2, "mean": 0.0, "deviation": 1.0}
    encoded = {name: kind.encode([np.ones(n, dtype=np.float32)], state) for name, n in (("ax", 8), ("ay", 9))}
    with pytest.raises(SalusError) as caught:
        kind.join(encoded, {"ax": state, "ay": state})
    assert caught.value.code == "series_unequal"


def test_windows_are_as_long_as_a_person_says() -> None:
    kind, traces = kind_named("series"), [np.ones(300, dtype=np.float32), np.ones(500, dtype=np.float32)]
    said = {"rate_hz": 50.0, "window_s": 2.0}
    assert kind.fit(traces, said) | {"window_steps": 100, "stride_steps": 50} == kind.fit(traces, said)
    assert kind.fit(traces, said | {"stride_s": 0.5})["stride_steps"] == 25
    assert kind.fit(traces, said | {"window_s": 3600})["window_steps"] == 500
    with pytest.raises(SalusError) as caught:
        kind.fit(traces, {"window_s": 2.0})
    assert caught.value.code == "series_rate_missing"


def test_a_channel_that_is_missing_somewhere_does_not_change_the_windows() -> None:
    kind = kind_named("series")
    values: dict[str, list[Any]] = {"ax": [np.ones(9, dtype=np.float32), np.ones(400, dtype=np.float32)]}
    values["ay"] = [None, values["ax"][1] * 2]
    states = {name: kind.fit(column, {}) for name, column in values.items()}
    feeds = kind.join({name: kind.encode(column, states[name]) for name, column in values.items()}, states)
    windows = feeds["series_rows"] > 0
    assert feeds["series"].shape[1] == 2 and windows.sum(axis=0).tolist() == [1] * windows.shape[1]
    assert not feeds["series"][windows[0], 1].any() and (feeds["series"][windows[1], 1] == 2).all()


def test_many_recordings_share_the_windows_that_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, traces = kind_named("series"), [np.zeros(4000, dtype=np.float32)] * 40
    monkeypatch.setattr("salus.data.kinds.series.WANTED_PAIRS", 40 * 40 * 3)
    state = kind.fit(traces, {})
    assert kind.join({"a": kind.encode(traces, state)}, {"a": state})["series_rows"].shape == (40, 120)
    monkeypatch.setattr("salus.data.kinds.series.MOST_PAIRS", 1000)
    with pytest.raises(SalusError) as caught:
        kind.join({"a": kind.encode(traces, state)}, {"a": state})
    assert caught.value.code == "series_too_many_windows"


def test_epoch_seconds_stay_apart() -> None:
    kind = kind_named("number")
    seconds = np.array([1_700_000_000.0, 1_700_000_001.0, 1_700_009_000.0, np.nan])
    state = kind.fit(seconds, {})
    column = kind.encode(seconds, state)["column"]
    assert len(np.unique(column[:3])) == 3 and np.isnan(column[3])
    assert (
        NumberPlan([Column(name="t", kind="number", state=state)]).encode({"t": seconds})[:3, 0].tolist()
        == column[:3].tolist()
    )
    plain = kind.fit(np.array([0.0, 5e6]), {})
    assert kind.encode(np.array([7.0]), plain)["column"][0] == 7


def test_words_for_missing_mean_the_same_in_files_and_requests() -> None:
    kind = kind_named("category")
    assert kind.encode(["?", "NA", None, "x", "a"], {"levels": ["a"]})["column"].tolist() == [0, 0, 0, 1, 2]
    assert kind.encode(["None"], {"levels": ["None"]})["column"].tolist() == [2]
