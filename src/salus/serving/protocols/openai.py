"""Bodies and answers in the protocol of OpenAI: chat, completions, embeddings, models. Knows JSON; does not know who asks nor what answers.

What is not understood is refused, never left out: a field that changes nothing would promise what is not kept.
"""

from __future__ import annotations

import base64
import json
import struct
import time
from collections.abc import Mapping
from typing import Any

from salus.core.errors import SalusError
from salus.core.wire import parse_json

MAX_MESSAGES = 2000
MAX_STOPS = 16
MAX_STOP_LETTERS = 200
ROLES = ("system", "user", "assistant")
SAME_AS = {"developer": "system"}
# Fields that say nothing about the answer, and values that ask for what is done anyway.
SILENT = {"user", "metadata", "store", "safety_identifier", "prompt_cache_key"}
IDLE: dict[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "best_of": (None, 1),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "echo": (None, False),
    "suffix": (None,),
    "logit_bias": (None, {}),
    "tools": (None, []),
    "tool_choice": (None, "none"),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
}
WRITTEN = {"model", "stream", "stream_options", "max_tokens", "temperature", "top_p", "stop", "seed"}
WRITTEN |= {"presence_penalty", "frequency_penalty"}
MODEL_OWNER = "salus"


def read_model(body: bytes) -> dict[str, Any]:
    """The body as an object that names a model."""
    content = parse_json(body, "body")
    if not isinstance(content, dict):
        raise _not("body", "an object", content)
    if not isinstance(content.get("model"), str) or not content["model"]:
        raise _not("model", "the name of an endpoint", content.get("model"))
    return content


def read_chat(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine is asked by a body of /v1/chat/completions."""
    _known(content, WRITTEN | {"messages", "max_completion_tokens"})
    messages = content.get("messages")
    if not isinstance(messages, list) or not 0 < len(messages) <= MAX_MESSAGES:
        raise _not("messages", f"a list of 1 to {MAX_MESSAGES} messages", messages)
    ask = _sampling(content, "max_completion_tokens" if "max_completion_tokens" in content else "max_tokens")
    return {**ask, "messages": [_message(message, f"messages[{at}]") for at, message in enumerate(messages)]}


def read_completion(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine is asked by a body of /v1/completions."""
    _known(content, WRITTEN | {"prompt"})
    prompt = content.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise _not("prompt", "one text", prompt)
    return {**_sampling(content, "max_tokens"), "prompt": prompt}


def read_embedding(content: Mapping[str, Any], most: int) -> tuple[dict[str, Any], bool]:
    """What the engine is asked by a body of /v1/embeddings, and whether vectors are wanted as base64."""
    _known(content, {"model", "input", "encoding_format", "dimensions"})
    texts = content.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise _not("input", "a text or a list of texts, none of them empty", texts)
    if len(texts) > most:
        raise SalusError("batch_too_large", expected=most, found=len(texts))
    form = content.get("encoding_format", "float")
    if form not in ("float", "base64"):
        raise _not("encoding_format", "float or base64", form)
    if content.get("dimensions") is not None:
        raise _not("dimensions", "none: vectors are as long as the model makes them", content["dimensions"])
    return {"do": "embed", "texts": texts}, form == "base64"


def streamed(content: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the answer is wanted as it comes, and with usage at its end."""
    stream, options = content.get("stream"), content.get("stream_options")
    if stream is not None and not isinstance(stream, bool):
        raise _not("stream", "true or false", stream)
    if options is not None and (
        not isinstance(options, dict) or not stream or options.keys() - {"include_usage", "include_obfuscation"}
    ):
        raise _not("stream_options", "include_usage, with stream", options)
    return bool(stream), bool(options and options.get("include_usage"))


class Shape:
    """The answers to one request at one of the two doors of text."""

    def __init__(self, chat: bool, model: str, request_id: str):
        self._chat = chat
        self._object = "chat.completion" if chat else "text_completion"
        self._head = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{request_id}",
            "created": int(time.time()),
            "model": model,
        }
        piece = {**self._head, "object": "chat.completion.chunk" if chat else "text_completion"}
        self._piece = "data: " + json.dumps(piece, ensure_ascii=False)[:-1] + ', "choices": '
        before, after = self._choice("\0", None).split('"\\u0000"')
        self._before = (self._piece + "[" + before).encode()
        self._after = (after + "]}\n\n").encode()

    def whole(self, text: str, reason: str, usage: Mapping[str, int]) -> bytes:
        content: dict[str, Any] = {"text": text}
        if self._chat:
            content = {"message": {"role": "assistant", "content": text, "refusal": None}}
        choice = {"index": 0, **content, "logprobs": None, "finish_reason": reason}
        answer = {**self._head, "object": self._object, "choices": [choice], "usage": dict(usage)}
        return json.dumps(answer, ensure_ascii=False).encode()

    def first(self) -> bytes:
        """Before any text: who speaks."""
        return (self._piece + "[" + self._choice("", None, role=True) + "]}\n\n").encode() if self._chat else b""

    def text(self, text: str) -> bytes:
        return self._before + json.dumps(text, ensure_ascii=False).encode() + self._after

    def last(self, reason: str, usage: Mapping[str, int] | None) -> bytes:
        told = (self._piece + "[" + self._choice(None, reason) + "]}\n\n").encode()
        if usage is not None:
            told += (self._piece + '[], "usage": ' + json.dumps(dict(usage)) + "}\n\n").encode()
        return told + b"data: [DONE]\n\n"

    def _choice(self, text: str | None, reason: str | None, role: bool = False) -> str:
        content: dict[str, Any] = {"text": text or ""}
        if self._chat:
            delta = {"role": "assistant"} if role else {}
            content = {"delta": {**delta, **({} if text is None else {"content": text})}}
        return json.dumps({"index": 0, **content, "logprobs": None, "finish_reason": reason})


def usage_of(prompt_tokens: int, tokens: int | None) -> dict[str, int]:
    told = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens + (tokens or 0)}
    return told if tokens is None else {**told, "completion_tokens": tokens}


def embeddings(model: str, vectors: list[list[float]], as_base64: bool, prompt_tokens: int) -> bytes:
    data = [
        {"object": "embedding", "index": at, "embedding": _packed(vector) if as_base64 else vector}
        for at, vector in enumerate(vectors)
    ]
    answer = {"object": "list", "data": data, "model": model, "usage": usage_of(prompt_tokens, None)}
    return json.dumps(answer).encode()


def model_entry(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": MODEL_OWNER}


def error_body(error: SalusError, request_id: str, language: str) -> bytes:
    """An error as clients of this protocol read it; code, next and request_id are those of the catalogue."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    where = error.parameters.get("where")
    content = {
        "message": error.text(language),
        "type": {401: "authentication_error", 403: "permission_error"}.get(error.status, kind),
        "param": where if error.code == "bad_chat" else None,
        "code": error.code,
        "request_id": request_id,
    }
    return json.dumps({"error": content}, ensure_ascii=False).encode()


def _known(content: Mapping[str, Any], known: set[str]) -> None:
    for name, value in content.items():
        if name in known or name in SILENT:
            continue
        if name in IDLE:
            if not any(type(value) is type(idle) and value == idle for idle in IDLE[name]):
                shown = "left out" if len(IDLE[name]) == 1 else f"{json.dumps(IDLE[name][1])} or left out"
                raise _not(name, shown, value)
        else:
            raise _not(name, "one of the fields " + ", ".join(sorted(known)), "a field that is not understood")


def _message(message: Any, where: str) -> dict[str, str]:
    if not isinstance(message, dict):
        raise _not(where, "an object of role and content", message)
    role = SAME_AS.get(str(message.get("role")), message.get("role"))
    if role not in ROLES:
        raise _not(f"{where}.role", ", ".join(ROLES), message.get("role"))
    content = message.get("content")
    if isinstance(content, list) and content and all(_is_text(part) for part in content):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise _not(f"{where}.content", "a text, or parts of type text", content)
    unknown = message.keys() - {"role", "content", "name", "refusal"}
    if unknown:
        raise _not(f"{where}.{min(unknown)}", "role and content alone", "another field")
    return {"role": str(role), "content": content}


def _is_text(part: Any) -> bool:
    return (
        isinstance(part, dict)
        and part.keys() == {"type", "text"}
        and part["type"] == "text"
        and isinstance(part["text"], str)
    )


def _sampling(content: Mapping[str, Any], length: str) -> dict[str, Any]:
    seed = _whole(content, "seed", -(2**63), 2**63 - 1)
    return {
        "do": "generate",
        "max_tokens": _whole(content, length, 1, 2**31 - 1),
        "temperature": _number(content, "temperature", 1.0, 0, 2),
        "top_p": _number(content, "top_p", 1.0, 1e-6, 1),
        "presence_penalty": _number(content, "presence_penalty", 0.0, -2, 2),
        "frequency_penalty": _number(content, "frequency_penalty", 0.0, -2, 2),
        "seed": None if seed is None else seed % 2**32,
        "stop": _stops(content.get("stop")),
    }


def _stops(stop: Any) -> list[str]:
    stops = [] if stop is None else [stop] if isinstance(stop, str) else stop
    sound = isinstance(stops, list) and len(stops) <= MAX_STOPS
    if not sound or not all(isinstance(text, str) and 0 < len(text) <= MAX_STOP_LETTERS for text in stops):
        raise _not("stop", f"up to {MAX_STOPS} texts of 1 to {MAX_STOP_LETTERS} letters", stop)
    return list(stops)


def _whole(content: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = content.get(name)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise _not(name, f"a whole number from {low} to {high}", value)
    return value


def _number(content: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = content.get(name)
    if value is None:
        return default
    if type(value) not in (int, float) or not low <= value <= high:
        raise _not(name, f"a number from {low:g} to {high:g}", value)
    return float(value)


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _not(where: str, expected: str, found: Any) -> SalusError:
    shown = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str)
    return SalusError("bad_chat", where=where, expected=expected, found=shown[:80] or "an empty text")
