"""One writer, readers that cannot write, migrations that make the tables, a database that survives being opened again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from salus.store import projects
from salus.store.database import Database


def test_a_reader_sees_one_moment(tmp_path: Path) -> None:
    database = Database(tmp_path / "salus.db")

    def question(connection: object) -> tuple[int, int]:
        before = len(projects.every(connection))  # type: ignore[arg-type]
        database.write(lambda writer: projects.add(writer, "one"))
        return before, len(projects.every(connection))  # type: ignore[arg-type]

    assert database.read(question) == (0, 0)
    assert len(database.read(projects.every)) == 1
    database.close()


def test_after_the_end_nothing_is_left_in_the_journal(tmp_path: Path) -> None:
    database = Database(tmp_path / "salus.db")
    database.write(lambda connection: projects.add(connection, "one"))
    database.read(projects.every)
    database.close()
    assert not (tmp_path / "salus.db-wal").exists()
    plain = sqlite3.connect(tmp_path / "salus.db")
    assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    plain.close()
