"""Small bundles with graphs made by hand, snapshots of them, and a model server as a process."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from salus.bundle.sign import Signer
from salus.bundle.write import write_bundle
from salus.core.nouns import Column, Role, Schema
from salus.core.wire import digest
from salus.programs.locks import prepare_home, read_holder
from salus.serving.snapshot import seal

LEVELS = ["cat", "dog", "frog"]
TOKEN = "salus_owner-of-one"
OTHER_TOKEN = "salus_owner-of-two"
PREDICT_TOKEN = "salus_predict-only"
READ_TOKEN = "salus_read-only"


def table_graph(shift: float) -> bytes:
    """numbers (B, 2) -> probabilities (B, 3): a linear layer whose bias leans to one label."""
    weight = numpy_helper.from_array(np.array([[1, 0, 0], [0, 1, 0]], np.float32), "weight")
    bias = numpy_helper.from_array(np.array([0, 0, shift], np.float32), "bias")
    nodes = [
        helper.make_node("IsNaN", ["numbers"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "numbers"], ["filled"]),
        helper.make_node("Gemm", ["filled", "weight", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    zero = numpy_helper.from_array(np.array(0, np.float32), "zero")
    return _model(nodes, ("numbers", TensorProto.FLOAT, ["B", 2]), [weight, bias, zero])


def picture_graph() -> bytes:
    """image_0 (B, 8, 8, 3) -> probabilities (B, 3): the mean of each channel."""
    nodes = [
        helper.make_node("Cast", ["image_0"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["means"], keepdims=0),
        helper.make_node("Div", ["means", "scale"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    axes = numpy_helper.from_array(np.array([1, 2], np.int64), "axes")
    scale = numpy_helper.from_array(np.array(25, np.float32), "scale")
    return _model(nodes, ("image_0", TensorProto.UINT8, ["B", 8, 8, 3]), [axes, scale])


def slow_graph() -> bytes:
    """As the table's, with enough multiplications on the way that a row takes tens of milliseconds."""
    size = 900
    big = numpy_helper.from_array(np.full((size, size), 1e-4, np.float32), "big")
    start = numpy_helper.from_array(np.full((2, size), 1e-4, np.float32), "start")
    weight = numpy_helper.from_array(np.full((size, 3), 1e-4, np.float32), "weight")
    nodes = [helper.make_node("MatMul", ["numbers", "start"], ["h0"])]
    steps = 60
    for step in range(steps):
        nodes.append(helper.make_node("MatMul", [f"h{step}", "big"], [f"m{step}"]))
        nodes.append(helper.make_node("Tanh", [f"m{step}"], [f"h{step + 1}"]))
    nodes.append(helper.make_node("MatMul", [f"h{steps}", "weight"], ["scores"]))
    nodes.append(helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1))
    return _model(nodes, ("numbers", TensorProto.FLOAT, ["B", 2]), [big, start, weight])


def _model(nodes: list[Any], feed: tuple[str, int, list[Any]], weights: list[Any]) -> bytes:
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", 3]) for name in ("probabilities", "scores")]
    graph = helper.make_graph(nodes, "main", [helper.make_tensor_value_info(*feed)], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def table_schema() -> Schema:
    state = {"low": 0.0, "high": 10.0, "integer": False, "missing": True}
    columns = [Column(name=name, kind="number", state=state) for name in ("age", "weight")]
    return Schema(columns=(*columns, target()), task="multiclass-classification")


def picture_schema() -> Schema:
    state = {"height": 8, "width": 8, "channels": 3}
    return Schema(columns=(Column(name="image", kind="image", state=state), target()), task="image-classification")


def target() -> Column:
    return Column(name="label", kind="category", role=Role.TARGET, state={"levels": LEVELS})


def make_bundle(folder: Path, signer: Signer | None, schema: Schema, graph: bytes) -> dict[str, Path]:
    """The files of a bundle by their names, as a snapshot lists them."""
    from salus.inference.examples import make_examples

    assert schema.task is not None
    write_bundle(
        folder,
        task=schema.task,
        schema=schema,
        outputs=("probabilities", "scores"),
        graphs={"main": graph},
        examples={"rows": make_examples(schema, 20, seed=0), "answers": {}},
        report={},
        signer=signer,
    )
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def picture(colour: tuple[int, int, int], form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(stream, form)
    return stream.getvalue()


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Home:
    """A home with a signing key, bundles and snapshots whose sequence goes up by itself."""

    def __init__(self, path: Path):
        self.path = path
        prepare_home(path)
        self.signer = Signer.create(path / "keys" / "signing.pem")
        self.sequence = 0
        self.bundles = 0
        self.keys = [
            self.key(TOKEN, "one", ["owner"]),
            self.key(OTHER_TOKEN, "two", ["owner"]),
            self.key(PREDICT_TOKEN, "one", ["predict"]),
            self.key(READ_TOKEN, "one", ["read"]),
        ]

    @staticmethod
    def key(token: str, project: str, scopes: list[str], expires: str | None = None) -> dict[str, Any]:
        fields = {"id": f"key_{token[-4:]}", "hash": digest(token.encode()), "project": project}
        return {**fields, "scopes": scopes, "expires": expires}

    def bundle(self, schema: Schema, graph: bytes, signer: Signer | None = None) -> dict[str, Path]:
        self.bundles += 1
        return make_bundle(self.path / f"bundle{self.bundles}", signer or self.signer, schema, graph)

    def table(self, shift: float = 0.0) -> dict[str, Path]:
        return self.bundle(table_schema(), table_graph(shift))

    def endpoint(self, name: str, files: Mapping[str, Path], version: int = 1, project: str = "one") -> dict[str, Any]:
        shown = {file: str(path) for file, path in files.items()}
        return {"project": project, "name": name, "model": "pets", "version": version, "files": shown}

    def snapshot(self, *endpoints: dict[str, Any], **changes: Any) -> bytes:
        self.sequence += 1
        issued = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        content = {
            "format": 1,
            "issued": issued,
            "sequence": self.sequence,
            "keys": self.keys,
            "endpoints": list(endpoints),
            "limits": {},
        }
        return seal({**content, **changes}, self.signer)


class Running:
    """A model server process."""

    def __init__(self, home: Home, process: subprocess.Popen[bytes], port: int):
        self.home = home
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.local = home.path / "run" / "model-server.sock"

    def push(self, document: bytes) -> httpx2.Response:
        transport = httpx2.HTTPTransport(uds=str(self.local))
        with httpx2.Client(transport=transport, timeout=30, trust_env=False) as client:
            return client.post("http://local/snapshot", content=document)

    def client(self, token: str | None = TOKEN) -> httpx2.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def raw(self, *pieces: bytes, timeout_s: float = 10) -> bytes:
        """Everything that comes back for these bytes until the server closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            for piece in pieces:
                connection.sendall(piece)
            received = b""
            while True:
                try:
                    piece = connection.recv(65536)
                except TimeoutError:
                    return received
                if not piece:
                    return received
                received += piece
                if complete(received) and b"connection: close" not in received.lower():
                    return received


def complete(received: bytes) -> bool:
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


@contextmanager
def running(
    home: Home,
    parent_fd: int | None = None,
    program: Sequence[str] = ("-m", "salus.programs.model_server"),
    **settings: Any,
) -> Iterator[Running]:
    environment = os.environ | {"SALUS_HOME": str(home.path), "SALUS_MODEL_SERVER_PORT": "0"}
    environment |= {f"SALUS_{name.upper()}": str(value) for name, value in settings.items()}
    if parent_fd is not None:
        environment["SALUS_PARENT_FD"] = str(parent_fd)
    with (home.path / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *program],
            env=environment,
            stdout=log,
            stderr=log,
            pass_fds=() if parent_fd is None else (parent_fd,),
        )
    try:
        yield Running(home, process, _port_of(home, process))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port_of(home: Home, process: subprocess.Popen[bytes]) -> int:
    for _ in range(400):
        holder = read_holder(home.path, "model_server") or {}
        if holder.get("ready") and holder.get("pid") == process.pid:
            return int(holder["port"])
        assert process.poll() is None, (home.path / "server.log").read_text()
        time.sleep(0.05)
    raise AssertionError("the model server did not start")


def rows(*pairs: tuple[float, float]) -> bytes:
    return json.dumps({"rows": [{"age": age, "weight": weight} for age, weight in pairs]}).encode()
