"""SQLite with one writer: a thread that owns the only writing connection, beside a pool of read-only ones.

Knows transactions and pragmas; knows no table. SQLite before 3.51.3 can corrupt a WAL database that two connections
write or checkpoint at once, so nothing else in the house opens one for writing, and readers cannot checkpoint.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from salus.core.errors import SalusError

T = TypeVar("T")

READERS = 8
# What a lock or a shared memory file does not work on, as /proc/self/mountinfo names it.
NETWORK_FILESYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "fuse.glusterfs", "lustre", "fuse.sshfs", "afs"}
)


class Database:
    """One file. `write` runs a function in a transaction of the writer, `read` in one of a reader."""

    def __init__(self, path: Path):
        refuse_network_filesystem(path)
        self.path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._writer = create_engine("sqlite://", creator=self._open_writer, poolclass=StaticPool)
        self._readers = create_engine(
            "sqlite://", creator=self._open_reader, poolclass=QueuePool, pool_size=READERS, max_overflow=0
        )
        for engine, begin in ((self._writer, "BEGIN IMMEDIATE"), (self._readers, "BEGIN")):
            _begin_with(engine, begin)
        self._thread.submit(self._migrate).result()
        path.chmod(0o600)

    def write(self, change: Callable[[Connection], T]) -> T:
        """What `change` returns, after its transaction is on disk. An exception rolls all of it back."""
        return self._thread.submit(self._in_transaction, change).result()

    def read(self, question: Callable[[Connection], T]) -> T:
        """What `question` returns, from one unchanging view of the database."""
        with self._readers.connect() as connection:
            return question(connection)

    def close(self) -> None:
        """Closes readers first: the last connection, which checkpoints, is the writer's."""
        self._readers.dispose()
        self._thread.submit(self._writer.dispose).result()
        self._thread.shutdown()

    def _in_transaction(self, change: Callable[[Connection], T]) -> T:
        with self._writer.begin() as connection:
            return change(connection)

    def _open_writer(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _open_reader(self) -> sqlite3.Connection:
        place = f"file:{quote(str(self.path))}?mode=ro"
        connection = sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)
        for pragma in ("query_only=ON", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        with self._writer.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _begin_with(engine: Any, statement: str) -> None:
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


def refuse_network_filesystem(path: Path) -> None:
    """Raises `home_on_network` when the operating system says that the folder lies on another machine."""
    table = Path("/proc/self/mountinfo")
    if not table.exists():
        return
    kinds: dict[str, str] = {}
    for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        kinds[before.split()[4].replace("\\040", " ")] = after.split()[0]
    for folder in path.absolute().parents:
        if str(folder) in kinds:
            if kinds[str(folder)] in NETWORK_FILESYSTEMS:
                raise SalusError("home_on_network", where=str(path.parent), found=kinds[str(folder)])
            return
