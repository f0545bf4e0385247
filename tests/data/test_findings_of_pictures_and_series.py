"""What is found in pictures and recordings while they are added."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image as Pillow
from tests.data.test_recognition import version_of

from salus.core.nouns import Column, Finding, Schema
from salus.data.findings import Checker
from salus.data.near_pictures import near_pairs, thumbnail


def scene(seed: int, size: int = 96) -> Pillow.Image:
    """A coloured picture of blots, unlike that of another seed."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Pillow.fromarray(coarse).resize((size, size), Pillow.Resampling.BICUBIC)


def encoded(picture: Pillow.Image, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form)
    return stream.getvalue()


def of_pictures(folder: Path, pictures: list[bytes]) -> dict[str, Finding]:
    table = pa.table({"image": pictures, "y": ["a", "b"] * (len(pictures) // 2) + ["a"] * (len(pictures) % 2)})
    return {finding.code: finding for finding in version_of(folder, table).findings}


def test_copies_in_other_bytes_are_found(tmp_path: Path) -> None:
    pictures = [encoded(scene(seed)) for seed in range(30)]
    pictures += [encoded(scene(3), "JPEG"), encoded(scene(7).resize((48, 48))), encoded(scene(9).convert("L"))]
    finding = of_pictures(tmp_path, pictures)["near_duplicate_pictures"]
    assert finding.rows == (30, 31, 32) and finding.count == 3


def test_pictures_of_one_sort_are_no_copies() -> None:
    generator = np.random.default_rng(0)
    noisy = [np.clip(np.asarray(scene(1)) + generator.normal(0, 40, (96, 96, 3)), 0, 255) for _ in range(15)]
    turned = [Pillow.fromarray(one.astype(np.uint8)).rotate(6 * turn) for turn, one in enumerate(noisy)]
    alike = np.stack([thumbnail(one) for one in turned])
    assert len(near_pairs(alike)) == 0


def test_near_pairs_are_those_that_a_full_comparison_finds() -> None:
    generator = np.random.default_rng(1)
    originals = generator.integers(0, 255, (3000, 256)).astype(np.float64)
    copies = originals[:200] + generator.normal(0, 1.5, (200, 256))
    pairs = near_pairs(np.clip(np.concatenate([originals, copies]), 0, 255).astype(np.uint8))
    assert pairs.tolist() == [[row, 3000 + row] for row in range(200)]


def test_blank_tiny_and_odd_pictures_are_named(tmp_path: Path) -> None:
    pictures = [encoded(scene(seed)) for seed in range(40)]
    pictures[5] = encoded(Pillow.new("RGB", (96, 96), (9, 9, 9)))
    pictures[6] = encoded(scene(6).resize((3, 3)))
    pictures[7] = encoded(scene(7).resize((400, 40)))
    found = of_pictures(tmp_path, pictures)
    assert found["blank_pictures"].rows == (5,) and found["tiny_pictures"].rows == (6,)
    assert found["odd_shapes"].rows == (7,) and found["odd_sizes"].count == 3


def movement(rows: int = 40, steps: int = 400) -> np.ndarray:
    generator = np.random.default_rng(2)
    phase = generator.uniform(0, 6, (rows, 1))
    return np.asarray(np.sin(np.arange(steps) / 9 + phase) + 0.1 * generator.normal(size=(rows, steps)))


def of_traces(traces: list[object], **others: list[object]) -> dict[str, Finding]:
    columns = {"ax": traces, **others}
    checker = Checker(Schema(columns=tuple(Column(name=name, kind="series") for name in columns)))
    table = pa.table({name: pa.array(values, pa.large_list(pa.float32())) for name, values in columns.items()})
    for start in range(0, table.num_rows, 15):
        checker.part(table.slice(start, 15))
    return {finding.code: finding for finding in checker.finish()}


def test_good_recordings_are_left_in_peace() -> None:
    traces = movement()
    coarse = np.round(traces * 4) / 4  # a sensor of few levels is not clipped
    assert of_traces(list(traces), ay=list(traces**2)) == {} and of_traces(list(coarse)) == {}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("flat", "flat_channel"),
        ("stuck", "stuck_channel"),
        ("clipped", "clipped_channel"),
        ("jump", "jumping_channel"),
        ("gap", "gappy_channel"),
        ("short", "short_recordings"),
        ("missing", "missing_values"),
    ],
)
def test_a_bad_channel_is_named_with_its_recording(fault: str, code: str) -> None:
    traces: list[object] = list(movement())
    bad = movement()[17]
    if fault == "flat":
        bad[:] = 1.25
    elif fault == "stuck":
        bad[150:] = bad[150]
    elif fault == "clipped":
        bad = np.clip(bad, -0.6, 0.6)
    elif fault == "jump":
        bad[200:] += 50
    elif fault == "gap":
        bad[100:130] = np.nan
    elif fault == "short":
        bad = bad[:9]
    traces[17] = None if fault == "missing" else bad
    findings = of_traces(traces)
    assert findings[code].rows == (17,) and findings[code].columns == ("ax",) and len(findings) == 1


def test_recordings_in_two_scales_are_found() -> None:
    traces = movement()
    traces[::8] *= 9.80665
    assert of_traces(list(traces))["mixed_units"].rows == tuple(range(0, 40, 8))


def test_channels_of_one_recording_that_differ_in_length_are_found() -> None:
    traces = movement()
    others: list[object] = [trace if row != 22 else trace[:300] for row, trace in enumerate(traces)]
    assert of_traces(list(traces), ay=others)["unequal_channels"].rows == (22,)


def test_recordings_that_repeat_are_found() -> None:
    traces = list(movement())
    assert of_traces([*traces, traces[4]])["duplicate_rows"].rows == (40,)


def test_nothing_at_all_is_no_fault() -> None:
    columns = tuple(Column(name=kind, kind=kind) for kind in ("number", "category", "time", "text", "image", "series"))
    assert Checker(Schema(columns=columns)).finish() == []


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_pictures_of_every_mode_are_looked_at(tmp_path: Path, mode: str) -> None:
    if mode in ("I;16", "I", "F"):
        levels = np.asarray(scene(1).convert("L"), dtype=np.float64) * 100
        picture = Pillow.fromarray(levels.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        picture = scene(1).convert(mode)
    found = of_pictures(
        tmp_path, [encoded(picture, "TIFF" if mode in ("CMYK", "F", "I") else "PNG"), encoded(scene(2))] * 2
    )
    assert "undecodable_pictures" not in found and "blank_pictures" not in found
