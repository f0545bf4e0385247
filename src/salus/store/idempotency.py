"""Answers that were given to requests with an Idempotency-Key, kept in the transaction of what the request made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from salus.core.errors import SalusError
from salus.store.clock import now
from salus.store.tables import idempotency

KEPT_S = 24 * 3600.0


@dataclass(frozen=True)
class Once:
    """One request that must take effect once. request: digest of method, path and body."""

    principal: str
    key: str
    request: str


def once(
    connection: Connection, request: Once | None, change: Callable[[Connection], dict[str, Any]], hidden: str = ""
) -> dict[str, Any]:
    """What `change` answered the first time this request came. The field named `hidden` is not kept: it is null later."""
    if request is None:
        return change(connection)
    which = (idempotency.c.principal == request.principal) & (idempotency.c.key == request.key)
    row = connection.execute(select(idempotency).where(which)).mappings().first()
    if row is not None:
        if row["request"] != request.request:
            raise SalusError("idempotency_conflict", found=request.key)
        return dict(row["answer"])
    answer = change(connection)
    kept = {name: None if name == hidden else value for name, value in answer.items()}
    values = {"principal": request.principal, "key": request.key, "request": request.request}
    connection.execute(insert(idempotency).values(**values, answer=kept, created=now()))
    return answer


def forget_old(connection: Connection) -> None:
    connection.execute(delete(idempotency).where(idempotency.c.created < now() - KEPT_S))
