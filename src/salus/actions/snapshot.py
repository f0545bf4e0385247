"""What the model server works from: every living key, every endpoint with the places of its files, and the limits.

Made by the control plane alone, from one view of the database. Does not know how it is signed and sent.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from salus.core.errors import SalusError
from salus.store import counters, endpoints, keys
from salus.store.clock import now, rfc3339
from salus.store.records import Records

FORMAT = 1
LIMITS = (
    "max_predict_bytes",
    "max_predict_rows",
    "max_batch_rows",
    "max_batch_wait_s",
    "max_queue_rows",
    "predict_timeout_s",
    "body_timeout_s",
    "generate_timeout_s",
    "max_generate_requests",
    "snapshot_max_age_s",
)


def build(records: Records) -> dict[str, Any]:
    """A snapshot with a sequence number above those of all before it."""
    sequence = records.database.write(lambda connection: counters.following(connection, "snapshot"))

    def question(connection: Connection) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "issued": rfc3339(now()),
            "sequence": sequence,
            "keys": [_key(row) for row in keys.alive(connection)],
            "endpoints": [_endpoint(records, row) for row in endpoints.with_trees(connection)],
            "limits": {name: getattr(records.settings, name) for name in LIMITS},
        }

    return records.database.read(question)


def _key(row: dict[str, Any]) -> dict[str, Any]:
    known = {name: row[name] for name in ("id", "hash", "project", "scopes")}
    return {**known, "expires": rfc3339(row["expires"])}


def _endpoint(records: Records, row: dict[str, Any]) -> dict[str, Any]:
    try:
        files = {name: str(records.blobs.open(digest)) for name, digest in row["tree"].items()}
    except SalusError:
        files = {}  # the model server says what is missing; the other endpoints go on
    return {**{name: row[name] for name in ("project", "name", "model", "version")}, "files": files}
