"""Texts without a table: the same sentences in several languages, and one long text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources import read_data
from salus.data.sources.base import Source
from salus.data.sources.parallel_texts import ParallelTexts
from salus.data.sources.plain_text import PlainText, is_prose
from salus.testing.source import SourceContract

SENTENCES = {
    "en": ["A dog runs.", "Two men talk, loudly.", ""],
    "de": ["Ein Hund rennt.", "Zwei Männer reden laut.", "Nichts."],
}
STORY = (
    "It was late; the lamp burned low, and nobody spoke.\nThen a door opened\nand, cold, wet, the wind came in.\n\n"
    * 80
)


def parallel(folder: Path, stems: tuple[str, ...] = ("train", "val", "test_2016", "test_2017")) -> Path:
    folder.mkdir(exist_ok=True)
    for stem in stems:
        for language, lines in SENTENCES.items():
            (folder / f"{stem}.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


class TestParallelTexts(SourceContract):
    def source(self) -> Source:
        return ParallelTexts()

    def good(self, folder: Path) -> Path:
        return parallel(folder / "pairs")

    def foreign(self, folder: Path) -> Path:
        path = folder / "other"
        path.mkdir(exist_ok=True)
        (path / "train.en").write_text("alone\n")
        return path

    def test_lines_become_rows_and_names_sides(self, tmp_path: Path) -> None:
        found = read_data(parallel(tmp_path / "pairs"), DataSpec())
        assert found.table.column_names == ["de", "en", "split"] and found.kinds == {"de": "text", "en": "text"}
        assert found.roles == {"split": "split"}
        rows = found.table.to_pylist()
        assert [row["split"] for row in rows[::3]] == ["test", "test_2017", "train", "validation"]
        assert rows[1] == {"de": "Zwei Männer reden laut.", "en": "Two men talk, loudly.", "split": "test"}
        assert rows[2]["en"] is None  # an empty line is a missing sentence, and the lines after it stay in their places

    def test_without_sides_there_is_no_split(self, tmp_path: Path) -> None:
        assert read_data(parallel(tmp_path / "pairs", ("book",)), DataSpec()).table.column_names == ["de", "en"]

    def test_files_of_unequal_length_are_refused(self, tmp_path: Path) -> None:
        folder = parallel(tmp_path / "pairs")
        with (folder / "train.de").open("a", encoding="utf-8") as stream:
            stream.write("Zu viel.\n")
        with pytest.raises(SalusError, match=r"train\.en"):
            read_data(folder, DataSpec()).table  # noqa: B018


class TestPlainText(SourceContract):
    def source(self) -> Source:
        return PlainText()

    def good(self, folder: Path) -> Path:
        path = folder / "story.txt"
        path.write_text(STORY, encoding="utf-8")
        return path

    def foreign(self, folder: Path) -> Path:
        path = folder / "table.txt"
        path.write_text("a;b\n" + "\n".join(f"{row};{row * 2}" for row in range(50)))
        return path

    def test_parts_follow_each_other_and_the_last_tenth_judges(self, tmp_path: Path) -> None:
        found = read_data(self.good(tmp_path), DataSpec())
        rows = found.table.to_pylist()
        assert "".join(row["text"] for row in rows).strip() == STORY.strip()
        whole = "".join(row["text"] for row in rows)
        judged = sum(len(row["text"]) for row in rows if row["split"] == "test")
        assert judged == pytest.approx(len(whole) / 10, abs=1)
        place = 0
        for row in rows:
            assert whole[max(0, place - 256) : place] == row["before"]
            place += len(row["text"])
        assert found.roles == {"before": "ignore"}


@pytest.mark.parametrize(
    ("head", "prose"),
    [
        ("1.0 2.0 3.0\n4.0 5.0 6.0\n" * 5, False),
        ("Hi.\t嗨。\tCC-BY\n" * 20, False),
        ("name,age\nAnn,3\nBob,4\n", False),
        ("First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n", True),
        ("秦川雄帝宅，函谷壯皇居。\n綺殿千尋起，離宮百雉餘。\n連甍遙接漢\n", True),
        ("", False),
    ],
)
def test_prose_is_told_from_tables(head: str, prose: bool) -> None:
    assert is_prose(head) is prose


@given(st.lists(st.lists(st.integers(0, 99), min_size=2, max_size=5), min_size=3, max_size=20))
def test_numbers_are_never_prose(rows: list[list[int]]) -> None:
    assert not is_prose("\n".join(" ".join(map(str, row)) for row in rows))
