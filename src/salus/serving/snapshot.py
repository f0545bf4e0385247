"""The signed word of the control plane: keys, endpoints and limits. Checked here, kept here, found again at the start.

Knows signatures and one file. Does not know what an endpoint does. A snapshot that fails a check changes nothing.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from salus.bundle.sign import Signer, is_signed
from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.core.ids import NAME_PATTERN
from salus.core.wire import canonical, parse_json

FORMAT = 1
PURPOSE = "snapshot"


class _Part(BaseModel):
    """Fields of a later version are let through: server and control plane may be restarted one after the other."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SnapshotKey(_Part):
    """A key as the server may know it: never the token. expires: seconds since 1970, None for never."""

    id: str
    hash: str = Field(pattern="^[0-9a-f]{64}$")
    project: str
    scopes: frozenset[str]
    expires: float | None = None

    @field_validator("expires", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return _seconds_of(value) if isinstance(value, str) else value


class SnapshotEndpoint(_Part):
    """A name of a project and the files of the bundle that answers there."""

    project: str
    name: str = Field(pattern=f"^{NAME_PATTERN.pattern}$")
    model: str
    version: int | str
    files: dict[str, Path]


class Snapshot(_Part):
    format: int = Field(ge=FORMAT, le=FORMAT)
    issued: float  # seconds since 1970
    sequence: int = Field(ge=0)
    keys: tuple[SnapshotKey, ...] = ()
    endpoints: tuple[SnapshotEndpoint, ...] = ()
    limits: dict[str, Any] = Field(default_factory=dict)

    @field_validator("issued", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return _seconds_of(value) if isinstance(value, str) else value


def seal(snapshot: dict[str, Any], signer: Signer) -> bytes:
    """The document that is pushed: the snapshot and its signature by the key of this installation."""
    signature = signer.sign(canonical(snapshot), PURPOSE)
    return json.dumps({"snapshot": snapshot, "signature": signature}, ensure_ascii=False).encode()


class SnapshotStore:
    """Verifies with the installation's key, which may be made after this server started, and keeps the last word."""

    def __init__(self, path: Path, key_path: Path):
        self.path = path
        self._key_path = key_path

    def public_key(self) -> str:
        """The installation's public key in hexadecimal, or `bad_signing_key`."""
        return Signer.load(self._key_path).public_key

    def verify(self, document: bytes) -> Snapshot:
        """The snapshot in a sealed document, or `snapshot_refused`."""
        sealed = parse_json(document, "snapshot")
        if not isinstance(sealed, dict) or set(sealed) != {"snapshot", "signature"}:
            raise SalusError("snapshot_refused", expected="an object of snapshot and signature", found="something else")
        signature = sealed["signature"]
        if not isinstance(signature, str) or not is_signed(
            canonical(sealed["snapshot"]), signature, self.public_key(), PURPOSE
        ):
            raise SalusError("snapshot_refused", expected="the signature of this installation", found="another or none")
        return _read(sealed["snapshot"])

    def keep(self, document: bytes) -> None:
        write_file(self.path, document, mode=0o600)

    def recall(self) -> Snapshot | None:
        """What was kept; None when there is nothing. A damaged or foreign file is `snapshot_refused`."""
        return self.verify(self.path.read_bytes()) if self.path.exists() else None


def _read(content: Any) -> Snapshot:
    try:
        return Snapshot.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SalusError(
            "snapshot_refused", expected=f"{where}: {first['msg']}", found=repr(first.get("input"))[:80]
        ) from None


def _seconds_of(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
