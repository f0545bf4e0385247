"""A pretend service for tests of clients: the management API and the answers on one port, in memory, no learning.

Knows the shapes of the HTTP table. Runs succeed at once with fixed figures; `fail_next` and `drop_uploads` make trouble.
"""

from __future__ import annotations

import hashlib
import threading
import time
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

KEY = "salus_owner"
FIGURE = {"value": 0.9, "low": 0.8, "high": 0.95, "wide": False}
REPORT = {
    "headline": {"metric": "accuracy", "interval": FIGURE, "baseline": 0.6, "rows": 30, "groups": 3},
    "metrics": {"accuracy": FIGURE},
    "baseline": {"accuracy": {**FIGURE, "value": 0.6}},
    "findings": [],
    "gate": {"passed": True, "reasons": []},
}


class FakeService:
    """Start with `start()`, then `url`; `stop()` at the end."""

    def __init__(self) -> None:
        self.uploads: dict[str, dict[int, bytearray]] = {}
        self.names: dict[tuple[str, int], str] = {}
        self.data_sets: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.keys: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, bytes]] = []
        self.languages: set[str] = set()  # in which runs were asked for
        self.example: dict[str, Any] = {"age": 40.0, "city": "Oslo"}
        self.preview: list[dict[str, Any]] = []
        self.fail_next: dict[str, Any] | None = None  # a problem document for the next run that starts
        self.gate_passes = True
        self.drop_after_bytes: int | None = None  # cut the next upload off after so many bytes
        self.offsets: list[int] = []
        self.url = ""

    def start(self) -> None:
        config = uvicorn.Config(self._app(), host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def _app(self) -> Starlette:
        api = "/api/v1"
        table = [
            ("/readyz", "GET", self._ready),
            (api + "/status", "GET", self._status),
            (api + "/uploads", "POST", self._new_upload),
            (api + "/uploads/{upload}", "GET", self._upload),
            (api + "/uploads/{upload}/files/{index:int}", "PUT", self._receive),
            (api + "/uploads/{upload}/complete", "POST", self._complete),
            (api + "/data-sets", "POST", self._add),
            (api + "/data-sets", "GET", self._listed("data_sets")),
            (api + "/data-sets/{name}", "GET", self._data_set),
            (api + "/data-sets/{name}/preview", "GET", self._preview),
            (api + "/runs", "POST", self._train),
            (api + "/runs", "GET", self._run_pages),
            (api + "/runs/{run}", "GET", self._run),
            (api + "/runs/{run}/events", "GET", self._events),
            (api + "/runs/{run}/cancel", "POST", self._cancel),
            (api + "/runs/{run}/report", "GET", self._report),
            (api + "/runs/{run}/report.html", "GET", self._page),
            (api + "/models", "GET", self._models),
            (api + "/models/{name}", "GET", self._model),
            (api + "/endpoints", "GET", self._listed("endpoints")),
            (api + "/endpoints/{name}", "GET", self._endpoint),
            (api + "/endpoints/{name}", "PUT", self._deploy),
            (api + "/endpoints/{name}", "DELETE", self._remove),
            (api + "/keys", "POST", self._new_key),
            (api + "/keys", "GET", self._all_keys),
            (api + "/keys/{key}", "DELETE", self._revoke),
            ("/endpoints/{name}/predict", "POST", self._predict),
        ]
        return Starlette(routes=[Route(path, handler, methods=[method]) for path, method, handler in table])

    async def _ready(self, request: Request) -> Response:
        return JSONResponse({"ready": True})

    async def _status(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse({"version": "0", "jobs": {}})

    async def _new_upload(self, request: Request) -> Response:
        upload = f"upload_{len(self.uploads)}"
        self.uploads[upload] = {}
        return JSONResponse({"id": upload}, 201)

    async def _upload(self, request: Request) -> Response:
        upload = request.path_params["upload"]
        files = [
            {"index": index, "name": self.names[upload, index], "received": len(content)}
            for index, content in self.uploads[upload].items()
        ]
        return JSONResponse({"id": upload, "state": "open", "files": files})

    async def _receive(self, request: Request) -> Response:
        upload, index = request.path_params["upload"], request.path_params["index"]
        offset = int(request.query_params["offset"])
        self.offsets.append(offset)
        self.names[upload, index] = unquote(request.query_params["name"])
        kept = self.uploads[upload].setdefault(index, bytearray())
        if offset not in (0, len(kept)):
            return problem(409, "upload_offset")
        del kept[offset:]
        limit, self.drop_after_bytes = self.drop_after_bytes, None
        try:
            async for piece in request.stream():
                kept += piece
                if limit is not None and len(kept) >= limit:
                    return Response(b"", headers={"Content-Length": "9"})  # promised, never sent: the connection breaks
        except ClientDisconnect:
            pass
        return JSONResponse({"received": len(kept)})

    async def _complete(self, request: Request) -> Response:
        files = self.uploads[request.path_params["upload"]]
        return JSONResponse({"files": [hashlib.sha256(content).hexdigest() for content in files.values()]})

    async def _add(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        self.requests.append(("POST", "/data-sets", await request.body()))
        self.data_sets[body["name"]] = {
            "name": body["name"],
            "versions": 1,
            "rows": 3,
            "created": "2026-01-01T00:00:00Z",
        }
        return JSONResponse(
            {"run": self._new_run("add", {"data_set": body["name"], "data_version": "d" * 64, "rows": 3})}, 202
        )

    async def _data_set(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.data_sets:
            return problem(404, "not_found", f"data set {name} was not found.")
        schema = {"columns": [{"name": "age\x1b[31m", "kind": "number", "role": "input"}]}
        return JSONResponse(
            {"name": name, "versions": [{"hash": "d" * 64, "rows": 3, "schema": schema, "findings": []}]}
        )

    async def _preview(self, request: Request) -> Response:
        return JSONResponse({"name": request.path_params["name"], "version": "d" * 64, "preview": self.preview})

    async def _train(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        self.requests.append(("POST", "/runs", await request.body()))
        self.languages.add(str(request.headers.get("accept-language")))
        model = body.get("model") or body["data_set"]
        gate = {"passed": self.gate_passes, "reasons": [] if self.gate_passes else ["no better than doing nothing"]}
        result: dict[str, Any] = {"model": model, "version": 1, "headline": FIGURE, "gate": gate}
        if body.get("deploy"):
            result |= {"endpoint": body["deploy"], "deployed": self.gate_passes}
            if self.gate_passes:
                self.endpoints[body["deploy"]] = {
                    "name": body["deploy"],
                    "model": model,
                    "version": 1,
                    "state": "ready",
                }
        return JSONResponse({"run": self._new_run("train", result)}, 202)

    def _new_run(self, kind: str, result: dict[str, Any]) -> dict[str, Any]:
        error, self.fail_next = self.fail_next, None
        run = {
            "id": f"run_{len(self.runs)}",
            "kind": kind,
            "state": "succeeded" if error is None else "failed",
            "created": "2026-01-01T00:00:00Z",
            "error": error,
            "result": result if error is None else None,
        }
        self.runs[str(run["id"])] = run
        return run

    async def _run_pages(self, request: Request) -> Response:
        """Two runs a page, to be followed by their cursor."""
        items = list(self.runs.values())
        start = int(request.query_params.get("cursor", 0))
        following = str(start + 2) if start + 2 < len(items) else None
        return JSONResponse({"items": items[start : start + 2], "next": following})

    async def _run(self, request: Request) -> Response:
        run = self.runs.get(request.path_params["run"])
        return JSONResponse(run) if run else problem(404, "not_found", "This run was not found.")

    async def _events(self, request: Request) -> Response:
        after = int(request.query_params["after"])
        events = [
            {"seq": seq, "time": "", "name": "read", "fields": {"rows": f"{seq}\x1b]0;x\x07"}} for seq in (1, 2, 3)
        ]
        return JSONResponse(
            {"events": [event for event in events if int(str(event["seq"])) > after][:2], "over": after >= 1}
        )

    async def _cancel(self, request: Request) -> Response:
        run = self.runs[request.path_params["run"]]
        run["state"] = "cancelled"
        return JSONResponse(run)

    async def _report(self, request: Request) -> Response:
        return JSONResponse(REPORT)

    async def _page(self, request: Request) -> Response:
        return HTMLResponse("<!doctype html><p>report</p>")

    async def _models(self, request: Request) -> Response:
        items = [
            {
                "name": "m",
                "versions": 2,
                "headline": {"metric": "accuracy", "interval": FIGURE},
                "created": "2026-01-01T00:00:00Z",
            }
        ]
        return JSONResponse({"items": items, "next": None})

    async def _model(self, request: Request) -> Response:
        return JSONResponse({"name": request.path_params["name"], "versions": [{"number": 2}, {"number": 1}]})

    async def _endpoint(self, request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse({**self.endpoints[name], "example": self.example})

    async def _deploy(self, request: Request) -> Response:
        body = await request.json()
        name = request.path_params["name"]
        self.endpoints[name] = {"name": name, **body, "state": "ready"}
        return JSONResponse(self.endpoints[name])

    async def _remove(self, request: Request) -> Response:
        self.endpoints.pop(request.path_params["name"])
        return Response(status_code=204)

    async def _new_key(self, request: Request) -> Response:
        body = await request.json()
        token = f"salus_{len(self.keys):04d}secret"
        self.keys.append({"id": f"key_{len(self.keys)}", "prefix": token[:10], "revoked": None, **body})
        return JSONResponse({**self.keys[-1], "key": token}, 201)

    async def _all_keys(self, request: Request) -> Response:
        return JSONResponse({"items": self.keys, "next": None})

    async def _revoke(self, request: Request) -> Response:
        next(key for key in self.keys if key["id"] == request.path_params["key"])["revoked"] = "2026-01-01T00:00:00Z"
        return Response(status_code=204)

    async def _predict(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append(("POST", str(request.headers.get("content-type")), body))
        rows = (
            1 if str(request.headers.get("content-type")).startswith("image/") else len((await request.json())["rows"])
        )
        return JSONResponse({"predictions": [{"label": "yes", "probability": 0.8}] * rows})

    def _listed(self, what: str) -> Any:
        async def every(request: Request) -> Response:
            return JSONResponse({"items": list(getattr(self, what).values()), "next": None})

        return every

    def _refused(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Bearer {KEY}":
            return None
        return problem(401, "no_key", "A key is needed.", "Send one.")


def problem(status: int, code: str, detail: str = "", following: str = "") -> Response:
    body = {"type": f"urn:salus:error:{code}", "status": status, "code": code, "detail": detail, "next": following}
    return JSONResponse(body, status, media_type="application/problem+json")
