"""One service for all tests of this folder, on a home and ports of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from salus.testing.running import RunningService

MOST_BYTES = 200_000


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = RunningService(tmp_path_factory.mktemp("service") / "home", settings={"max_predict_bytes": MOST_BYTES})
    running.up()
    try:
        yield running
    finally:
        running.down()
