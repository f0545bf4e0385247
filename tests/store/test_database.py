"""One writer, readers that cannot write, migrations that make the tables, a database that survives being opened again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from salus.store import counters, projects
from salus.store.database import Database
from salus.store.tables import METADATA


def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    database = Database(tmp_path / "salus.db")
    found = database.read(
        lambda connection: {
            table: {column["name"] for column in inspect(connection).get_columns(table)}
            for table in inspect(connection).get_table_names()
        }
    )
    database.close()
    found.pop("alembic_version")
    assert found == {table.name: set(table.columns.keys()) for table in METADATA.sorted_tables}


def test_it_is_durable_closed_to_others_and_opens_again(tmp_path: Path) -> None:
    for _ in range(2):
        database = Database(tmp_path / "salus.db")
        assert database.read(lambda c: c.execute(text("PRAGMA journal_mode")).scalar()) == "wal"
        assert database.write(lambda c: c.execute(text("PRAGMA synchronous")).scalar()) == 2
        assert database.write(lambda c: c.execute(text("PRAGMA foreign_keys")).scalar()) == 1
        database.write(lambda connection: counters.following(connection, "starts"))
        database.close()
    assert (tmp_path / "salus.db").stat().st_mode & 0o777 == 0o600
    database = Database(tmp_path / "salus.db")
    assert database.write(lambda connection: counters.following(connection, "starts")) == 3
    database.close()


def test_readers_cannot_write(tmp_path: Path) -> None:
    database = Database(tmp_path / "salus.db")
    with pytest.raises(OperationalError, match="readonly"):
        database.read(lambda connection: projects.add(connection, "one"))
    database.close()


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
