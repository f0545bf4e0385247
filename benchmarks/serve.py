"""Answers a second of the model server, with key, validation, metrics and request ids, against the shortest FastAPI route
without any of them (serve_bare_fastapi.py).

One 32x32 picture a request over 16 connections; wrk on one processor, the server on another, each server alone in its
turn; rounds alternate and the medians are compared. The processor time that the server took for an answer is told beside
the rate, since it is the same on a busy machine. `--peer-python` is a Python that has fastapi, uvicorn, uvloop,
httptools, onnxruntime, pillow and numpy; without it only our own figures are measured. Needs `wrk` and Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from PIL import Image

from figures import Figure, write_figures
from salus.bundle.sign import Signer
from salus.bundle.write import write_bundle
from salus.core.nouns import Column, Role, Schema
from salus.core.wire import digest
from salus.programs.locks import prepare_home, read_holder
from salus.serving.pool import Pool
from salus.serving.snapshot import seal

TOKEN = "salus_benchmark"  # noqa: S105
LEVELS = [f"class-{number}" for number in range(10)]
CONNECTIONS = 16
WRK_PROCESSOR, SERVER_PROCESSOR = "0", "1"
WRK_SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "{kind}"
wrk.headers["Authorization"] = "Bearer {token}"
"""


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        bundle = asked.bundle or make_bundle(work / "bundle")
        home = make_home(work / "home", bundle)
        for form in ("PNG", "JPEG"):
            (work / form).write_bytes(picture(form))
            write_script(work / f"{form}.lua", work / form, f"image/{form.lower()}")
        runs = measure(asked, work, home, bundle / "graphs" / "main.onnx")
    handovers = [asyncio.run(handover_us()) for _ in range(asked.rounds)]
    figures = [figure for form in ("PNG", "JPEG") for figure in compare(form, runs)]
    figures.append(Figure("thread handover", median(handovers), "us", None, handovers))
    write_figures("serve", figures, asked.output)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", type=Path, help="Python of the peer's environment")
    parser.add_argument("--bundle", type=Path, help="folder of a bundle that takes one 32x32 picture")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="not needed; taken so that all scripts can be called alike")
    parser.add_argument("--seconds", type=int, default=5, help="of one measurement")
    parser.add_argument("--output", type=Path, help="file for the figures; printed in any case")
    asked = parser.parse_args()
    if shutil.which("wrk") is None or shutil.which("taskset") is None:
        parser.error("wrk and taskset are needed")
    return asked


def measure(asked: argparse.Namespace, work: Path, home: Path, graph: Path) -> dict[str, list[dict[str, float]]]:
    runs: dict[str, list[dict[str, float]]] = {}
    for round_number in range(asked.rounds):
        servers = [("salus", ours(home))]
        if asked.peer_python:
            servers.append(("bare", bare(asked.peer_python, graph)))
        for name, server in servers if round_number % 2 == 0 else servers[::-1]:
            with server as (address, pid):
                for form in ("PNG", "JPEG"):
                    load(address, pid, work / f"{form}.lua", 1)
                    run = load(address, pid, work / f"{form}.lua", asked.seconds)
                    runs.setdefault(f"{name} {form}", []).append(run)
    return runs


async def handover_us(times: int = 2000) -> float:
    """What it costs to have nothing done by a thread of the pool and to come back."""
    pool = Pool(1)
    await pool.submit(lambda: None)
    started = time.perf_counter()
    for _ in range(times):
        await pool.submit(lambda: None)
    seconds = time.perf_counter() - started
    pool.close()
    return 1e6 * seconds / times


def compare(form: str, runs: dict[str, list[dict[str, float]]]) -> list[Figure]:
    mine, peer = runs[f"salus {form}"], runs.get(f"bare {form}")
    figures = []
    for name, what, unit in (
        ("answers", "rate", "1/s"),
        ("99th percentile", "p99_ms", "ms"),
        ("processor time an answer", "busy_us", "us"),
    ):
        values = [run[what] for run in mine]
        against = None if peer is None else f"bare FastAPI {median(run[what] for run in peer):.5g}"
        figures.append(Figure(f"{form}: {name}", median(values), unit, against, values))
    if peer is not None:
        ratios = [run["rate"] / other["rate"] for run, other in zip(mine, peer, strict=True)]
        ratio = median(run["rate"] for run in mine) / median(run["rate"] for run in peer)
        figures.append(Figure(f"{form}: answers against bare FastAPI", ratio, "x", ">= 0.8", ratios))
    return figures


def load(address: str, pid: int, script: Path, seconds: int) -> dict[str, float]:
    server = psutil.Process(pid)
    before = server.cpu_times()
    seen = asked_for(address, script, CONNECTIONS, seconds)
    after = server.cpu_times()
    busy_s = after.user + after.system - before.user - before.system
    return {"rate": seen["rate"], "p99_ms": seen["p99_ms"], "busy_us": 1e6 * busy_s / seen["requests"]}


def write_script(script: Path, body: Path, kind: str) -> None:
    """What wrk sends: the bytes of `body`, of this content type, with the key."""
    script.write_text(WRK_SCRIPT.format(body=body, kind=kind, token=TOKEN), encoding="utf-8")


def asked_for(address: str, script: Path, connections: int, seconds: int) -> dict[str, float]:
    """wrk's requests, their rate a second, and the times under which a half and 99 % of them were answered."""
    command = ["taskset", "-c", WRK_PROCESSOR, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
    command += ["--latency", "-s", str(script), address]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"the server did not answer all requests:\n{output}")
    rate, requests = re.search(r"Requests/sec:\s+([\d.]+)", output), re.search(r"(\d+) requests in", output)
    assert rate and requests, output
    return {
        "rate": float(rate[1]),
        "requests": float(requests[1]),
        "p50_ms": _delay_ms(output, 50),
        "p99_ms": _delay_ms(output, 99),
    }


def _delay_ms(output: str, percent: int) -> float:
    delay = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", output)
    assert delay, output
    return float(delay[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[delay[2]]


@contextmanager
def ours(home: Path) -> Iterator[tuple[str, int]]:
    environment = os.environ | {"SALUS_HOME": str(home), "SALUS_MODEL_SERVER_PORT": "0"}
    with started([sys.executable, "-m", "salus.programs.model_server"], environment) as process:
        holder: dict[str, Any] = {}
        while holder.get("pid") != process.pid or not holder.get("ready"):
            time.sleep(0.05)
            holder = read_holder(home, "model_server") or {}
        wait(f"http://127.0.0.1:{holder['port']}/readyz")
        yield f"http://127.0.0.1:{holder['port']}/endpoints/pictures/predict", process.pid


@contextmanager
def bare(python: Path, graph: Path) -> Iterator[tuple[str, int]]:
    script = Path(__file__).with_name("serve_bare_fastapi.py")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with started([str(python), str(script), str(graph), "8479"], environment) as process:
        wait("http://127.0.0.1:8479/openapi.json")
        yield "http://127.0.0.1:8479/predict", process.pid


@contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_PROCESSOR, *command], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def wait(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{address} does not answer")


def make_home(home: Path, bundle: Path) -> Path:
    prepare_home(home)
    key = bundle.parent / "signing.pem"
    if key.exists():
        (home / "keys" / "signing.pem").write_bytes(key.read_bytes())
        (home / "keys" / "signing.pem").chmod(0o600)
    signer = Signer.load(home / "keys" / "signing.pem")
    files = {path.relative_to(bundle).as_posix(): str(path) for path in bundle.rglob("*") if path.is_file()}
    endpoint = {"project": "default", "name": "pictures", "model": "pictures", "version": 1, "files": files}
    key_row = {"id": "key_1", "hash": digest(TOKEN.encode()), "project": "default", "scopes": ["predict"]}
    snapshot = {
        "format": 1,
        "issued": time.time(),
        "sequence": 1,
        "keys": [key_row],
        "endpoints": [endpoint],
        "limits": {},
    }
    (home / "snapshot.json").write_bytes(seal(snapshot, signer))
    return home


def make_bundle(folder: Path) -> Path:
    signer = Signer.create(folder.parent / "signing.pem")
    state = {"height": 32, "width": 32, "channels": 3}
    columns = (
        Column(name="image", kind="image", state=state),
        Column(name="label", kind="category", role=Role.TARGET, state={"levels": LEVELS}),
    )
    write_bundle(
        folder,
        task="image-classification",
        schema=Schema(columns=columns, task="image-classification"),
        outputs=("probabilities",),
        graphs={"main": small_network()},
        examples={},
        report={},
        signer=signer,
    )
    return folder


def small_network() -> bytes:
    """A convolutional network of the size that CIFAR-10 is learned with in minutes: 94,000 weights, three stages."""
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    weights = [numpy_helper.from_array(np.array(255, np.float32), "scale")]
    nodes = [
        helper.make_node("Cast", ["image_0"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["x0"], perm=[0, 3, 1, 2]),
    ]
    for stage, (taken, given) in enumerate([(3, 32), (32, 64), (64, 128)]):
        weight = generator.normal(0, (2 / (9 * taken)) ** 0.5, (given, taken, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{stage}"))
        stride = 1 if stage == 0 else 2
        nodes += [
            helper.make_node("Conv", [f"x{stage}", f"w{stage}"], [f"c{stage}"], pads=[1] * 4, strides=[stride] * 2),
            helper.make_node("Relu", [f"c{stage}"], [f"r{stage}"]),
            helper.make_node("MaxPool", [f"r{stage}"], [f"x{stage + 1}"], kernel_shape=[2, 2], strides=[2, 2]),
        ]
    weights.append(numpy_helper.from_array(generator.normal(0, 0.1, (128, 10)).astype(np.float32), "head"))
    nodes += [
        helper.make_node("GlobalAveragePool", ["x3"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "main",
        [helper.make_tensor_value_info("image_0", TensorProto.UINT8, ["B", 32, 32, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["B", 10])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def picture(form: str) -> bytes:
    """A smooth picture of the size of CIFAR-10's, compressed as such pictures are."""
    coarse = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC).save(stream, form)
    return stream.getvalue()


if __name__ == "__main__":
    main()
