"""How long starting takes: `salus up` to ready, the model server alone, deploy to first answer, `salus --help`, `import salus`; and what the
base install weighs.

`--install` also installs the base into a fresh environment (seconds, megabytes, and that no compiler was needed). Homes and ports are its own.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from statistics import median

from figures import Figure, write_figures

BARS = {
    "salus up to ready": 4.0,
    "model server alone": 1.0,
    "deploy to first answer": 1.0,
    "salus --help": 0.3,
    "import salus": 0.3,
}
BASE_BAR_MB = 350.0
ROOT = Path(__file__).parent.parent
SALUS = str(Path(sys.executable).parent / "salus")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--install", action="store_true", help="measure the base install too")
    parser.add_argument("--data", type=Path, help="not needed; taken so that all scripts can be called alike")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    runs: dict[str, list[float]] = {name: [] for name in BARS}
    for _ in range(asked.rounds):
        runs["salus --help"].append(seconds_of([SALUS, "--help"]))
        runs["import salus"].append(import_seconds())
        for name, value in service_seconds().items():
            runs[name].append(value)
    figures = [Figure(name, median(values), "s", f"bar {BARS[name]} s", values) for name, values in runs.items()]
    if asked.install:
        figures += base_install()
    write_figures("start", figures, asked.output)


def seconds_of(command: list[str], **environment: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)
    return time.perf_counter() - began


def import_seconds() -> float:
    """Of the import itself, without the interpreter's own start."""
    code = "import time; began = time.perf_counter(); import salus; print(time.perf_counter() - began)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def service_seconds() -> dict[str, float]:
    """One home from nothing: up, a model, another deploy, and the model server alone on what it kept."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        ports = {"SALUS_CONTROL_PORT": str(free_port()), "SALUS_MODEL_SERVER_PORT": str(free_port())}
        environment = {"SALUS_HOME": str(home), **ports}
        up_s = seconds_of([SALUS, "up", "--background"], **environment)
        try:
            launch = [SALUS, "launch", "sklearn:iris", "--target", "target", "--budget", "3s", "--learner", "linear"]
            seconds_of(launch, **environment)
            deploy_s = deploy_to_answer(home, ports)
        finally:
            seconds_of([SALUS, "down"], **environment)
        alone_s = model_server_alone(environment, ports["SALUS_MODEL_SERVER_PORT"])
    return {"salus up to ready": up_s, "deploy to first answer": deploy_s, "model server alone": alone_s}


def deploy_to_answer(home: Path, ports: dict[str, str]) -> float:
    """A fresh endpoint of a model that is there: PUT, then the first prediction."""
    from salus.core.settings import Settings
    from salus.sdk.client import Client

    settings = Settings.load(home=home, **{name.removeprefix("SALUS_").lower(): value for name, value in ports.items()})
    client = Client.local(settings)
    row = dict(client.endpoint("iris")["example"])
    began = time.perf_counter()
    client.deploy("again", "iris", 1)
    client.predict("again", [row])
    return time.perf_counter() - began


def model_server_alone(environment: dict[str, str], port: str) -> float:
    """Without the control plane, from its kept snapshot, until it answers that it is ready."""
    command = [sys.executable, "-m", "salus.programs.model_server"]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL)
    try:
        until(lambda: ready(int(port)))
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return bool(re.match(rb"HTTP/1.1 200", connection.recv(100)))
    except OSError:
        return False


def until(done: Callable[[], bool], limit_s: float = 30.0) -> None:
    began = time.perf_counter()
    while not done():
        if time.perf_counter() - began > limit_s:
            raise SystemExit("not ready in time")
        time.sleep(0.005)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def base_install() -> list[Figure]:
    """Into a fresh environment, wheels only: nothing may be compiled."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        before = megabytes(Path(folder))
        wheels = ["--only-binary", ":all:", "-c", str(ROOT / "constraints.txt")]
        install_s = seconds_of([*pip, *wheels, "--no-binary", "salus", str(ROOT)])
        size = megabytes(Path(folder)) - before
    return [
        Figure("base install", size, "MB", f"bar {BASE_BAR_MB} MB", [size]),
        Figure("base install", install_s, "s", None, [install_s]),
    ]


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*")) / 1e6


if __name__ == "__main__":
    main()
