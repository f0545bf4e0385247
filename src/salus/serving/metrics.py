"""What is counted at each endpoint: requests, errors by code, seconds, rows a pass. Shown in Prometheus' text form.

Plain numbers, touched by the event loop alone, so that counting costs next to nothing; prometheus-client only writes them.
A key sees the endpoints of its own project.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

LATENCY_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)
BATCH_BOUNDS_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Counts below fixed bounds, with their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]):
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound and how many are not above it."""
        shown: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip([*(repr(float(b)) for b in self.bounds), "+Inf"], self.counts, strict=True):
            below += count
            shown.append((bound, below))
        return shown


class EndpointMetrics:
    """The numbers of one endpoint; they go on when its version is swapped."""

    __slots__ = ("batch_rows", "errors", "latency_s", "queued_rows", "requests", "rows")

    def __init__(self) -> None:
        self.requests = 0
        self.rows = 0
        self.queued_rows = 0
        self.errors: dict[str, int] = {}
        self.latency_s = Histogram(LATENCY_BOUNDS_S)
        self.batch_rows = Histogram(BATCH_BOUNDS_ROWS)

    def answered(self, rows: int, seconds: float) -> None:
        self.requests += 1
        self.rows += rows
        self.latency_s.observe(seconds)

    def failed(self, code: str, seconds: float) -> None:
        self.requests += 1
        self.errors[code] = self.errors.get(code, 0) + 1
        self.latency_s.observe(seconds)


class Metrics:
    """The numbers of every endpoint by project and name."""

    def __init__(self) -> None:
        self._endpoints: dict[tuple[str, str], EndpointMetrics] = {}

    def of(self, project: str, name: str) -> EndpointMetrics:
        return self._endpoints.setdefault((project, name), EndpointMetrics())

    def forget(self, project: str, name: str) -> None:
        self._endpoints.pop((project, name), None)

    def text(self, project: str | None) -> bytes:
        """The exposition of one project, or of all for None."""
        shown = {place: numbers for place, numbers in self._endpoints.items() if project in (None, place[0])}
        return generate_latest(_Shown(shown))


class _Shown(Collector):
    def __init__(self, endpoints: dict[tuple[str, str], EndpointMetrics]):
        self._endpoints = endpoints

    def collect(self) -> Iterator[Metric]:
        labels = ["project", "endpoint"]
        requests = CounterMetricFamily("salus_requests", "Predictions asked for.", labels=labels)
        rows = CounterMetricFamily("salus_rows", "Rows answered.", labels=labels)
        errors = CounterMetricFamily("salus_errors", "Requests refused or failed.", labels=[*labels, "code"])
        queued = GaugeMetricFamily("salus_queued_rows", "Rows waiting for a pass.", labels=labels)
        latency = HistogramMetricFamily("salus_latency_seconds", "From headers to answer.", labels=labels)
        batch = HistogramMetricFamily("salus_batch_rows", "Rows in one pass.", labels=labels)
        for place, numbers in self._endpoints.items():
            requests.add_metric(place, numbers.requests)
            rows.add_metric(place, numbers.rows)
            queued.add_metric(place, numbers.queued_rows)
            latency.add_metric(place, numbers.latency_s.buckets(), numbers.latency_s.total)
            batch.add_metric(place, numbers.batch_rows.buckets(), numbers.batch_rows.total)
            for code, count in numbers.errors.items():
                errors.add_metric([*place, code], count)
        yield from (requests, rows, errors, queued, latency, batch)
