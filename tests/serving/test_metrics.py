"""The exposition is Prometheus' text, and a project sees its own endpoints."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from salus.serving.metrics import Metrics


def test_the_text_holds_what_was_counted() -> None:
    metrics = Metrics()
    numbers = metrics.of("one", "pets")
    numbers.answered(3, 0.002)
    numbers.answered(1, 0.3)
    numbers.failed("bad_json", 0.0001)
    numbers.batch_rows.observe(4)
    metrics.of("two", "secret").answered(1, 0.1)
    samples = {
        (sample.name, sample.labels.get("code"), sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(metrics.text("one").decode())
        for sample in family.samples
    }
    assert samples["salus_requests_total", None, None] == 3
    assert samples["salus_rows_total", None, None] == 4
    assert samples["salus_errors_total", "bad_json", None] == 1
    assert samples["salus_latency_seconds_bucket", None, "0.0025"] == 2
    assert samples["salus_latency_seconds_bucket", None, "+Inf"] == 3
    assert samples["salus_batch_rows_sum", None, None] == 4
    assert b"secret" not in metrics.text("one")
    assert b"secret" in metrics.text(None)


def test_what_is_removed_is_forgotten() -> None:
    metrics = Metrics()
    metrics.of("one", "pets").answered(1, 0.1)
    metrics.forget("one", "pets")
    assert b"pets" not in metrics.text(None)
