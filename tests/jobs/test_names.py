"""File names of uploads, and how the files are laid out."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus.core.errors import SalusError
from salus.jobs.names import safe_name


@pytest.mark.parametrize("name", ["a.csv", "train/cats/0001.png", "数据/一.png", "a b.txt", "..a", "a..", "👨‍👩‍👧.png"])
def test_plain_names_pass(name: str) -> None:
    assert str(safe_name(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        *["", "/etc/passwd", "../a", "a/../b", "a/..", ".", "a//b", "a/", "a\x00b", "a\nb", "a\\b", "\ud800"],
        *["a\x1b[31m", "a\u2028b", "x" * 300, "/".join(["d"] * 600)],
    ],
)
def test_others_are_refused(name: str) -> None:
    with pytest.raises(SalusError) as caught:
        safe_name(name)
    assert caught.value.code == "bad_file_name"


def test_files_are_laid_out_under_their_names(tmp_path: Path) -> None:
    add = pytest.importorskip("salus.jobs.steps.add")
    blobs = [tmp_path / "one", tmp_path / "two"]
    for blob in blobs:
        blob.write_text(blob.name)
    files = [{"name": "cats/a.png", "path": str(blobs[0])}, {"name": "dogs/a.png", "path": str(blobs[1])}]
    folder = add.lay_out(files, tmp_path / "out")
    assert (folder / "cats" / "a.png").read_text() == "one"
    assert (folder / "dogs" / "a.png").read_text() == "two"
    assert add.lay_out([{"name": "t.csv", "path": str(blobs[0])}], tmp_path / "single").name == "t.csv"


@pytest.mark.parametrize("names", [["a", "a"], ["a", "a/b"], ["a/b", "a"]])
def test_names_that_collide_are_refused(tmp_path: Path, names: list[str]) -> None:
    add = pytest.importorskip("salus.jobs.steps.add")
    (tmp_path / "blob").write_text("x")
    with pytest.raises(SalusError) as caught:
        add.lay_out([{"name": name, "path": str(tmp_path / "blob")} for name in names], tmp_path / "out")
    assert caught.value.code == "file_names_collide"
