"""Pascal VOC: an XML file a picture in `Annotations`, pictures in `JPEGImages`, sides in `ImageSets/Main`; or XML files beside pictures.

Corners of VOC count pixels from 1 and include the last one, so a box begins one before its first. Without lists of sides, folders
that are named by a side give them. A document with a DTD is refused: nothing in these files needs one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.kinds.boxes import Box, read_box
from salus.data.sources.base import Read, Source
from salus.data.sources.boxed_pictures import BoxedPicture, Pictures, has_pictures, read_of, text_of
from salus.data.sources.files import folders
from salus.data.split import side_of

HEAD_BYTES = 1024
MAX_XML_BYTES = 2**24
DTD_MARKS = (b"<!DOCTYPE", b"<!ENTITY", b"\x00")  # zeros: UTF-16, in which the others would not show
SETS = ("ImageSets", "Main")


class Voc(Source):
    name = "pascal-voc"

    def claims(self, path: Path) -> bool:
        return path.is_dir() and next(_notes(path), None) is not None and has_pictures(path)

    def read(self, path: Path, spec: DataSpec) -> Read:
        pictures, sides = Pictures(path), _sides(path)
        rows: list[BoxedPicture] = []
        left_out: Counter[str] = Counter()
        files = 0
        for file, near in _notes(path):
            files += 1
            name, boxes = _annotation(file)
            picture = pictures.named(name, near) or _beside(file, pictures, near)
            side = sides.get(file.stem, side_of(near) if near else None)
            if picture is None:
                left_out["missing_pictures"] += 1
                left_out["boxes_without_picture"] += len(boxes)
            elif not sides or side is not None:
                rows.append(BoxedPicture(picture, boxes, side))
        facts = {"left_out": dict(left_out)} if left_out else {}
        return read_of(rows, pictures, "pascal-voc", [f"{files} XML files"], facts)


def _notes(path: Path) -> Iterator[tuple[Path, str]]:
    """Every XML file with the name of the side's folder: of `Annotations`, else of the folder, else of the folders of the sides."""
    inside = folders(path)
    named = [one for one in inside if one.name.lower() == "annotations"]
    for folder in (*named, path):
        found = list(_files(folder))
        if found:
            yield from ((file, "") for file in found)
            return
    for one in inside:
        if side_of(one.name):
            yield from ((file, one.name) for file in _files(one))


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() == ".xml" and file.is_file() and not file.is_symlink():
            with file.open("rb") as stream:
                if b"<annotation" in stream.read(HEAD_BYTES):
                    yield file


def _sides(path: Path) -> dict[str, Split]:
    """Name of a picture without its ending -> its side."""
    folder: Path | None = path
    for name in SETS:
        folder = next((one for one in folders(folder) if one.name == name), None) if folder else None
    found: dict[str, Split] = {}
    for file in sorted(folder.glob("*.txt")) if folder else ():
        side = side_of(file.stem)
        if side is not None and not file.is_symlink():
            for line in text_of(file).decode("utf-8", "replace").split("\n"):
                if name := line.split(" ")[0].strip():
                    found[name] = side
    return found


def _annotation(file: Path) -> tuple[str, list[Box]]:
    """The name of the picture and its boxes."""
    content = text_of(file)
    if len(content) > MAX_XML_BYTES or any(mark in content for mark in DTD_MARKS):
        raise SalusError(
            "format_malformed", where=file.name, expected="a small XML file without a DTD", found="another"
        )
    try:
        top = ElementTree.fromstring(content)  # noqa: S314 (no DTD gets here)
    except ElementTree.ParseError as error:
        raise SalusError("format_malformed", where=file.name, expected="XML", found=str(error)[:120]) from None
    boxes = []
    for index, thing in enumerate(top.iter("object")):
        where = f"{file.name}, object {index}"
        corners = thing.find("bndbox")
        numbers = {name: _number(corners, name, where) for name in ("xmin", "ymin", "xmax", "ymax")}
        box = {
            "label": (thing.findtext("name") or "").strip(),
            "left": numbers["xmin"] - 1,
            "top": numbers["ymin"] - 1,
            "right": numbers["xmax"],
            "bottom": numbers["ymax"],
        }
        boxes.append(read_box(box, where))
    return (top.findtext("filename") or "").strip(), boxes


def _number(corners: ElementTree.Element | None, name: str, where: str) -> float:
    text = None if corners is None else corners.findtext(name)
    try:
        return float(text or "")
    except ValueError:
        raise SalusError(
            "format_malformed", where=where, expected=f"a number '{name}'", found=repr(text)[:60]
        ) from None


def _beside(file: Path, pictures: Pictures, near: str) -> Path | None:
    """The picture that is called like the XML file."""
    for ending in (".jpg", ".jpeg", ".png", ".bmp", ".JPG", ".JPEG", ".PNG"):
        if (found := pictures.named(file.stem + ending, near)) is not None:
            return found
    return None
