"""The process of a `ProcessEngine`: reads frames, runs the engine inside, answers. Ends when its input ends.

`python -I -m salus.inference.engines.child ENGINE MEMORY_BYTES`
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from salus.core.errors import SalusError
from salus.inference.engines import new_engine
from salus.inference.engines.base import Engine
from salus.inference.engines.frames import described, raw, read_frame, restored, write_frame
from salus.inference.limits import limit_memory, no_core_dumps, private_output


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this decides when it ends
    no_core_dumps()
    source, sink = sys.stdin.buffer, private_output()
    engine = new_engine(arguments[0])
    limit_memory(int(arguments[1]))
    while True:
        try:
            header, parts = read_frame(source)
        except EOFError:
            return
        try:
            answer, contents = _do(engine, header, parts)
        except SalusError as error:
            answer, contents = {"error": error.to_json()}, []
        except MemoryError:
            found = f"it needs more than {arguments[1]} bytes of memory"
            answer, contents = {"error": SalusError("engine_failed", found=found).to_json()}, []
        write_frame(sink, answer, contents)


def _do(engine: Engine, header: dict[str, Any], parts: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    if header["do"] == "load":
        engine.load(dict(zip(header["names"], parts, strict=True)), header["threads"])
        return {"outputs": {name: engine.outputs(name) for name in header["names"]}}, []
    assert header["do"] == "run"
    feeds = {d["name"]: restored(d, content) for d, content in zip(header["feeds"], parts, strict=True)}
    arrays = engine.run(header["graph"], feeds, header["outputs"])
    return {"arrays": [described(array) for array in arrays]}, [raw(array) for array in arrays]


if __name__ == "__main__":
    main(sys.argv[1:])
