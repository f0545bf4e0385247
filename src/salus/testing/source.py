"""What every source must keep: subclass `SourceContract`, give a source, a path it claims, and one it does not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from salus.core.specs import DataSpec
from salus.data.sources.base import Source


class SourceContract(ABC):
    @abstractmethod
    def source(self) -> Source:
        """A fresh source."""

    @abstractmethod
    def good(self, folder: Path) -> Path:
        """Makes data of its layout below `folder` and gives the path to read."""

    @abstractmethod
    def foreign(self, folder: Path) -> Path:
        """Makes something below `folder` that is not of its layout."""

    def test_claims_its_own_layout_only(self, tmp_path: Path) -> None:
        assert self.source().claims(self.good(tmp_path))
        (tmp_path / "other").mkdir()
        assert not self.source().claims(self.foreign(tmp_path / "other"))

    def test_claims_nothing_that_is_not_there(self, tmp_path: Path) -> None:
        assert not self.source().claims(tmp_path / "nothing")

    def test_reads_rows_and_says_how(self, tmp_path: Path) -> None:
        read = self.source().read(self.good(tmp_path), DataSpec())
        assert read.table.num_rows > 0
        assert len(set(read.table.column_names)) == read.table.num_columns
        assert {"format", "files"} <= set(read.facts)

    def test_reads_the_same_twice(self, tmp_path: Path) -> None:
        path = self.good(tmp_path)
        assert self.source().read(path, DataSpec()).table.equals(self.source().read(path, DataSpec()).table)

    def test_every_part_has_one_schema(self, tmp_path: Path) -> None:
        read = self.source().read(self.good(tmp_path), DataSpec())
        first = next(read.parts()).schema
        assert all(part.schema.equals(first) and part.num_rows for part in (*read.parts(), *read.parts()))
