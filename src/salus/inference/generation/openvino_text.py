"""Texts by OpenVINO GenAI: one pipeline that takes newcomers into the running batch (continuous batching, Yu et al. 2022).

A GGUF file is opened as it is; a folder is written as GGUF first, into the process's own folder. Texts become tokens by the model's
own tokenizer. Knows GenAI and GGUF. Does not know pipes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import openvino
import openvino_genai as genai

from salus.bundle.gguf_file import Gguf, read_gguf
from salus.core.errors import SalusError
from salus.inference.generation.chat import ChatTemplate
from salus.inference.generation.engine import Event, GenerationEngine, Loading
from salus.inference.generation.folder_as_gguf import folder_as_gguf
from salus.inference.generation.words import Stops, Vocabulary, Words

ARCHITECTURES = ("llama", "qwen2", "qwen3")
ENDS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")
NO_LIMIT = 2**31
FINISHED = (genai.GenerationFinishReason.STOP, genai.GenerationFinishReason.LENGTH)


class Encoder(Protocol):
    def __call__(self, text: str, whole: bool) -> list[int]:
        """Token numbers. whole: with what the model wants around a plain text."""
        ...


@dataclass
class Open:
    """A request under way."""

    handle: Any
    words: Words
    stops: Stops
    tokens: int = 0
    ends: frozenset[int] = field(default_factory=frozenset)


class TextEngine(GenerationEngine):
    def __init__(self) -> None:
        self._open: dict[int, Open] = {}

    def load(self, loading: Loading) -> None:
        place = loading.folder / "model.gguf"
        encode: Encoder | None = None
        if loading.form == "folder":
            encode = _own_tokenizer(loading.files["tokenizer.json"])
            folder_as_gguf(loading.files, place)
        else:
            place.symlink_to(
                next(path for name, path in loading.files.items() if name.endswith(".gguf") or len(loading.files) == 1)
            )
        found = read_gguf(place, "the model")
        architecture = found.metadata.get("general.architecture")
        if architecture not in ARCHITECTURES:
            raise SalusError("engine_cannot", expected=" or ".join(ARCHITECTURES), found=str(architecture)[:60])
        if found.metadata.get("tokenizer.ggml.model") != "gpt2":
            sort = str(found.metadata.get("tokenizer.ggml.model"))[:40]
            raise SalusError("engine_cannot", expected="a byte-level tokenizer (gpt2)", found=sort)
        _check_table(found)
        self._context_tokens = min(loading.context_tokens, NO_LIMIT)
        self._pipeline = _pipeline(place, loading)
        self._tokenizer = self._pipeline.get_tokenizer()
        self._encode = encode or self._by_genai
        self._vocabulary = _vocabulary(found)
        self._ends = frozenset(value for name in ENDS if isinstance(value := found.metadata.get(name), int))
        self._template = _template(found)

    @property
    def busy(self) -> bool:
        return bool(self._open)

    def begin(self, number: int, ask: Mapping[str, Any]) -> list[Event]:
        if "messages" in ask:
            if self._template is None:
                raise SalusError("model_without_template", where="this model")
            numbers = self._encode(self._template.render(ask["messages"]), whole=False)
        else:
            numbers = self._encode(ask["prompt"], whole=True)
        room = self._context_tokens - len(numbers)
        wanted = ask.get("max_tokens")
        if room < 1 or (wanted is not None and wanted > room):
            found = f"{len(numbers) + (wanted or 1)}" + (
                " or more" if room < 1 else ""
            )  # longer texts are cut when read
            raise SalusError("context_length_exceeded", expected=self._context_tokens, found=found)
        if max(numbers, default=0) >= len(self._vocabulary.bytes_of):  # nothing looks behind the end of a table
            raise SalusError("engine_cannot", expected="tokens of the model's vocabulary", found=f"{max(numbers)}")
        if not numbers:
            raise SalusError("bad_chat", where="prompt", expected="at least one token", found="an empty text")
        most = min(room, wanted if wanted is not None else ask["most_tokens"])
        handle = self._pipeline.add_request(
            number, openvino.Tensor(np.array([numbers], np.int64)), self._config(ask, most)
        )
        self._open[number] = Open(handle, self._vocabulary.stream(), Stops(ask.get("stop") or ()))
        return [{"id": number, "prompt_tokens": len(numbers)}]

    def cancel(self, number: int) -> None:
        found = self._open.pop(number, None)
        if found is not None:
            found.handle.cancel()
            if not self._open and self._pipeline.has_non_finished_requests():
                self._pipeline.step()  # lets go of what it held

    def step(self) -> list[Event]:
        if self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        events: list[Event] = []
        for number, request in list(self._open.items()):
            events += self._read(number, request)
        return events

    def _read(self, number: int, request: Open) -> list[Event]:
        handle, ended = request.handle, None
        numbers: list[int] = []
        while handle.can_read():
            for output in handle.read().values():
                numbers += output.generated_ids
                if output.finish_reason in FINISHED:
                    ended = "length" if output.finish_reason == genai.GenerationFinishReason.LENGTH else "stop"
        if ended is None and not numbers:
            if handle.get_status() == genai.GenerationStatus.RUNNING:
                return []
            del self._open[number]  # there is no room for what it would have to remember
            return [{"id": number, "error": SalusError("overloaded", where="the engine").to_json()}]
        if numbers and numbers[-1] in self._ends:
            numbers, ended = numbers[:-1], "stop"
        request.tokens += len(numbers)
        text = request.stops.add(request.words.add(numbers, last=ended is not None), last=ended is not None)
        if request.stops.stopped and ended is None:
            handle.cancel()
        ended = "stop" if request.stops.stopped else ended
        events: list[Event] = [{"id": number, "text": text}] if text else []
        if ended is not None:
            del self._open[number]
            events.append({"id": number, "end": ended, "tokens": request.tokens})
        return events

    def _config(self, ask: Mapping[str, Any], most: int) -> genai.GenerationConfig:
        config = genai.GenerationConfig()
        config.max_new_tokens = most
        config.stop_token_ids = set(self._ends)
        temperature = ask.get("temperature", 1.0)
        if temperature > 0:
            config.do_sample = True
            config.temperature = temperature
            config.top_p = ask.get("top_p", 1.0)
            config.rng_seed = ask["seed"]
        config.presence_penalty = ask.get("presence_penalty", 0.0)
        config.frequency_penalty = ask.get("frequency_penalty", 0.0)
        return config

    def _by_genai(self, text: str, whole: bool) -> list[int]:
        found = self._tokenizer.encode(text, add_special_tokens=whole).input_ids.data[0].tolist()
        return [int(number) for number in found]


def _check_table(found: Gguf) -> None:
    """Every token must have its row in the table of embeddings."""
    tokens = len(found.metadata["tokenizer.ggml.tokens"])
    rows = next((tensor.shape[-1] for tensor in found.tensors if tensor.name == "token_embd.weight"), 0)
    if tokens > rows:
        raise SalusError("engine_cannot", expected=f"a table of {tokens} tokens", found=f"one of {rows}")


def _pipeline(place: Path, loading: Loading) -> Any:
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = max(1, round(loading.cache_bytes / 2**30))
    scheduler.enable_prefix_caching = False  # with it the same seed says another text the second time
    # A prompt is read in one pass: in pieces between others' tokens every token costs 3 to 5 % more.
    scheduler.dynamic_split_fuse = False
    scheduler.max_num_batched_tokens = max(256, loading.context_tokens)
    properties: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if loading.threads:
        properties["INFERENCE_NUM_THREADS"] = loading.threads
    try:
        return genai.ContinuousBatchingPipeline(str(place), scheduler, "CPU", properties)
    except MemoryError:
        raise
    except Exception as error:  # the library's own sort is a RuntimeError with paths in it
        last = (str(error).strip().splitlines() or ["?"])[-1][:200]
        if "alloc" in last:
            raise MemoryError from None
        raise SalusError("engine_cannot", expected="a model that OpenVINO GenAI opens", found=last) from None


def _own_tokenizer(path: Path) -> Encoder:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def encode(text: str, whole: bool) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=whole).ids)

    return encode


def _vocabulary(found: Gguf) -> Vocabulary:
    said = found.metadata
    sort = said.get("salus.vocabulary", said["tokenizer.ggml.model"])
    return Vocabulary(said["tokenizer.ggml.tokens"], said.get("tokenizer.ggml.token_type"), sort)


def _template(found: Gguf) -> ChatTemplate | None:
    said = found.metadata
    text = said.get("tokenizer.chat_template")
    if not isinstance(text, str):
        return None
    tokens, steers = said["tokenizer.ggml.tokens"], {}
    for name in ("bos", "eos"):
        number = said.get(f"tokenizer.ggml.{name}_token_id")
        steers[f"{name}_token"] = tokens[number] if isinstance(number, int) and number < len(tokens) else ""
    return ChatTemplate(text, steers)
