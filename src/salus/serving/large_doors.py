"""The doors under /v1, in the protocol of OpenAI: the name of a model there is the name of an endpoint.

    GET /v1/models    GET /v1/models/NAME    POST /v1/chat/completions    POST /v1/completions    POST /v1/embeddings

Same keys, projects and limits as every other door; only the form of bodies and errors differs. Knows large models and flows.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from typing import Any, TypeVar

from salus.bundle.large import is_large
from salus.core.errors import SalusError
from salus.inference.generation.engine import Event
from salus.serving.answer import Answer
from salus.serving.endpoint import Endpoint, Version
from salus.serving.flow import Flow, unless_gone
from salus.serving.keys import require
from salus.serving.large import MOST_TOKENS, LargeModel
from salus.serving.limits import Bodies, Receive, read_body
from salus.serving.pool import INLINE_BODY_BYTES
from salus.serving.protocols import openai
from salus.serving.request import READ_ONLY, Request
from salus.serving.snapshot import SnapshotKey
from salus.serving.swap import House

PREFIX = b"/v1/"
MODELS, CHAT, COMPLETIONS, EMBEDDINGS = b"/v1/models", b"/v1/chat/completions", b"/v1/completions", b"/v1/embeddings"
A = TypeVar("A")
WRITES = (CHAT, COMPLETIONS, EMBEDDINGS)


class LargeDoors:
    def __init__(self, house: House, bodies: Bodies):
        self._house = house
        self._bodies = bodies

    async def answer(self, request: Request, receive: Receive, key: SnapshotKey) -> Answer | Flow:
        path = request.path
        if path == MODELS or (path.startswith(MODELS + b"/") and path.count(b"/") == 3):
            request.allow(READ_ONLY)
            require(key, "predict", "read")
            return self._models(key, path[len(MODELS) + 1 :].decode("ascii"))
        if path not in WRITES:
            raise SalusError("no_such_path")
        request.allow(("POST",))
        require(key, "predict")
        self._house.check_age()
        content = await self._content(request, await self._body(request, receive))
        return await self._asked(request, receive, self._find(key, content["model"]), content)

    async def _content(self, request: Request, body: bytes) -> dict[str, Any]:
        """A large body is read beside the event loop: nobody else should wait for it."""
        if len(body) <= INLINE_BODY_BYTES:
            return openai.read_model(body)
        async with self._within(request):
            return await self._house.pool.submit(lambda: openai.read_model(body))

    async def _asked(
        self, request: Request, receive: Receive, endpoint: Endpoint, content: dict[str, Any]
    ) -> Answer | Flow:
        count = _Count(endpoint)
        try:
            if request.path == EMBEDDINGS:
                return count.answered(await self._vectors(request, receive, endpoint, content))
            return await self._text(request, receive, endpoint, content, count)
        except SalusError as error:
            count.failed(error.code)
            raise
        except ConnectionResetError:
            count.failed("client_gone")
            raise

    async def _body(self, request: Request, receive: Receive) -> bytes:
        limits, declared = self._house.limits, request.declared_bytes
        kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            raise SalusError("bad_content_type", expected="application/json", found=kind.decode("latin-1") or "none")
        held = min(declared if declared is not None else limits.max_predict_bytes, limits.max_predict_bytes)
        self._bodies.take(held)
        try:
            body = await read_body(receive, declared, limits)
            request.body_over = True
            return body
        finally:
            self._bodies.give_back(held)

    def _find(self, key: SnapshotKey, name: str) -> Endpoint:
        """The endpoint of this name. What is none of a large model, or another project's, is as unknown as what nobody has."""
        endpoint = self._house.endpoints.get((key.project, name))
        if endpoint is None or not is_large(endpoint.asked.files):
            raise SalusError("model_not_found", found=name)
        return endpoint

    def _models(self, key: SnapshotKey, name: str) -> Answer:
        if name:
            return Answer.of(_entry(self._find(key, name)))
        mine = [endpoint for (project, _), endpoint in self._house.endpoints.items() if project == key.project]
        shown = sorted((e for e in mine if is_large(e.asked.files)), key=lambda endpoint: endpoint.asked.name)
        return Answer.of({"object": "list", "data": [_entry(endpoint) for endpoint in shown]})

    async def _vectors(self, request: Request, receive: Receive, endpoint: Endpoint, content: dict[str, Any]) -> Answer:
        ask, as_base64 = openai.read_embedding(content, self._house.limits.max_predict_rows)
        content.clear()  # what was sent beside must not be held as long as the answer takes
        with endpoint.version() as version:
            model = self._model(version, "vectors")
            model.check_letters(max(map(len, ask["texts"])))

            async def work() -> tuple[list[list[float]], int]:
                vectors: list[list[float]] = []
                prompt_tokens = 0
                async with self._within(request), aclosing(model.ask(ask)) as events:
                    async for event in events:
                        vectors = event.get("vectors", vectors)
                        prompt_tokens = event.get("prompt_tokens", prompt_tokens)
                return vectors, prompt_tokens

            vectors, prompt_tokens = await unless_gone(work(), receive)
        return Answer(openai.embeddings(endpoint.asked.name, vectors, as_base64, prompt_tokens))

    async def _text(
        self, request: Request, receive: Receive, endpoint: Endpoint, content: dict[str, Any], count: _Count
    ) -> Answer | Flow:
        chat = request.path == CHAT
        ask = openai.read_chat(content) if chat else openai.read_completion(content)
        ask["most_tokens"] = MOST_TOKENS
        if ask["seed"] is None:
            ask["seed"] = secrets.randbits(32)
        stream, with_usage = openai.streamed(content)
        content.clear()  # as above
        shape = openai.Shape(chat, endpoint.asked.name, request.request_id)
        async with AsyncExitStack() as stack:
            version = stack.enter_context(endpoint.version())
            model = self._model(version, "text")
            letters = sum(len(message["content"]) for message in ask["messages"]) if chat else len(ask["prompt"])
            model.check_letters(letters)
            if chat and not model.manifest.chat:
                raise SalusError("model_without_template", where=endpoint.asked.name)
            events = await stack.enter_async_context(aclosing(model.ask(ask)))
            if not stream:
                told = await unless_gone(self._whole(request, events, shape), receive)
                return count.answered(Answer(told))
            begun = await unless_gone(self._first(request, events), receive)
            pieces = self._pieces(request, events, begun, shape, with_usage, count)
            return Flow(pieces, stack.pop_all())  # whoever sends it closes what was opened

    async def _whole(self, request: Request, events: AsyncIterator[Event], shape: openai.Shape) -> bytes:
        texts, prompt_tokens = list[str](), 0
        async with self._within(request):
            async for event in events:
                texts.append(event.get("text", ""))
                prompt_tokens = event.get("prompt_tokens", prompt_tokens)
                if "end" in event:
                    usage = openai.usage_of(prompt_tokens, event["tokens"])
                    return shape.whole("".join(texts), event["end"], usage)
        raise AssertionError("an end follows every beginning")

    async def _first(self, request: Request, events: AsyncIterator[Event]) -> Event:
        """What the engine says when it took the request: until then it can be refused with a status."""
        async with self._within(request):
            return await anext(events)

    async def _pieces(
        self,
        request: Request,
        events: AsyncIterator[Event],
        begun: Event,
        shape: openai.Shape,
        with_usage: bool,
        count: _Count,
    ) -> AsyncGenerator[bytes, None]:
        try:
            if first := shape.first():
                yield first
            async for event in _until(events, self._deadline(request)):
                if "text" in event:
                    yield shape.text(event["text"])
                if "end" in event:
                    usage = openai.usage_of(begun["prompt_tokens"], event["tokens"])
                    count.answered(None)
                    yield shape.last(event["end"], usage if with_usage else None)
        except SalusError as error:
            count.failed(error.code)
            yield b"data: " + openai.error_body(error, request.request_id, "en") + b"\n\n"
        finally:
            count.failed("client_gone")  # unless it was counted before

    def _model(self, version: Version, answers: str) -> LargeModel:
        model = version.model
        assert isinstance(model, LargeModel), "a version with large.json is a large model"
        name = version.asked.name
        if model.manifest.answers != answers:
            raise SalusError("model_answers_otherwise", where=name, expected=answers, found=model.manifest.answers)
        if model.process.open_requests >= self._house.limits.max_generate_requests:
            raise SalusError("overloaded", where=f"endpoint {name}")
        return model

    def _deadline(self, request: Request) -> float:
        return asyncio.get_running_loop().time() + request.timeout_s(self._house.limits.generate_timeout_s)

    def _within(self, request: Request) -> _Within:
        return _Within(self._deadline(request))


class _Within:
    """`deadline_exceeded` for what takes longer."""

    def __init__(self, deadline: float):
        self._timeout = asyncio.timeout_at(deadline)
        self._allowed_s = deadline - asyncio.get_running_loop().time()

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *raised: Any) -> None:
        try:
            await self._timeout.__aexit__(*raised)
        except TimeoutError:
            raise SalusError("deadline_exceeded", expected=round(self._allowed_s, 3)) from None


async def _until(events: AsyncIterator[Event], deadline: float) -> AsyncIterator[Event]:
    """The events that come before the deadline; `deadline_exceeded` when it passes."""
    while True:
        try:
            async with _Within(deadline):
                event = await anext(events)
        except StopAsyncIteration:
            return
        yield event


class _Count:
    """Counts a request once at its endpoint's metrics."""

    def __init__(self, endpoint: Endpoint):
        self._metrics = endpoint.metrics
        self._started = time.perf_counter()
        self._over = False

    def answered(self, answer: A) -> A:
        if not self._over:
            self._metrics.answered(1, time.perf_counter() - self._started)
        self._over = True
        return answer

    def failed(self, code: str) -> None:
        if not self._over:
            self._metrics.failed(code, time.perf_counter() - self._started)
        self._over = True


def _entry(endpoint: Endpoint) -> dict[str, Any]:
    model = None if endpoint.current is None else endpoint.current.model
    made = model.manifest.created if isinstance(model, LargeModel) else None
    created = 0 if made is None else int(datetime.fromisoformat(made).timestamp())
    return openai.model_entry(endpoint.asked.name, created)
