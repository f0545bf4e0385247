"""The doors of the model server: bare ASGI, since a framework's layers cost more than a small model.

    POST /endpoints/NAME/predict    GET /endpoints    GET /endpoints/NAME    GET /metrics    GET /livez    GET /readyz
    GET /v1/models    GET /v1/models/NAME    POST /v1/chat/completions    POST /v1/completions    POST /v1/embeddings

Every door but the two of health wants a key, and looks names up in that key's project (an owner's may enter another): what another project has is as
unknown as what nobody has. Which door it is decides the exact path as it was sent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from salus.core.errors import SalusError
from salus.serving import metrics
from salus.serving.answer import Answer, Headers, Send, deliver
from salus.serving.endpoint import Endpoint
from salus.serving.flow import Flow, deliver_flow
from salus.serving.health import Readiness
from salus.serving.keys import enter, require
from salus.serving.large_doors import PREFIX, LargeDoors
from salus.serving.limits import Bodies, Receive, read_body
from salus.serving.pool import INLINE_BODY_BYTES
from salus.serving.protocols import openai, typed_json
from salus.serving.request import READ_ONLY, Hosts, Request, Scope
from salus.serving.snapshot import SnapshotKey
from salus.serving.swap import House

LOG = logging.getLogger("salus.serving")
PUBLIC = (b"/livez", b"/readyz")


class App:
    """The ASGI application of one server."""

    def __init__(self, house: House, allowed_hosts: str, language: str = "en"):
        self.draining = False
        self._house = house
        self._hosts = Hosts(allowed_hosts)
        self._language = language
        self._readiness = Readiness(house)
        self._bodies = Bodies()
        self._large = LargeDoors(house, self._bodies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        request = Request(scope)
        try:
            answer = await self._answer(request, receive)
            if isinstance(answer, Flow):
                return await deliver_flow(request, answer, receive, send)
        except SalusError as error:
            answer = self._problem(request, error)
        except ConnectionResetError:  # nobody is left to answer to
            return
        except Exception:
            LOG.exception("request %s failed", request.request_id)
            answer = self._problem(request, SalusError("internal", request_id=request.request_id))
        await deliver(request, answer, receive, send)

    async def _answer(self, request: Request, receive: Receive) -> Answer | Flow:
        request.check(self._hosts)
        path = request.path
        if path in PUBLIC:
            request.allow(READ_ONLY)
            return await self._health(path)
        key = self._house.keys.recognise(request.headers.get(b"authorization"))
        key = enter(key, request.headers.get(b"salus-project"))
        if path.startswith(b"/endpoints/") and path.endswith(b"/predict") and path.count(b"/") == 3:
            request.allow(("POST",))
            return await self._predict(request, receive, key, path[11:-8].decode("ascii"))
        if path.startswith(b"/endpoints/") and path.count(b"/") == 2:
            request.allow(READ_ONLY)
            return self._describe(key, path[11:].decode("ascii"))
        if path == b"/endpoints":
            request.allow(READ_ONLY)
            return self._list(key)
        if path == b"/metrics":
            request.allow(READ_ONLY)
            return self._metrics(key)
        if path.startswith(PREFIX):
            if self.draining:
                raise SalusError("stopping")
            return await self._large.answer(request, receive, key)
        raise SalusError("no_such_path")

    async def _predict(self, request: Request, receive: Receive, key: SnapshotKey, name: str) -> Answer:
        started = time.perf_counter()
        require(key, "predict")
        endpoint = self._find(key, name)
        try:
            body, rows = await self._predicted(request, receive, endpoint)
        except SalusError as error:
            endpoint.metrics.failed(error.code, time.perf_counter() - started)
            raise
        except Exception:
            endpoint.metrics.failed("internal", time.perf_counter() - started)
            raise
        endpoint.metrics.answered(rows, time.perf_counter() - started)
        return Answer(body)

    async def _predicted(self, request: Request, receive: Receive, endpoint: Endpoint) -> tuple[bytes, int]:
        """Body in, body out."""
        if self.draining:
            raise SalusError("stopping")
        self._house.check_age()
        endpoint.version()  # refused before the body is read when there is none
        limits = self._house.limits
        deadline = asyncio.get_running_loop().time() + request.timeout_s(limits.predict_timeout_s)
        media = typed_json.is_media(request.headers.get(b"content-type", b""))
        declared = request.declared_bytes
        held = min(declared if declared is not None else limits.max_predict_bytes, limits.max_predict_bytes)
        self._bodies.take(held)
        try:
            body = await read_body(receive, declared, limits)
            request.body_over = True
            # The version is taken after the body came, and keeps its model open until the answer is made.
            with endpoint.version() as version:
                small = len(body) <= INLINE_BODY_BYTES

                def read() -> tuple[dict[str, Any], int]:
                    return typed_json.read(version.model, body, media, limits.max_predict_rows)

                values, rows = read() if small else await self._in_time(read, deadline)
                predictions = await version.ask(values, rows, small, deadline)
                return typed_json.write(version.answer_head, predictions, request.request_id), rows
        finally:
            self._bodies.give_back(held)

    async def _in_time(
        self, read: Callable[[], tuple[dict[str, Any], int]], deadline: float
    ) -> tuple[dict[str, Any], int]:
        loop = asyncio.get_running_loop()
        allowed_s = deadline - loop.time()
        try:
            async with asyncio.timeout_at(deadline):
                return await self._house.pool.submit(read)
        except TimeoutError:
            raise SalusError("deadline_exceeded", expected=round(allowed_s, 3)) from None

    def _describe(self, key: SnapshotKey, name: str) -> Answer:
        require(key, "predict", "read")
        version = self._find(key, name).version()
        asked = version.asked
        return Answer.of(
            {
                "name": asked.name,
                "model": asked.model,
                "version": asked.version,
                "request": version.model.request_schema(),
                "prediction": version.model.answer_schema(),
                "example": {"rows": [version.example]},
            }
        )

    def _list(self, key: SnapshotKey) -> Answer:
        require(key, "predict", "read")
        names = sorted(name for project, name in self._house.endpoints if project == key.project)
        return Answer.of({"items": [{"name": name} for name in names]})

    def _metrics(self, key: SnapshotKey) -> Answer:
        require(key, "read")
        project = None if "owner" in key.scopes else key.project
        return Answer(self._house.metrics.text(project), kind=metrics.CONTENT_TYPE)

    async def _health(self, path: bytes) -> Answer:
        if path == b"/livez":
            return Answer.of({"status": "alive"})
        if self.draining:
            return Answer.of({"status": "stopping"}, 503)
        good, told = await self._readiness.ask()
        return Answer.of(told, 200 if good else 503)

    def _find(self, key: SnapshotKey, name: str) -> Endpoint:
        endpoint = self._house.endpoints.get((key.project, name))
        if endpoint is None:
            raise SalusError("not_found", where="endpoint", found=name)
        return endpoint

    def _problem(self, request: Request, error: SalusError) -> Answer:
        headers: Headers = []
        if error.code == "method_not_allowed":
            headers.append((b"allow", str(error.parameters["expected"]).encode()))
        language = request.language(self._language)
        answer = Answer.problem(error, request.request_id, language, headers)
        if request.path.startswith(PREFIX):
            return answer.instead(openai.error_body(error, request.request_id, language))
        return answer
