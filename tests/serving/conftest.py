"""One model server process for the tests that do not change it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving_bundles import Home, Running, picture_graph, picture_schema, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = Home(Path(tmp_path_factory.mktemp("serving")) / "home")
    limits = {"max_predict_bytes": 600_000, "max_predict_rows": 1000, "body_timeout_s": 1.0}
    expired = home.key("salus_expired", "one", ["owner"], expires="2020-01-01T00:00:00Z")
    home.keys.append(expired)
    with running(home) as server:
        answer = server.push(
            home.snapshot(
                home.endpoint("pets", home.table()),
                home.endpoint("pictures", home.bundle(picture_schema(), picture_graph())),
                home.endpoint("secret", home.table(), project="two"),
                limits=limits,
            )
        )
        assert answer.json()["endpoints"] == {"one/pets": "ready", "one/pictures": "ready", "two/secret": "ready"}
        yield server
