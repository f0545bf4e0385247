"""Boxes in pictures: the kind, the three layouts they come in, and what is found in them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.add import add
from salus.data.kinds.base import Kind
from salus.data.kinds.boxes import Boxes, read_box
from salus.data.kinds.image import FILLING, Image
from salus.data.sources import source_for
from salus.data.sources.base import Source
from salus.data.sources.coco import Coco
from salus.data.sources.voc import Voc
from salus.data.sources.yolo import Yolo
from salus.testing.kind import KindContract
from salus.testing.source import SourceContract


def box(label: str, left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    return {"label": label, "left": left, "top": top, "right": right, "bottom": bottom}


def picture(width: int = 64, height: int = 48, shade: int = 90, format_: str = "JPEG") -> bytes:
    pixels = np.full((height, width, 3), shade, dtype=np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = (220, 60, shade)
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, format=format_)
    return stream.getvalue()


class TestBoxes(KindContract):
    def kind(self) -> Kind:
        return Boxes()

    def good(self) -> list[Any]:
        one = [box("cell", 1, 2, 30, 40), box("plate", 0.5, 0, 4, 4)]
        return [json.dumps(one), one, "[]", [], None, json.dumps([box("cell", 3, 3, 9, 9)])]

    def bad(self) -> list[Any]:
        good = box("cell", 1, 2, 3, 4)
        return [
            "boxes",
            "[" * 100_000,
            7,
            {"label": "cell"},
            [3],
            [{"label": "cell"}],
            [good | {"more": 1}],
            [good | {"left": "1"}],
            [good | {"left": True}],
            [good | {"top": float("nan")}],
            [good | {"right": 10**400}],
            [good | {"label": ""}],
            [good | {"label": 3}],
            [good] * 10_001,
        ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_sent_is_read_or_refused_by_name(raw: Any) -> None:
    for sent in (raw, json.dumps(raw)):
        try:
            found = Boxes().read(sent, "row 3")
        except SalusError as error:
            assert error.code == "not_boxes" and "row 3" in error.detail()
        else:
            assert found is None or all(set(one) == {"label", "left", "top", "right", "bottom"} for one in found)


def test_a_state_tells_categories_and_sizes() -> None:
    state = Boxes().fit([[box("b", 0, 0, 10, 10), box("a", 0, 0, 20, 20)], None, [], [box("a", 0, 0, 20, 20)]], {})
    assert state["levels"] == ["a", "b"] and state["counts"] == [2, 1] and state["most"] == 2
    assert state["sides_px"][1] == 20


def test_a_picture_is_shown_whole_with_its_own_size_beside() -> None:
    kind = Image()
    contents = [picture(640, 480, format_="PNG"), picture(100, 400, format_="PNG"), None]
    state = kind.fit(contents[:1], {"whole": True, "most_side_px": 320})
    assert (state["height"], state["width"]) == (256, 320)
    feeds = kind.join({"p": kind.encode(contents, state)}, {"p": state})
    assert feeds["size_of_image_0"].tolist() == [[480, 640], [400, 100], [1, 1]]
    wide, tall = feeds["image_0"][0], feeds["image_0"][1]
    assert np.all(wide[240:] == FILLING) and not np.any(np.all(wide[:240] == FILLING, axis=(1, 2)))
    assert np.all(tall[:, 64:] == FILLING) and tall.shape == (256, 320, 3)


COCO = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48},
        {"id": 2, "file_name": "b.jpg", "width": 64, "height": 48},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 3, "bbox": [16, 12, 16, 12], "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 4, "bbox": [0, 0, 5, 5]},
    ],
    "categories": [{"id": 3, "name": "cell"}, {"id": 4, "name": "plate"}],
}


def coco(folder: Path, side: str = "", said: dict[str, Any] | None = None, zipped: bool = True) -> Path:
    said = COCO if said is None else said
    name = f"{side or 'boxes'}.json"
    (folder / name).write_text(json.dumps(said))
    if zipped:
        with zipfile.ZipFile(folder / "images.zip", "w") as archive:
            for place, file in enumerate(("a.jpg", "b.jpg")):
                archive.writestr(file, picture(shade=90 + place))
    return folder


class TestCoco(SourceContract):
    def source(self) -> Source:
        return Coco()

    def good(self, folder: Path) -> Path:
        return coco(folder)

    def foreign(self, folder: Path) -> Path:
        (folder / "train.json").write_text(json.dumps([{"a": 1}]))
        (folder / "a.jpg").write_bytes(picture())
        return folder


class TestVoc(SourceContract):
    def source(self) -> Source:
        return Voc()

    def good(self, folder: Path) -> Path:
        return voc(folder)

    def foreign(self, folder: Path) -> Path:
        (folder / "notes.xml").write_text("<html/>")
        (folder / "a.jpg").write_bytes(picture())
        return folder


class TestYolo(SourceContract):
    def source(self) -> Source:
        return Yolo()

    def good(self, folder: Path) -> Path:
        return yolo(folder)

    def foreign(self, folder: Path) -> Path:
        (folder / "images").mkdir()
        (folder / "images" / "a.jpg").write_bytes(picture())
        return folder


THING = (
    "<object><name>cell</name><bndbox><xmin>{}</xmin><ymin>13</ymin><xmax>32</xmax><ymax>24</ymax></bndbox></object>"
)


def voc(folder: Path, things: str = THING.format(17)) -> Path:
    for name in ("Annotations", "JPEGImages", "ImageSets"):
        (folder / name).mkdir()
    (folder / "ImageSets" / "Main").mkdir()
    for place, (stem, side) in enumerate((("a", "train"), ("b", "test"), ("c", "val"))):
        (folder / "JPEGImages" / f"{stem}.jpg").write_bytes(picture(shade=90 + place))
        text = f"<annotation><filename>{stem}.jpg</filename>{things}</annotation>"
        (folder / "Annotations" / f"{stem}.xml").write_text(text)
        (folder / "ImageSets" / "Main" / f"{side}.txt").write_text(f"{stem}\n")
    return folder


def yolo(folder: Path) -> Path:
    (folder / "data.yaml").write_text("train: images/train\nnames: [cell, plate]\n")
    for side, lines in (
        ("train", "0 0.375 0.375 0.25 0.25\n1 0.1 0.1 0.3 0.1 0.2 0.4\n"),
        ("test", "7 0.5 0.5 0.1 0.1\n"),
    ):
        for kind in ("images", "labels"):
            (folder / kind / side).mkdir(parents=True)
        (folder / "images" / side / "a.jpg").write_bytes(picture())
        (folder / "labels" / side / "a.txt").write_text(lines)
    (folder / "images" / "train" / "empty.jpg").write_bytes(picture(shade=20))
    return folder


def read(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    found = source_for(path).read(path, DataSpec())
    rows = found.table.to_pylist()
    for row in rows:
        row["boxes"] = json.loads(row["boxes"])
    return rows, found.facts


def test_coco_files_named_by_sides_are_the_split(tmp_path: Path) -> None:
    first, second = (
        {
            **COCO,
            "images": [one],
            "annotations": [note for note in COCO["annotations"] if note["image_id"] == one["id"]],
        }
        for one in COCO["images"]
    )
    coco(tmp_path, "train", first)
    coco(tmp_path, "instances_test2017", second)
    rows, facts = read(tmp_path)
    assert facts["format"] == "coco"
    assert [row["split"] for row in rows] == ["train", "test"]
    assert rows[0]["boxes"] == [box("cell", 16, 12, 32, 24), box("plate", 0, 0, 5, 5)]
    assert rows[1]["boxes"] == []


def test_voc_lists_of_sides_are_the_split_and_corners_count_from_nought(tmp_path: Path) -> None:
    rows, _ = read(voc(tmp_path))
    assert [row["split"] for row in rows] == ["train", "validation", "test"]
    assert rows[0]["boxes"] == [box("cell", 16, 12, 32, 24)]


def test_yolo_shares_become_pixels(tmp_path: Path) -> None:
    rows, facts = read(yolo(tmp_path))
    assert rows[0]["boxes"][0] == box("cell", 16, 12, 32, 24)
    assert rows[0]["boxes"][1]["label"] == "plate" and rows[0]["boxes"][1]["right"] == pytest.approx(19.2)
    assert [row["boxes"] for row in rows[1:]] == [[], []]
    assert facts["left_out"] == {"unknown_categories": 1}


def test_what_cannot_belong_to_a_picture_is_left_out_and_told(tmp_path: Path) -> None:
    notes = [
        *COCO["annotations"],
        {"id": 3, "image_id": 1, "category_id": 99, "bbox": [0, 0, 5, 5]},
        {"id": 4, "image_id": 77, "category_id": 3, "bbox": [0, 0, 5, 5]},
        {"id": 5, "image_id": 3, "category_id": 3, "bbox": [0, 0, 5, 5]},
        {"id": 6, "image_id": 1, "category_id": 3, "bbox": [0, 0, 5, 5], "iscrowd": 1},
    ]
    images = [*COCO["images"], {"id": 3, "file_name": "../../etc/gone.jpg"}]
    coco(tmp_path, said={**COCO, "images": images, "annotations": notes})
    version = add(tmp_path, DataSpec(), tmp_path / "version", Context())
    told = {found["code"]: found["count"] for found in findings(tmp_path / "version")}
    assert told["boxes_unknown_category"] == 1 and told["boxes_crowds"] == 1
    assert told["pictures_missing"] == 1 and told["boxes_without_picture"] == 2
    assert told["pictures_without_boxes"] == 1 and told["boxes_rare_category"] == 2
    assert version.rows == 2
    assert [column.kind for column in version.schema.columns] == ["image", "boxes"]


def test_pictures_that_are_all_gone_are_counted_with_what_to_do(tmp_path: Path) -> None:
    gone = [one | {"file_name": f"gone-{one['file_name']}"} for one in COCO["images"]]
    coco(tmp_path, said={**COCO, "images": gone})
    with pytest.raises(SalusError) as caught:
        read(tmp_path)
    assert caught.value.code == "no_named_picture" and f"{len(gone)} pictures" in caught.value.detail()


def test_boxes_that_cannot_be_right_are_found(tmp_path: Path) -> None:
    cell = {"image_id": 1, "category_id": 3}
    notes = [
        cell | {"bbox": [16, 12, 16, 12]},
        cell | {"bbox": [16, 12, 16, 12]},
        cell | {"bbox": [60, 12, 16, 12]},
        cell | {"bbox": [10, 10, 0, 12]},
        cell | {"bbox": [30, 30, 2, 2]},
    ]
    coco(tmp_path, said={**COCO, "annotations": notes})
    add(tmp_path, DataSpec(), tmp_path / "version", Context())
    told = {found["code"]: found["count"] for found in findings(tmp_path / "version")}
    for code in ("boxes_outside", "boxes_flat", "boxes_double", "boxes_small"):
        assert told[code] == 1, code


@pytest.mark.parametrize(
    "broken",
    [
        '{"images": [',
        '{"images": [], "annotations": []}',
        '{"images": [3], "annotations": [], "categories": []}',
        '{"images": [{"id": 1}], "annotations": [], "categories": []}',
        '{"images": [{"id": [1], "file_name": "a.jpg"}], "annotations": [], "categories": []}',
        json.dumps({**COCO, "annotations": [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3]}]}),
        json.dumps({**COCO, "annotations": [{"image_id": 1, "category_id": 3, "bbox": [1, 2, "3", 4]}]}),
        json.dumps({**COCO, "annotations": [{"image_id": {}, "category_id": 3, "bbox": [1, 2, 3, 4]}]}),
    ],
)
def test_a_broken_coco_file_is_refused_by_name(tmp_path: Path, broken: str) -> None:
    coco(tmp_path)
    (tmp_path / "boxes.json").write_text(broken)
    with pytest.raises(SalusError) as caught:
        read(tmp_path)
    assert caught.value.code in ("format_malformed", "not_boxes") and "boxes.json" in caught.value.detail()


@pytest.mark.parametrize(
    "things", ["<object>", THING.format("x"), "<!DOCTYPE a><object/>", "<object><name>a</name></object>"]
)
def test_a_broken_voc_file_is_refused_by_name(tmp_path: Path, things: str) -> None:
    with pytest.raises(SalusError) as caught:
        read(voc(tmp_path, things))
    assert caught.value.code == "format_malformed" and ".xml" in caught.value.detail()


def test_names_of_yolo_do_not_grow_by_aliases(tmp_path: Path) -> None:
    folder = yolo(tmp_path)
    layers = [f"x{at}: &x{at} [{', '.join([f'*x{at - 1}'] * 9)}]" for at in range(1, 12)]
    (folder / "data.yaml").write_text("\n".join(["x0: &x0 a", *layers, "names: [*x11]"]))
    with pytest.raises(SalusError) as caught:
        read(folder)
    assert caught.value.code == "format_malformed"


def test_a_broken_yolo_line_is_refused_by_name(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 0.5 0.5 0.1\n")
    with pytest.raises(SalusError) as caught:
        read(tmp_path)
    assert caught.value.code == "format_malformed" and "a.txt, line 1" in caught.value.detail()


def test_a_box_keeps_its_numbers() -> None:
    assert read_box({"label": "a", "left": 1, "top": 2, "right": 3, "bottom": 4}, "x") == box("a", 1.0, 2.0, 3.0, 4.0)


def findings(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "findings.json").read_text())
    return found
