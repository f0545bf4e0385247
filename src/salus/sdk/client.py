"""The client of a Salus service: one method for each thing a person can do.

Knows addresses and answers (plain JSON values). Does not know what happens behind them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from salus.core.settings import Settings
from salus.sdk import upload as uploads
from salus.sdk.errors import BrokenError, LostError, NoServiceError, ServiceError

API = "/api/v1"
PATIENCE_S = 60.0  # how long `watch` waits for a service that went away
Json = dict[str, Any]


class Client:
    """Talks to the management API at `url` with `key`, and to the model server at `model_url`."""

    def __init__(self, url: str, key: str | None, model_url: str | None = None, project: str | None = None):
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        if project is not None:
            headers["Salus-Project"] = project
        if language := os.environ.get("SALUS_LANGUAGE"):  # who asks, not the service, decides how errors are worded
            headers["Accept-Language"] = language
        self.url = url.rstrip("/")
        self.model_url = (model_url or self.url.replace(":8400", ":8401")).rstrip("/")
        self._http = httpx2.Client(headers=headers, timeout=httpx2.Timeout(60.0, connect=5.0), trust_env=False)

    @classmethod
    def local(cls, settings: Settings | None = None) -> Client:
        """The client of the service on this home, with its owner key."""
        settings = settings or Settings.load()
        file = settings.home / "keys" / "owner.key"
        key = file.read_text().strip() if file.exists() else None
        control = f"http://{settings.host}:{settings.control_port}"
        return cls(control, key, f"http://{settings.host}:{settings.model_server_port}")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer of the management API, or ServiceError."""
        return self._send(method, self.url + API + path, **options).json()

    def ready(self) -> bool:
        """Whether a service answers here and is ready."""
        try:
            return bool(self._http.get(self.url + "/readyz", timeout=2.0).status_code == 200)
        except httpx2.TransportError:
            return False

    def status(self) -> Json:
        return dict(self.request("GET", "/status"))

    def settings(self) -> Any:
        return self.request("GET", "/settings")

    def audit(self) -> Any:
        return self.request("GET", "/audit")

    # data

    def add_data(
        self, name: str, source: str | Path, options: Json | None = None, progress: uploads.Progress | None = None
    ) -> Json:
        """Starts the run that adds a file, a folder, a member of one (PATH#MEMBER) or a bundled set ('sklearn:...') under `name`.

        options: the fields of a DataSpec; files that it joins are sent along.
        """
        body: Json = {"name": name, "options": dict(options or {})}
        if str(source).startswith("sklearn:"):
            body["builtin"] = str(source)
        else:
            path, body["options"], beside = uploads.gathered(str(source), body["options"])
            body["upload"] = uploads.send(self, path, progress, beside=beside)
        return dict(self.request("POST", "/data-sets", json=body)["run"])

    def data_sets(self) -> list[Json]:
        return self._pages("/data-sets")

    def data_set(self, name: str) -> Json:
        return dict(self.request("GET", f"/data-sets/{_part(name)}"))

    def preview(self, name: str) -> Any:
        return self.request("GET", f"/data-sets/{_part(name)}/preview")

    # runs

    def train(
        self, data_set: str, spec: Json, model: str | None = None, deploy: str | None = None, version: str | None = None
    ) -> Json:
        """Starts a training run; with `deploy` the endpoint of that name gets the model when the gate passes it."""
        body: Json = {"kind": "train", "data_set": data_set, "spec": spec}
        for name, value in (("model", model), ("deploy", deploy), ("version", version)):
            if value is not None:
                body[name] = value
        return dict(self.request("POST", "/runs", json=body)["run"])

    def runs(self) -> list[Json]:
        return self._pages("/runs")

    def run(self, run: str) -> Json:
        return dict(self.request("GET", f"/runs/{_part(run)}"))

    def cancel(self, run: str) -> Json:
        return dict(self.request("POST", f"/runs/{_part(run)}/cancel"))

    def watch(self, run: str, after: int = 0, wait_s: float = 20.0) -> Iterator[Json]:
        """Every event of a run, old and new, until it is over. A service that restarts meanwhile is waited for."""
        address, lost_since = f"/runs/{_part(run)}/events", None
        while True:
            try:
                answer = self.request("GET", f"{address}?after={after}&wait_s={wait_s}", timeout=wait_s + 30)
            except LostError:
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > PATIENCE_S:
                    raise
                time.sleep(0.5)
                continue
            lost_since = None
            for event in answer["events"]:
                after = max(after, int(event["seq"]))
                yield dict(event)
            if answer["over"] and not answer["events"]:
                return

    def report(self, run: str) -> Json:
        return dict(self.request("GET", f"/runs/{_part(run)}/report"))

    def report_html(self, run: str, language: str | None = None) -> str:
        """The page, in "en", "zh" or the language of the service."""
        headers = {"Accept-Language": language} if language else {}
        return self._send("GET", f"{self.url}{API}/runs/{_part(run)}/report.html", headers=headers).text

    # models and endpoints

    def models(self) -> list[Json]:
        return self._pages("/models")

    def model(self, name: str) -> Json:
        return dict(self.request("GET", f"/models/{_part(name)}"))

    def import_model(
        self,
        name: str,
        path: str | Path,
        licence: str | None = None,
        source: str | None = None,
        progress: uploads.Progress | None = None,
    ) -> Json:
        """Brings a GGUF file or a folder of safetensors in as the next version of the large model `name`."""
        place = Path(path)
        uploads.refuse_links(place)
        body: Json = {"upload": uploads.send(self, place, progress), "source": source or place.resolve().name}
        if licence is not None:
            body["licence"] = licence
        return dict(self.request("POST", f"/models/{_part(name)}/import", json=body, timeout=300.0))

    def deploy(self, endpoint: str, model: str, version: int) -> Json:
        """Waits until the model server answers with this version."""
        body = {"model": model, "version": version}
        return dict(self.request("PUT", f"/endpoints/{_part(endpoint)}", json=body))

    def endpoints(self) -> list[Json]:
        return self._pages("/endpoints")

    def endpoint(self, name: str) -> Json:
        return dict(self.request("GET", f"/endpoints/{_part(name)}"))

    def remove_endpoint(self, name: str) -> None:
        self._send("DELETE", f"{self.url}{API}/endpoints/{_part(name)}")

    def predict(self, endpoint: str, rows: list[Json]) -> list[Json]:
        """One prediction a row, from the model server."""
        address = f"{self.model_url}/endpoints/{_part(endpoint)}/predict"
        return list(self._send("POST", address, json={"rows": rows}).json()["predictions"])

    def predict_picture(self, endpoint: str, picture: bytes, content_type: str) -> Json:
        """The prediction of one picture, sent as it is."""
        address = f"{self.model_url}/endpoints/{_part(endpoint)}/predict"
        answer = self._send("POST", address, content=picture, headers={"Content-Type": content_type}).json()
        return dict(answer["predictions"][0])

    # keys and projects

    def create_key(self, name: str, scopes: list[str], expires_s: float | None = None) -> Json:
        """The only answer that holds the key itself."""
        body: Json = {"name": name, "scopes": scopes}
        if expires_s is not None:
            body["expires_s"] = expires_s
        return dict(self.request("POST", "/keys", json=body))

    def answers_key(self, key: str) -> bool:
        """Whether a key that is kept somewhere is still alive."""
        return any(
            not found.get("revoked") and key.startswith(str(found.get("prefix") or "?")) for found in self.keys()
        )

    def keys(self) -> list[Json]:
        return self._pages("/keys")

    def revoke_key(self, key_id: str) -> None:
        self._send("DELETE", f"{self.url}{API}/keys/{_part(key_id)}")

    def projects(self) -> list[Json]:
        return self._pages("/projects")

    def create_project(self, name: str) -> Json:
        return dict(self.request("POST", "/projects", json={"name": name}))

    def _pages(self, path: str) -> list[Json]:
        """All items of a listing, following its cursor."""
        items: list[Json] = []
        cursor: str | None = None
        while True:
            address = path + (f"?cursor={quote(cursor)}" if cursor else "")
            answer = self.request("GET", address)
            items += answer["items"]
            cursor = answer.get("next")
            if not cursor:
                return items

    def _send(self, method: str, address: str, **options: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, address, **options)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            raise NoServiceError(address.split("/", 3)[2]) from None
        except httpx2.TransportError as error:
            raise BrokenError(address.split("/", 3)[2], type(error).__name__) from None
        if response.status_code >= 400:
            try:
                problem = response.json()
            except ValueError:
                problem = {}
            raise ServiceError(problem if isinstance(problem, dict) else {}, response.status_code)
        return response


def _part(text: str) -> str:
    """One segment of a path."""
    return quote(text, safe="")
