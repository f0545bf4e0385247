"""Who is asking: the Authorization header against the keys of the snapshot.

Knows hashes, scopes and expiry. The look-up goes by the SHA-256 of what was sent, so its time says nothing about how near
a guess came. Every refusal of a key that is not good has the same body.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from hashlib import sha256

from salus.core.errors import SalusError
from salus.serving.snapshot import SnapshotKey

# What a scope holds besides itself.
HELD = {"read": ("owner", "write"), "predict": ("owner",)}
MAX_TOKEN_BYTES = 200


class KeyRing:
    """The living keys. A new snapshot makes a new ring, so a revoked key opens nothing from then on."""

    def __init__(self, keys: Iterable[SnapshotKey] = ()):
        self._by_hash = {bytes.fromhex(key.hash): key for key in keys}

    def recognise(self, authorization: bytes | None) -> SnapshotKey:
        """The key in the header, or `auth_required`, `auth_invalid`."""
        if authorization is None:
            raise SalusError("auth_required")
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not token or len(token) > MAX_TOKEN_BYTES:
            raise SalusError("auth_invalid")
        key = self._by_hash.get(sha256(token).digest())
        if key is None or (key.expires is not None and key.expires <= time.time()):
            raise SalusError("auth_invalid")
        return key


def enter(key: SnapshotKey, project: bytes | None) -> SnapshotKey:
    """The same key in another project, as the header Salus-Project names it. Only an owner's may."""
    if project is None or project == key.project.encode():
        return key
    require(key, "owner")
    return key.model_copy(update={"project": project.decode("latin-1")})


def require(key: SnapshotKey, *scopes: str) -> None:
    """Raises `forbidden` unless the key has one of the scopes."""
    for scope in scopes:
        if scope in key.scopes or any(holder in key.scopes for holder in HELD.get(scope, ())):
            return
    raise SalusError("forbidden", expected=" or ".join(scopes))
