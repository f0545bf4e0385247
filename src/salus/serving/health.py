"""Ready means: every endpoint just answered its example, through the queue that requests go through.

One round at a time, a good one kept for a second, bounded in time: whoever asks often costs one pass a second.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

from salus.core.errors import SalusError
from salus.serving.endpoint import Version
from salus.serving.swap import House

KEPT_S = 1.0
BAD_KEPT_S = 0.1
TIMEOUT_S = 5.0


class Readiness:
    def __init__(self, house: House):
        self._house = house
        self._round: asyncio.Task[tuple[bool, dict[str, Any]]] | None = None
        self._until = 0.0

    async def ask(self) -> tuple[bool, dict[str, Any]]:
        """Whether the server is ready, and the counts behind it. Names are not told: the door is open to all."""
        now = asyncio.get_running_loop().time()
        if self._round is None or (self._round.done() and now >= self._until):
            self._round = asyncio.create_task(self._look())
        return await asyncio.shield(self._round)

    async def _look(self) -> tuple[bool, dict[str, Any]]:
        good = False
        try:
            self._house.check_age()
            endpoints = list(self._house.endpoints.values())
            versions = [endpoint.current for endpoint in endpoints if endpoint.current is not None]
            with ExitStack() as in_use:  # none is closed by a swap before its turn
                for version in versions:
                    in_use.enter_context(version)
                alive = await asyncio.gather(*[self._answers(version) for version in versions])
            starting = sum(endpoint.current is None and endpoint.error is None for endpoint in endpoints)
            counts = {
                "ready": sum(alive),
                "silent": len(alive) - sum(alive),
                "starting": starting,
                "failed": sum(endpoint.error is not None for endpoint in endpoints),
            }
            good = all(alive) and not starting
            return good, {"status": "ready" if good else "not ready", "endpoints": counts}
        except SalusError as error:
            return False, {"status": "not ready", "code": error.code}
        finally:
            self._until = asyncio.get_running_loop().time() + (KEPT_S if good else BAD_KEPT_S)

    async def _answers(self, version: Version) -> bool:
        deadline = asyncio.get_running_loop().time() + TIMEOUT_S
        try:
            values = version.model.read_rows([version.example])
            return len(await version.ask(values, 1, True, deadline)) == 1
        except SalusError as error:
            return error.code == "overloaded"  # busy, but alive: taking it out of service would not help
