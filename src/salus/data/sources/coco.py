"""COCO: JSON files of images, annotations and categories beside the pictures, or beside an archive of them.

A file a side: train.json, val.json, test.json; annotations/instances_train2017.json; or _annotations.coco.json in a folder a side.
Only boxes are read, not outlines; regions of crowds are left out. An annotation of an unknown category, on an image that the file
does not list, or on a picture that is not there is left out and told.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.kinds.boxes import Box, read_box
from salus.data.sources.base import Read, Source
from salus.data.sources.boxed_pictures import BoxedPicture, Pictures, has_pictures, read_of, text_of
from salus.data.sources.files import folders
from salus.data.split import side_of

HEAD_BYTES = 4096
BEGINS = re.compile(rb'\s*\{\s*"(info|licenses|images|annotations|categories|type)"\s*:')
WORD = re.compile(r"[A-Za-z]+")
LISTS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class Notes:
    """One file: its side, where it lies below the top, and what it says."""

    side: Split | None
    file: Path
    near: str


class Coco(Source):
    name = "coco"

    def claims(self, path: Path) -> bool:
        return path.is_dir() and bool(_notes(path)) and has_pictures(path)

    def read(self, path: Path, spec: DataSpec) -> Read:
        pictures, notes = Pictures(path), _notes(path)
        rows: list[BoxedPicture] = []
        left_out: Counter[str] = Counter()
        for one in notes:
            rows += _rows(one, pictures, left_out)
        if not rows and left_out["missing_pictures"]:
            raise SalusError("no_named_picture", where=notes[0].file.name, found=left_out["missing_pictures"])
        facts = {"left_out": dict(left_out)} if left_out else {}
        return read_of(rows, pictures, "coco", [one.file.relative_to(path).as_posix() for one in notes], facts)


def _notes(path: Path) -> list[Notes]:
    """The files of the folder, else of its `annotations`, else of the folders of the sides; nothing when two are of one side."""
    inside = folders(path)
    for folder in (path, *(one for one in inside if one.name.lower() == "annotations")):
        found = [Notes(_side(file.stem), file, "") for file in _files(folder)]
        if found:
            break
    else:
        found = [
            Notes(side_of(one.name), file, one.name) for one in inside for file in _files(one) if side_of(one.name)
        ]
    sides = [one.side for one in found]
    return found if len(set(sides)) == len(sides) else []


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() == ".json" and file.is_file() and not file.is_symlink():
            with file.open("rb") as stream:
                if BEGINS.match(stream.read(HEAD_BYTES)):
                    yield file


def _side(stem: str) -> Split | None:
    """instances_train2017 is train."""
    found = [side_of(word) for word in WORD.findall(stem)]
    return next((side for side in found if side is not None), None)


def _rows(notes: Notes, pictures: Pictures, left_out: Counter[str]) -> list[BoxedPicture]:
    where = notes.file.name
    said = _loaded(notes.file)
    labels = {_key(one, "id", where): _text(one, "name", where) for one in said["categories"]}
    boxes: dict[Any, list[Box]] = {_key(one, "id", where): [] for one in said["images"]}
    for index, one in enumerate(said["annotations"]):
        place = f"{where}, annotation {index}"
        if _key(one, "image_id", place) not in boxes:
            left_out["boxes_without_picture"] += 1
        elif not isinstance(one.get("category_id"), int | str) or one["category_id"] not in labels:
            left_out["unknown_categories"] += 1
        elif one.get("iscrowd"):
            left_out["crowds"] += 1
        elif one.get("bbox") is not None:
            boxes[one["image_id"]].append(_box(one["bbox"], labels[one["category_id"]], place))
    rows = []
    for one in said["images"]:
        file = pictures.named(_text(one, "file_name", where), notes.near)
        if file is None:
            left_out["missing_pictures"] += 1
            left_out["boxes_without_picture"] += len(boxes[one["id"]])
        else:
            rows.append(BoxedPicture(file, boxes[one["id"]], notes.side))
    return rows


def _loaded(file: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        said = json.loads(text_of(file))
    except (ValueError, RecursionError) as error:
        raise SalusError("format_malformed", where=file.name, expected="JSON", found=str(error)[:120]) from None
    for name in LISTS:
        if not isinstance(said, dict) or not isinstance(said.get(name), list):
            raise SalusError("format_malformed", where=file.name, expected=f"a list '{name}'", found="none")
        if not all(isinstance(one, dict) for one in said[name]):
            raise SalusError("format_malformed", where=file.name, expected=f"objects in '{name}'", found="others")
    return {name: said[name] for name in LISTS}


def _key(one: dict[str, Any], name: str, where: str) -> int | str:
    key = one.get(name)
    if isinstance(key, bool) or not isinstance(key, int | str):
        raise SalusError("format_malformed", where=where, expected=f"a number '{name}'", found=repr(key)[:60])
    return key


def _text(one: dict[str, Any], name: str, where: str) -> str:
    text = one.get(name)
    if not isinstance(text, str) or not text.strip():
        raise SalusError("format_malformed", where=where, expected=f"a text '{name}'", found=repr(text)[:60])
    return text


def _box(corner_and_size: Any, label: str, where: str) -> Box:
    """COCO writes left, top, width, height."""
    if not isinstance(corner_and_size, list) or len(corner_and_size) != 4:
        raise SalusError(
            "format_malformed", where=where, expected="four numbers 'bbox'", found=repr(corner_and_size)[:60]
        )
    left, top, width, height = corner_and_size
    try:
        return read_box(
            {"label": label, "left": left, "top": top, "right": left + width, "bottom": top + height}, where
        )
    except TypeError:
        raise SalusError(
            "format_malformed", where=where, expected="four numbers 'bbox'", found=repr(corner_and_size)[:60]
        ) from None
