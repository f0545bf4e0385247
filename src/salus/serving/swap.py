"""Makes the endpoints what a snapshot says: new versions are loaded beside the old ones and take their place when warm.

Keys and limits are in force at once; loading takes its time in a thread of its own, one model after the other. A model
that cannot be loaded changes nothing but the state that is told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from salus.bundle.large import is_large
from salus.core.errors import SalusError
from salus.serving.batcher import Model
from salus.serving.endpoint import Endpoint, Opener, Version, load
from salus.serving.keys import KeyRing
from salus.serving.limits import Limits
from salus.serving.metrics import Metrics
from salus.serving.pool import Pool
from salus.serving.snapshot import Snapshot, SnapshotEndpoint, SnapshotStore

LOG = logging.getLogger("salus.serving")
LARGE_PATIENCE_S = 3.0


class House:
    """What is in force: keys, limits, endpoints. Touched by the event loop alone."""

    def __init__(self, store: SnapshotStore, opener: Opener, limits: Limits, pool: Pool):
        self.keys = KeyRing()
        self.limits = limits
        self.endpoints: dict[tuple[str, str], Endpoint] = {}
        self.metrics = Metrics()
        self.pool = pool
        self._store = store
        self._opener = opener
        self._own_limits = limits
        self._snapshot: Snapshot | None = None
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._lock = asyncio.Lock()
        self._keeping = asyncio.Lock()
        self._starting: asyncio.Task[asyncio.Task[None]] | None = None
        self._large_loader = ThreadPoolExecutor(1, thread_name_prefix="load-large")
        self._large_lock = asyncio.Lock()
        self._large_loading: asyncio.Task[None] | None = None

    @property
    def sequence(self) -> int | None:
        return None if self._snapshot is None else self._snapshot.sequence

    def check_age(self) -> None:
        """Raises `starting` before the first snapshot and `snapshot_too_old` when the last one is."""
        if self._snapshot is None:
            raise SalusError("starting", where="The server")
        if time.time() - self._snapshot.issued > self.limits.snapshot_max_age_s:
            raise SalusError("snapshot_too_old", expected=self.limits.snapshot_max_age_s)

    async def start(self) -> None:
        """Goes on from the kept snapshot; without a usable one the server waits for the control plane. Returns when keys
        and limits are in force; models are loaded while the server answers `starting`."""
        try:
            snapshot = self._store.recall()
        except (SalusError, OSError) as error:
            LOG.warning("the kept snapshot is not used: %s", error)
            return
        if snapshot is not None:
            self._starting = asyncio.create_task(self._take(snapshot))
            await asyncio.sleep(0)

    async def push(self, document: bytes) -> dict[str, Any]:
        """A sealed snapshot from the control plane -> the state of every endpoint, when all are loaded. Large models, which may take
        minutes, are waited for a moment only: the control plane has other things to say."""
        snapshot = self._store.verify(document)
        if self._snapshot is not None and snapshot.sequence < self._snapshot.sequence:
            raise SalusError("snapshot_stale", expected=self._snapshot.sequence, found=snapshot.sequence)
        loading = asyncio.ensure_future(self._take(snapshot))  # keys are in force before the first await
        await asyncio.sleep(0)
        await self._keep(snapshot, document)
        await asyncio.wait({await loading}, timeout=LARGE_PATIENCE_S)
        return self.states()

    async def _keep(self, snapshot: Snapshot, document: bytes) -> None:
        async with self._keeping:
            if self._snapshot is not snapshot:
                return  # a newer one must not be overwritten
            try:
                await asyncio.to_thread(self._store.keep, document)
            except OSError as error:  # a full disk: what is in force stays so, only a restart would forget it
                LOG.error("the snapshot could not be kept: %s", error)

    def states(self) -> dict[str, Any]:
        return {f"{project}/{name}": endpoint.state() for (project, name), endpoint in self.endpoints.items()}

    async def close(self) -> None:
        for loader in (self._loader, self._large_loader):
            loader.shutdown(wait=False, cancel_futures=True)
        self.pool.close()
        for endpoint in self.endpoints.values():
            if endpoint.current is not None:
                endpoint.current.model.close()

    async def _take(self, snapshot: Snapshot) -> asyncio.Task[None]:
        """Returns when all but the large models are loaded, with what loads those."""
        self._snapshot = snapshot
        self.keys = KeyRing(snapshot.keys)
        self.limits = self._own_limits.changed(snapshot.limits)
        wanted = {(asked.project, asked.name): asked for asked in snapshot.endpoints}
        for place in self.endpoints.keys() - wanted.keys():
            self.endpoints.pop(place).retire()
            self.metrics.forget(*place)
        for place, asked in wanted.items():
            if place not in self.endpoints:
                self.endpoints[place] = Endpoint(asked, self.metrics.of(*place))
            self.endpoints[place].asked = asked
        async with self._lock:
            for asked in wanted.values():
                if not is_large(asked.files):
                    await self._load(asked, self._loader)
        large = [asked for asked in wanted.values() if is_large(asked.files)]
        self._large_loading = asyncio.create_task(self._load_large(large))
        return self._large_loading

    async def _load_large(self, wanted: list[SnapshotEndpoint]) -> None:
        async with self._large_lock:
            for asked in wanted:
                await self._load(asked, self._large_loader)

    async def _load(self, asked: SnapshotEndpoint, loader: ThreadPoolExecutor) -> None:
        endpoint = self.endpoints.get((asked.project, asked.name))
        if endpoint is None or endpoint.asked != asked:
            return  # a newer snapshot wants something else
        if endpoint.current is not None and endpoint.current.asked == asked:
            endpoint.error = None
            return
        try:
            loaded = await asyncio.get_running_loop().run_in_executor(loader, load, self._opener, asked.files)
        except Exception as error:
            if not isinstance(error, SalusError):
                LOG.error("endpoint %s: loading failed", asked.name, exc_info=error)
            endpoint.error = error if isinstance(error, SalusError) else SalusError("internal", request_id="-")
            LOG.warning("endpoint %s: version %s was refused: %s", asked.name, asked.version, endpoint.error)
            return
        version = Version(asked, loaded, self.pool, lambda: self.limits, endpoint.metrics, self._close_later)
        if self.endpoints.get((asked.project, asked.name)) is not endpoint:
            version.retire()  # removed while it was being loaded
            return
        endpoint.swap(version)
        LOG.info("endpoint %s: version %s of %s answers", asked.name, asked.version, asked.model)

    def _close_later(self, model: Model) -> None:
        try:
            self._loader.submit(model.close)
        except RuntimeError:  # the server is closing
            model.close()
