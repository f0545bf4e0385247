"""Keys: an owner makes, lists and revokes them. A token is shown once, when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from salus.actions.principal import SCOPES, Principal
from salus.core.errors import SalusError
from salus.store import audit, idempotency, keys
from salus.store.clock import now, rfc3339
from salus.store.idempotency import Once
from salus.store.records import Records

MAX_NAME = 100
MAX_EXPIRES_S = 100 * 365.25 * 24 * 3600.0
HEARD_WITHIN_S = 5.0


def create(
    principal: Principal,
    records: Records,
    name: str,
    scopes: Sequence[str],
    expires_s: float | None = None,
    once: Once | None = None,
) -> dict[str, Any]:
    """A new key of the principal's project, with its token."""
    principal.require("owner")
    for scope in scopes:
        if scope not in SCOPES:
            raise SalusError("bad_spec", where="scopes", expected=f"some of {', '.join(SCOPES)}", found=scope)
    if not scopes or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise SalusError("bad_spec", where="key", expected=f"a name of 1 to {MAX_NAME} letters and a scope", found=name)
    if expires_s is not None and not 0 < expires_s <= MAX_EXPIRES_S:
        raise SalusError("bad_spec", where="expires_s", expected="seconds above 0, at most 100 years", found=expires_s)

    def change(connection: Connection) -> dict[str, Any]:
        token = keys.new_token()
        expires = None if expires_s is None else now() + expires_s
        row = keys.add(connection, principal.project, name, token, list(dict.fromkeys(scopes)), expires)
        fields = {"name": name, "scopes": row["scopes"]}
        audit.append(connection, principal.project, principal.id, "keys.create", row["id"], fields)
        return {**_shown(row), "key": token}

    answer = records.database.write(lambda connection: idempotency.once(connection, once, change, hidden="key"))
    _let_model_server_hear(records)
    return answer


def every(principal: Principal, records: Records) -> list[dict[str, Any]]:
    principal.require("owner")
    return [_shown(row) for row in records.database.read(lambda c: keys.of_project(c, principal.project))]


def revoke(principal: Principal, records: Records, key: str) -> None:
    principal.require("owner")

    def change(connection: Connection) -> None:
        if not keys.revoke(connection, principal.project, key):
            raise SalusError("not_found", where="key", found=key)
        audit.append(connection, principal.project, principal.id, "keys.revoke", key)

    records.database.write(change)
    _let_model_server_hear(records)


def recognise(records: Records, token: str) -> Principal | None:
    """Whose token this is; None when it opens nothing (any more)."""
    row = records.database.read(lambda connection: keys.find(connection, token))
    return None if row is None else Principal(row["id"], row["project"], frozenset(row["scopes"]))


def _let_model_server_hear(records: Records) -> None:
    """A key that was just made opens, and one that was just revoked does not, when the caller has the answer. A model
    server that is away hears of it when it is back; it is not waited for."""
    ticket = records.acknowledgements.ask()
    if records.acknowledgements.reached is not None and not records.acknowledgements.trouble:
        records.acknowledgements.wait_answer(ticket, HEARD_WITHIN_S)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: rfc3339(row[name]) for name in ("created", "expires", "revoked")}
    return {"id": row["id"], "name": row["name"], "prefix": row["prefix"], "scopes": row["scopes"], **times}
