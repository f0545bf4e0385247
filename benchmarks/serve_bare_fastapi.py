"""The peer of serve.py: the shortest FastAPI route that answers a picture with ONNX Runtime. No key, no checks, no counts.

It is given every advantage: the raw body instead of a form, the pass on the event loop (a `def` route pays a thread for
each request), uvloop and httptools, no access log. Runs in an environment with fastapi, uvicorn[standard], onnxruntime,
pillow, numpy: `python serve_bare_fastapi.py GRAPH PORT`.
"""

from __future__ import annotations

import io
import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request
from PIL import Image

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict[str, object]:
    picture = Image.open(io.BytesIO(await request.body())).convert("RGB")
    probabilities = session.run(["probabilities"], {"image_0": np.asarray(picture)[None]})[0][0]
    return {"label": int(probabilities.argmax()), "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), loop="uvloop", http="httptools", log_level="error")
