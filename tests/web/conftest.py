"""The management API in this process, with two projects and keys of every sort."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from salus.core.settings import Settings
from salus.store import keys, projects
from salus.store.records import Records
from salus.web.app import management_app, worker_app

WORKER_KEY = "salus_worker_key_of_the_tests"


@dataclass
class Api:
    """Asks the application without a socket; keys by the names of their scopes."""

    records: Records
    tokens: dict[str, str]

    def ask(
        self, method: str, path: str, key: str | None = "owner", worker: bool = False, **options: Any
    ) -> httpx2.Response:
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(key, key)}"
        app = worker_app(self.records, WORKER_KEY) if worker else management_app(self.records)

        async def once() -> httpx2.Response:
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://127.0.0.1"
            ) as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(once())

    def upload(self, content: bytes = b"x,y\n1,a\n", name: str = "t.csv") -> str:
        upload = str(self.ask("POST", "/api/v1/uploads", json={}).json()["id"])
        answer = self.ask("PUT", f"/api/v1/uploads/{upload}/files/0?name={name}&offset=0", content=content)
        assert answer.status_code == 200, answer.text
        return upload

    def added(self, name: str) -> str:
        """A data set with one version, as a worker would have made it; the version's hash."""
        upload = self.upload()
        assert self.ask("POST", f"/api/v1/uploads/{upload}/complete", json={}).status_code == 200
        asked = {"name": name, "upload": upload, "options": {}}
        assert self.ask("POST", "/api/v1/data-sets", json=asked).status_code == 202
        job = self.claim()
        digest = self.records.blobs.put_stream([b"{}"])
        schema = {
            "columns": [{"name": n, "kind": "number", "role": "input", "state": None} for n in ("x", "y")],
            "task": None,
        }
        made = {
            "tree": {"schema.json": digest},
            "rows": 1,
            "schema": schema,
            "findings": [],
            "preview": {"rows": [{"x": 1}]},
        }
        answer = self.finish(job, {"ok": True, "records": made})
        assert answer.status_code == 200, answer.text
        return str(self.ask("GET", f"/api/v1/data-sets/{name}").json()["versions"][0]["hash"])

    def claim(self) -> dict[str, Any]:
        answer = self.ask("POST", "/api/v1/worker/claim", WORKER_KEY, worker=True, json={"worker": "w", "wait_s": 0})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def finish(self, job: dict[str, Any], outcome: dict[str, Any]) -> httpx2.Response:
        body = {"fence": job["fence"], "outcome": outcome}
        return self.ask("POST", f"/api/v1/worker/jobs/{job['job']}/finish", job["token"], worker=True, json=body)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    records = Records.open(
        Settings(home=tmp_path, max_json_bytes=20_000, max_upload_bytes=100_000, free_space_floor_bytes=1)
    )
    tokens: dict[str, str] = {}

    def change(connection: Any) -> None:
        for project in ("default", "other"):
            projects.add(connection, project)
        for name, project, scopes in (
            ("owner", "default", ["owner"]),
            ("read", "default", ["read"]),
            ("write", "default", ["write"]),
            ("predict", "default", ["predict"]),
            ("foreign", "other", ["owner"]),
            ("revoked", "default", ["owner"]),
        ):
            tokens[name] = keys.new_token()
            row = keys.add(connection, project, name, tokens[name], scopes, None)
            if name == "revoked":
                keys.revoke(connection, project, row["id"])

    records.database.write(change)
    yield Api(records, tokens)
    records.close()
