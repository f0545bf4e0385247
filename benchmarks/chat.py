"""Tokens a second and the time to the first token of a large model through HTTP, beside the bare engine in a process, in the same run.

The service is the real one: imported, deployed, asked with a key, streamed. The bare side is `openvino_genai.LLMPipeline.generate` on the same file
with the same threads, prompts and number of tokens, greedily, with a streamer for the time to its first token. Rounds alternate; only one
side works at a time. Rates are of tokens that were written, from the request to its end, prompt included. Both sides read prompts that nobody
read before. `--model` is a GGUF file.

    python benchmarks/chat.py --model SmolLM2-135M-Instruct.Q4_1.gguf --output benchmarks/results/chat.json
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from figures import Figure, write_figures
from salus.testing.running import RunningService

CLIENTS = 8
TOPICS = (
    "a fox",
    "the sea",
    "an old clock",
    "two brothers",
    "a lost letter",
    "the winter",
    "a small town",
    "a teacher",
)
ASKED = "Tell me a very long story about {topic}, number {number}. Describe every detail and do not stop."


@dataclass(frozen=True)
class Told:
    """One answer. first_s: until its first text; all_s: until its end."""

    tokens: int
    first_s: float
    all_s: float


def main() -> None:
    asked = arguments()
    if asked.bare:
        bare(asked.model, asked.threads)
        return
    prompts = [ASKED.format(topic=TOPICS[number % len(TOPICS)], number=number) for number in range(1000)]
    with tempfile.TemporaryDirectory(prefix="chat-") as scratch:
        service = RunningService(Path(scratch) / "home", settings={"engine_threads": asked.threads})
        service.up()
        try:
            figures = measure(asked, service, iter(prompts))
        finally:
            service.down()
    write_figures("chat", figures, asked.output)


def measure(asked: argparse.Namespace, service: RunningService, prompts: Iterator[str]) -> list[Figure]:
    with service.client() as client:
        client.import_model("model", asked.model, licence="as the file says")
        end = time.monotonic() + 600
        while client.deploy("model", "model", 1)["state"] != "ready":
            assert time.monotonic() < end, "the engine does not get ready"
            time.sleep(1)
        key = (service.home / "keys" / "owner.key").read_text().strip()
    ask = Asker(service.model_server_port, key, asked.tokens)
    with Bare(asked) as engine:
        ask.one("Warm up, please.")
        engine.one("Warm up, please.", 8)
        alone: list[Told] = []
        beside: list[Told] = []
        together: list[tuple[float, list[Told]]] = []
        for _ in range(asked.rounds):
            alone.append(ask.one(next(prompts)))
            beside.append(engine.one(next(prompts), asked.tokens))
            together.append(ask.many([next(prompts) for _ in range(CLIENTS)]))
    return figures_of(alone, beside, together)


def figures_of(alone: list[Told], beside: list[Told], together: list[tuple[float, list[Told]]]) -> list[Figure]:
    ours = [told.tokens / told.all_s for told in alone]
    bare_ = [told.tokens / told.all_s for told in beside]
    eight = [sum(told.tokens for told in round_) / seconds for seconds, round_ in together]
    ratios = [our / its for our, its in zip(ours, bare_, strict=True)]
    gains = [all_ / one for all_, one in zip(eight, ours, strict=True)]
    bar = "bar 0.95; median of the rounds' ratios"
    return [
        Figure("tokens a second, 1 client", median(ours), "1/s", None, ours),
        Figure("tokens a second, bare engine in-process", median(bare_), "1/s", "openvino_genai.LLMPipeline", bare_),
        Figure("ours over bare, 1 client", median(ratios), "", bar, ratios),
        Figure(f"tokens a second, {CLIENTS} clients together", median(eight), "1/s", None, eight),
        Figure(f"{CLIENTS} clients over 1", median(gains), "", "bar 1.5", gains),
        _first("time to the first token, 1 client", alone),
        _first("time to the first token, bare engine", beside),
        _first(f"time to the first token, {CLIENTS} clients", [told for _, round_ in together for told in round_]),
    ]


def _first(name: str, answers: list[Told]) -> Figure:
    times = [told.first_s * 1000 for told in answers]
    return Figure(name, median(times), "ms", None, times)


class Asker:
    """Streams conversations from the model server, each over a connection of its own."""

    def __init__(self, port: int, key: str, tokens: int):
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._tokens = tokens

    def one(self, prompt: str) -> Told:
        body = {
            "model": "model",
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": self._tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        started = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", json.dumps(body), self._headers)
        answer = connection.getresponse()
        first, tokens = 0.0, 0
        for line in answer:
            if not first and b'"content": "' in line and b'"role"' not in line:
                first = time.perf_counter() - started
            if b'"usage"' in line:
                tokens = json.loads(line[6:])["usage"]["completion_tokens"]
        told = Told(tokens, first, time.perf_counter() - started)
        connection.close()
        assert answer.status == 200 and tokens, "an answer"
        return told

    def many(self, prompts: list[str]) -> tuple[float, list[Told]]:
        """All at once: seconds until the last is over, and the answers."""
        answers: list[Told] = []
        threads = [
            threading.Thread(target=lambda prompt=prompt: answers.append(self.one(prompt))) for prompt in prompts
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - started, answers


class Bare:
    """The bare engine, in a process that does nothing else."""

    def __init__(self, asked: argparse.Namespace):
        words = ["--bare", "--model", str(asked.model), "--threads", str(asked.threads)]
        self._process = subprocess.Popen(
            [sys.executable, __file__, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Bare:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def one(self, prompt: str, tokens: int) -> Told:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([prompt, tokens]).encode() + b"\n")
        self._process.stdin.flush()
        return Told(**json.loads(self._process.stdout.readline()))


def bare(model: Path, threads: int) -> None:
    """In a process of its own: a prompt a line in, its figures out."""
    import openvino_genai as genai

    pipeline = genai.LLMPipeline(str(model), "CPU", **({"INFERENCE_NUM_THREADS": threads} if threads else {}))
    for line in sys.stdin:
        prompt, tokens = json.loads(line)
        config = genai.GenerationConfig()
        config.max_new_tokens = tokens
        started, first = time.perf_counter(), list[float]()

        def heard(_: str, started: float = started, first: list[float] = first) -> None:
            first.append(time.perf_counter() - started)

        history = genai.ChatHistory([{"role": "user", "content": prompt}])
        found = pipeline.generate(history, config, heard)
        all_s = time.perf_counter() - started
        written = int(found.perf_metrics.get_num_generated_tokens())
        print(json.dumps({"tokens": written, "first_s": first[0] if first else all_s, "all_s": all_s}), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--tokens", type=int, default=128, help="of every answer, at most")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="of either engine; 0: as many as there are")
    parser.add_argument("--output", type=Path, default=None)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
