"""The audit chain: what was changed, moved or cut shows. Tampering goes past Salus, with plain SQLite."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from salus.store import audit
from salus.store.database import Database


def chain(path: Path, rows: int = 5) -> tuple[int, str]:
    """Writes a chain; number and hash of its last row."""
    database = Database(path)

    def change(connection: object) -> tuple[int, str]:
        for number in range(rows):
            audit.append(connection, "one", "key_1", "runs.start", f"run_{number}", {"kind": "train", "n": number})  # type: ignore[arg-type]
        last = audit.page(connection, 1, None)[0]  # type: ignore[arg-type]
        return last["number"], last["hash"]

    head = database.write(change)
    database.close()
    return head


def verified(path: Path, head: tuple[int, str] | None = None) -> int | None:
    database = Database(path)
    found = database.read(lambda connection: audit.verify(connection, head))
    database.close()
    return found


def tamper(path: Path, *statements: str) -> None:
    plain = sqlite3.connect(path)
    with plain:
        for statement in statements:
            assert plain.execute(statement).rowcount >= 1, statement
    plain.close()


def test_an_untouched_chain_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "salus.db"
    head = chain(path)
    assert verified(path) is None
    assert verified(path, head) is None


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'somebody-else'",
        "target = 'run_9'",
        "project = 'two'",
        "action = 'runs.cancel'",
        "time = time - 3600",
        """fields = '{"kind": "train", "n": 99}'""",
        f"previous = '{'0' * 64}'",
        f"hash = '{'f' * 64}'",
    ],
)
def test_a_changed_row_is_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "salus.db"
    chain(path)
    tamper(path, f"UPDATE audit SET {change} WHERE number = 3")  # noqa: S608
    assert verified(path) == 3


def test_a_missing_row_is_found(tmp_path: Path) -> None:
    path = tmp_path / "salus.db"
    chain(path)
    tamper(path, "DELETE FROM audit WHERE number = 2")
    assert verified(path) == 2


def test_rows_that_changed_places_are_found(tmp_path: Path) -> None:
    path = tmp_path / "salus.db"
    chain(path)
    tamper(
        path,
        "UPDATE audit SET number = 99 WHERE number = 2",
        "UPDATE audit SET number = 2 WHERE number = 3",
        "UPDATE audit SET number = 3 WHERE number = 99",
    )
    assert verified(path) == 2


def test_a_row_whose_own_hash_was_mended_is_found_at_the_next(tmp_path: Path) -> None:
    path = tmp_path / "salus.db"
    chain(path)
    database = Database(path)
    row = next(row for row in database.read(lambda c: audit.page(c, 10, None)) if row["number"] == 3)
    database.close()
    mended = audit.row_hash({**row, "actor": "somebody-else"})
    tamper(path, f"UPDATE audit SET actor = 'somebody-else', hash = '{mended}' WHERE number = 3")  # noqa: S608
    assert verified(path) == 4


def test_a_cut_end_is_found_by_who_remembers_it(tmp_path: Path) -> None:
    path = tmp_path / "salus.db"
    head = chain(path)
    tamper(path, "DELETE FROM audit WHERE number = 5")
    assert verified(path) is None, "the chain alone cannot know"
    assert verified(path, head) == 5
