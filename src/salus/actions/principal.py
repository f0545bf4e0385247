"""Who is asking, and what they may do. Knows scopes; does not know how somebody proved who they are."""

from __future__ import annotations

from dataclasses import dataclass

from salus.core.errors import SalusError

SCOPES = ("owner", "read", "write", "predict", "subject:read")
# What a scope holds besides itself.
HELD = {"owner": frozenset(SCOPES), "write": frozenset({"read"})}


@dataclass(frozen=True)
class Principal:
    """A key that acts in one project. A worker's scope is `work`, a job's is `job:<id>:<fence>`."""

    id: str
    project: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        return scope in self.scopes or any(scope in HELD.get(held, ()) for held in self.scopes)

    def require(self, scope: str) -> None:
        """Raises `forbidden` without the scope."""
        if not self.may(scope):
            raise SalusError("forbidden", expected=scope)
