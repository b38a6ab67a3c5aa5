"""onnxruntime as a peer: an encoder that torch_models.export_onnx wrote. See process.py."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import onnxruntime
from serving import serve

_open: dict[str, Any] = {}


def versions() -> dict[str, str]:
    return {"onnxruntime": onnxruntime.__version__}


def open_encoder(path: str, threads: int) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    _open["session"] = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])


def encode(tokens: np.ndarray, calls: int) -> tuple[float, np.ndarray]:
    """As torch_models.encode."""
    given = {"tokens": tokens, "mask": np.ones_like(tokens)}
    start = time.perf_counter()
    for _ in range(calls):
        vectors = _open["session"].run(["rows"], given)[0].mean(axis=1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return (time.perf_counter() - start) / calls, vectors


if __name__ == "__main__":
    serve(versions, open_encoder, encode)
