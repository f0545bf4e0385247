"""A large model as the server sees it: a model like any other for rows, and a source of events for the doors under /v1.

The engine lives in a process of its own; what happens to it is told as an error of the catalogue. Knows the engine's process and
event loops. Does not know HTTP.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

from salus.bundle.large import Large, LargeManifest, open_large
from salus.core.errors import SalusError
from salus.core.settings import Settings
from salus.inference.generation.engine import Event
from salus.inference.generation.process import EngineProcess
from salus.inference.patience import left_s

LOAD_TIMEOUT_S = 900.0
ROW_TIMEOUT_S = 600.0
ROW_TOKENS = 64  # of a row's answer, when the row does not say how many
MOST_TOKENS = 4096  # of an answer whose length was not asked for
MOST_ROWS = 64  # of texts in one request: each is a request to the engine
LETTERS_A_TOKEN = 64  # a longer text is refused unread: its tokens cannot fit
BASE_MEMORY_BYTES = 4 * 2**30
MEMORY_PER_BYTE = 4
Row = dict[str, Any]


class LargeModel:
    """`salus.serving.batcher.Model`, and `ask` for whoever wants the answer as it comes."""

    def __init__(self, manifest: LargeManifest, process: EngineProcess):
        self.manifest = manifest
        self.process = process

    @classmethod
    def open(cls, files: Mapping[str, Path], trusted: str, settings: Settings) -> LargeModel:
        """Compares every hash, starts the engine and waits until it is loaded."""
        large = open_large(files, trusted)
        process = EngineProcess(
            "this model",
            large.manifest.answers,
            loading_of(large, settings),
            settings.engine_memory_bytes
            or BASE_MEMORY_BYTES + settings.engine_cache_bytes + MEMORY_PER_BYTE * large.manifest.bytes,
            engine_places(settings),
            LOAD_TIMEOUT_S,
        )
        process.start()
        return cls(large.manifest, process)

    async def ask(self, ask: Mapping[str, Any]) -> AsyncGenerator[Event, None]:
        """The events of a request, to its `end`; an `error` is raised. Leaving early cancels it in the engine."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue()

        def heard(event: Event) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(events.put_nowait, event)

        number = self.process.begin(ask, heard)
        try:
            while True:
                event = await events.get()
                if "error" in event:
                    raise SalusError.from_json(event["error"])
                yield event
                if "end" in event:
                    return
        finally:
            self.process.cancel(number)

    def read_rows(self, rows: list[Row]) -> dict[str, Any]:
        name = self._input
        if name == "prompt" and len(rows) > MOST_ROWS:
            raise SalusError("batch_too_large", expected=MOST_ROWS, found=len(rows))
        for row in rows:
            text, tokens = row.get(name), row.get("max_tokens", ROW_TOKENS)
            known = {name, "max_tokens"} if name == "prompt" else {name}
            if row.keys() - known or not isinstance(text, str) or not text:
                raise SalusError(
                    "bad_chat", where=name, expected=f"rows of {', '.join(sorted(known))}", found=str(row)[:80]
                )
            if type(tokens) is not int or not 0 < tokens <= MOST_TOKENS:
                raise SalusError("bad_chat", where="max_tokens", expected=f"1 to {MOST_TOKENS}", found=str(tokens)[:40])
            self.check_letters(len(text))
        values: dict[str, Any] = {name: [row[name] for row in rows]}
        return values | (
            {"max_tokens": [row.get("max_tokens", ROW_TOKENS) for row in rows]} if name == "prompt" else {}
        )

    def check_letters(self, letters: int) -> None:
        """`context_length_exceeded` for a text that no usual tokenizer makes short enough; reading it would keep the engine from others."""
        if letters > LETTERS_A_TOKEN * (self.manifest.context_tokens + 1):
            raise SalusError(
                "context_length_exceeded",
                expected=self.manifest.context_tokens,
                found=f"{letters // LETTERS_A_TOKEN} or more",
            )

    def read_media(self, content: bytes) -> dict[str, Any]:
        raise SalusError("not_a_picture_model", where="the request body", found=f"{self._input} (text)")

    def answer(self, values: Mapping[str, Any]) -> list[Row]:
        """Texts that go on greedily, or vectors; one a row. Waits for the engine."""
        if self._input == "text":
            vectors = self._wait([{"do": "embed", "texts": values["text"]}])[0]["vectors"]
            return [{"vector": vector} for vector in vectors]
        plain = {"do": "generate", "temperature": 0.0, "seed": 0, "most_tokens": MOST_TOKENS}
        asks = [
            {**plain, "prompt": prompt, "max_tokens": tokens}
            for prompt, tokens in zip(values["prompt"], values["max_tokens"], strict=True)
        ]
        return [{"text": found["text"], "finish_reason": found["end"]} for found in self._wait(asks)]

    def _wait(self, asks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """All events of each request as one: texts joined. Given up when nobody waits any more."""
        left = left_s()
        allowed_s = ROW_TIMEOUT_S if left is None else min(left, ROW_TIMEOUT_S)
        ends = time.monotonic() + allowed_s
        queues: list[queue.SimpleQueue[Event]] = [queue.SimpleQueue() for _ in asks]
        numbers = list[int]()
        try:
            for ask, heard in zip(asks, queues, strict=True):
                numbers.append(self.process.begin(ask, heard.put))
            return [_whole(heard, ends) for heard in queues]
        except queue.Empty:
            raise SalusError("engine_failed", found=f"no answer within {allowed_s:.3g} seconds") from None
        finally:
            for number in numbers:
                self.process.cancel(number)

    @property
    def _input(self) -> str:
        return "prompt" if self.manifest.answers == "text" else "text"

    def example_row(self) -> Row:
        return example_of(self.manifest)

    def request_schema(self) -> dict[str, Any]:
        return request_schema_of(self.manifest)

    def answer_schema(self) -> dict[str, Any]:
        return answer_schema_of(self.manifest)

    def warm(self) -> None:
        """The first pass of a process compiles; nobody should wait for that."""
        self.answer(self.read_rows([self.example_row()]))

    def close(self) -> None:
        self.process.close()


def loading_of(large: Large, settings: Settings) -> dict[str, Any]:
    """The first line of the engine's process."""
    return {
        "form": large.manifest.form,
        "files": {name: str(path) for name, path in large.files.items()},
        "context_tokens": large.manifest.context_tokens,
        "threads": settings.engine_threads,
        "cache_bytes": settings.engine_cache_bytes,
    }


def engine_places(settings: Settings) -> Path:
    """Where the folders of engine processes lie."""
    return settings.home / "run" / "engines"


def example_of(manifest: LargeManifest) -> Row:
    if manifest.answers == "vectors":
        return {"text": "A man is eating food."}
    return {"prompt": "The capital of France is", "max_tokens": 2}


def request_schema_of(manifest: LargeManifest) -> dict[str, Any]:
    """JSON Schema of a body at /endpoints/NAME/predict."""
    name = "text" if manifest.answers == "vectors" else "prompt"
    fields: dict[str, Any] = {name: {"type": "string", "minLength": 1}}
    if name == "prompt":
        fields["max_tokens"] = {"type": "integer", "minimum": 1, "maximum": MOST_TOKENS}
    row = {"type": "object", "properties": fields, "required": [name], "additionalProperties": False}
    rows = {"rows": {"type": "array", "items": row, "minItems": 1}}
    return {"type": "object", "properties": rows, "required": ["rows"], "additionalProperties": False}


def answer_schema_of(manifest: LargeManifest) -> dict[str, Any]:
    if manifest.answers == "vectors":
        vector = {"type": "array", "items": {"type": "number"}}
        return {"type": "object", "properties": {"vector": vector}, "required": ["vector"]}
    fields = {"text": {"type": "string"}, "finish_reason": {"enum": ["stop", "length"]}}
    return {"type": "object", "properties": fields, "required": list(fields)}


def describe_large(manifest: LargeManifest) -> dict[str, Any]:
    """What a request looks like, for the page of an endpoint: `asks` is the body of a request at the door `door`."""
    ask: dict[str, Any]
    if manifest.answers == "vectors":
        door, ask = "/v1/embeddings", {"input": ["A man is eating food."]}
    elif manifest.chat:
        door, ask = "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 64}
    else:
        door, ask = "/v1/completions", {"prompt": "Once upon a time", "max_tokens": 64}
    return {
        "request_schema": request_schema_of(manifest),
        "answer_schema": answer_schema_of(manifest),
        "example": example_of(manifest),
        "door": door,
        "asks": ask,
    }


def _whole(heard: queue.SimpleQueue[Event], ends: float) -> dict[str, Any]:
    found: dict[str, Any] = {"text": ""}
    while "end" not in found:
        event = heard.get(timeout=max(0.0, ends - time.monotonic()))
        if "error" in event:
            raise SalusError.from_json(event["error"])
        found = {**found, **event, "text": found["text"] + event.get("text", "")}
    return found
