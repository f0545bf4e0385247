"""YOLO: a text file a picture in `labels`, pictures in `images`, names of the categories in data.yaml (or classes.txt, obj.names).

A line is a category's number, then the middle, width and height as shares of the picture. Sides are folders: images/train and
labels/train, or train/images and train/labels. A picture without a text file has no boxes. Lines of outlines become the boxes around them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

from salus.core.errors import SalusError
from salus.core.nouns import Split
from salus.core.specs import DataSpec
from salus.data.kinds.boxes import Box, read_box
from salus.data.kinds.image import picture_shape
from salus.data.sources.base import Read, Source
from salus.data.sources.boxed_pictures import BoxedPicture, Pictures, read_of, text_of
from salus.data.sources.files import folders, is_picture
from salus.data.split import side_of

YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
LISTS = ("classes.txt", "obj.names", "labels.txt")
MAX_NAMES_BYTES = 2**20

Place = tuple[Split | None, Path, Path]  # side, folder of pictures, folder of text files


class Yolo(Source):
    name = "yolo"

    def claims(self, path: Path) -> bool:
        return path.is_dir() and bool(_places(path)) and _names_file(path) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        names = _names(path)
        left_out: Counter[str] = Counter()
        rows: list[BoxedPicture] = []
        places = _places(path)
        for side, pictures, texts in places:
            lines = {
                file.stem: file for file in sorted(texts.iterdir()) if file.suffix == ".txt" and not file.is_symlink()
            }
            for picture in sorted(filter(is_picture, pictures.iterdir())):
                file = lines.pop(picture.stem, None)
                boxes = [] if file is None else list(_boxes(file, picture, names, left_out))
                rows.append(BoxedPicture(picture, boxes, side))
            left_out["missing_pictures"] += len(set(lines) - {Path(name).stem for name in LISTS})
        kept = {name: count for name, count in left_out.items() if count}
        files = [pictures.relative_to(path).as_posix() for _, pictures, _ in places]
        return read_of(rows, Pictures(path), "yolo", files, {"left_out": kept} if kept else {})


def _places(path: Path) -> list[Place]:
    """images/SIDE with labels/SIDE, or SIDE/images with SIDE/labels, or images with labels."""
    inside = {folder.name.lower(): folder for folder in folders(path)}
    found: list[Place] = []
    if "images" in inside and "labels" in inside:
        texts = {folder.name: folder for folder in folders(inside["labels"])}
        for folder in folders(inside["images"]):
            if side_of(folder.name) and folder.name in texts:
                found.append((side_of(folder.name), folder, texts[folder.name]))
        return found or [(None, inside["images"], inside["labels"])]
    for name, folder in inside.items():
        below = {one.name.lower(): one for one in folders(folder)}
        if side_of(name) and {"images", "labels"} <= set(below):
            found.append((side_of(name), below["images"], below["labels"]))
    return found


def _names_file(path: Path) -> Path | None:
    names = {file.name: file for file in path.iterdir() if file.is_file() and not file.is_symlink()}
    return next((names[name] for name in (*YAML, *LISTS) if name in names), None)


def _names(path: Path) -> dict[int, str]:
    """The category of each number."""
    file = _names_file(path)
    assert file is not None, "claimed"
    content = text_of(file)
    if len(content) > MAX_NAMES_BYTES:
        raise SalusError("format_malformed", where=file.name, expected="names of categories", found="a large file")
    if file.name in LISTS:
        lines = content.decode("utf-8", "replace").splitlines()
        return {index: line.strip() for index, line in enumerate(line for line in lines if line.strip())}
    try:
        # A name that stands for another part may stand for it many times over: a small file would become a large one.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, yaml.SafeLoader)):
            raise ValueError("aliases")
        said = yaml.safe_load(content)
        names = said["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(index): str(name) for index, name in pairs}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError):
        raise SalusError("format_malformed", where=file.name, expected="a list 'names'", found="none") from None


def _boxes(file: Path, picture: Path, names: dict[int, str], left_out: Counter[str]) -> Iterator[Box]:
    try:
        height, width, _ = picture_shape(picture.read_bytes())
    except SalusError:
        return  # told by what looks at pictures; its boxes have no pixels
    for number, line in enumerate(text_of(file).decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file.name}, line {number}"
        try:
            code, *shares = (float(word) for word in line.split())
        except ValueError:
            raise SalusError("format_malformed", where=where, expected="numbers", found=line[:60]) from None
        if len(shares) != 4 and (len(shares) < 6 or len(shares) % 2):
            raise SalusError("format_malformed", where=where, expected="5 numbers", found=line[:60])
        if code not in names:
            left_out["unknown_categories"] += 1
            continue
        low_x, low_y, high_x, high_y = _edges(shares)
        corners = {"left": low_x * width, "top": low_y * height, "right": high_x * width, "bottom": high_y * height}
        yield read_box({"label": names[int(code)], **corners}, where)


def _edges(shares: list[float]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom as shares: of middle and size, or around an outline."""
    if len(shares) == 4:
        x, y, width, height = shares
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    return min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2])
