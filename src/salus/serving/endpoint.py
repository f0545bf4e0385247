"""An endpoint: a name, the version that answers there now, and why a wished one does not.

A version is an opened bundle with its queue. It is counted who uses it, so that it is closed when the last request
that began with it is answered. Knows no keys and no HTTP.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salus.bundle.large import is_large
from salus.bundle.read import open_bundle
from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.inference.predictor import Predictor
from salus.serving.batcher import Batcher, Model, Predictions
from salus.serving.large import LargeModel
from salus.serving.limits import Limits
from salus.serving.metrics import EndpointMetrics
from salus.serving.pool import Pace, Pool
from salus.serving.snapshot import SnapshotEndpoint

TIMED_RUNS = 3
READY, STARTING = "ready", "starting"
Opener = Callable[[Mapping[str, Path]], Model]


def open_model(files: Mapping[str, Path], trusted: str, settings: Settings) -> Model:
    """What this installation signed: the predictor of a bundle, inside this process, or a large model in one of its own."""
    if is_large(files):
        return LargeModel.open(files, trusted, settings)
    return Predictor.open(open_bundle(files, [trusted]), threads=settings.model_threads)


@dataclass(frozen=True)
class Loaded:
    """A model that has answered its example. row_s: seconds of that row, the best of a few runs."""

    model: Model
    example: dict[str, Any]
    row_s: float


def load(opener: Opener, files: Mapping[str, Path]) -> Loaded:
    """Opens, warms and tries a model; heavy, so it runs in a thread. A model that fails its own example is refused."""
    model = opener(files)
    try:
        model.warm()
        example = model.example_row()
        times = []
        for _ in range(TIMED_RUNS):
            started = time.perf_counter()
            predictions = model.answer(model.read_rows([example]))
            times.append(time.perf_counter() - started)
        json.dumps(predictions, allow_nan=False)
    except BaseException:
        model.close()
        raise
    return Loaded(model, example, min(times))


class Version:
    """A loaded model with its queue."""

    def __init__(
        self,
        asked: SnapshotEndpoint,
        loaded: Loaded,
        pool: Pool,
        limits: Callable[[], Limits],
        metrics: EndpointMetrics,
        close: Callable[[Model], None],
    ):
        self.asked = asked
        self.model = loaded.model
        self.example = loaded.example
        where = f"endpoint {asked.name}"
        self._batcher = Batcher(where, loaded.model, pool, Pace(loaded.row_s), limits, metrics)
        self._close = close
        self._users = 0
        self._retired = False
        head = {"endpoint": asked.name, "model": asked.model, "version": asked.version}
        self.answer_head = json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "predictions": '

    async def ask(self, values: Mapping[str, Any], rows: int, small: bool, deadline: float) -> Predictions:
        # What waits for another process must not wait on the event loop, however quick it was measured to be.
        return await self._batcher.ask(values, rows, small and not isinstance(self.model, LargeModel), deadline)

    def __enter__(self) -> Version:
        self._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._users -= 1
        self._close_when_unused()

    def retire(self) -> None:
        """Nobody begins with it any more; those who did are answered by it."""
        self._retired = True
        self._close_when_unused()

    def _close_when_unused(self) -> None:
        if self._retired and self._users == 0:
            self._close(self.model)


class Endpoint:
    """A name in a project. current: what answers; error: why `asked` does not, when it does not."""

    def __init__(self, asked: SnapshotEndpoint, metrics: EndpointMetrics):
        self.asked = asked
        self.metrics = metrics
        self.current: Version | None = None
        self.error: SalusError | None = None

    def version(self) -> Version:
        """What answers now, or `starting`, `model_failed`."""
        if self.current is not None:
            return self.current
        where = f"Endpoint {self.asked.name}"
        if self.error is not None:
            raise SalusError("model_failed", where=where, found=self.error.detail())
        raise SalusError("starting", where=where)

    def swap(self, version: Version) -> None:
        old, self.current, self.error = self.current, version, None
        if old is not None:
            old.retire()

    def retire(self) -> None:
        if self.current is not None:
            self.current.retire()

    def state(self) -> Any:
        """As the control plane is told: "ready" when `asked` answers, else why not."""
        if self.error is not None:
            serving = None if self.current is None else self.current.asked.version
            return {**self.error.problem(), **self.error.to_json(), "state": "failed", "serving": serving}
        return READY if self.current is not None and self.current.asked == self.asked else STARTING
