"""llama.cpp as a peer, through llama-cpp-python: GGUF files as they are. See process.py."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import llama_cpp
import numpy as np
from serving import serve

_open: dict[str, Any] = {}


def versions() -> dict[str, str]:
    return {"llama-cpp-python": llama_cpp.__version__}


def open_model(path: str, threads: int, context: int, is_encoder: bool) -> None:
    _open["model"] = llama_cpp.Llama(
        path,
        n_ctx=context,
        n_batch=512,
        n_ubatch=512,
        n_threads=threads,
        n_threads_batch=threads,
        embedding=is_encoder,
        verbose=False,
    )


def tokens_of(text: str) -> list[int]:
    """What the file's tokenizer makes of a text."""
    return _open["model"].tokenize(text.encode(), add_bos=False, special=True)


def prefill(tokens: Sequence[int]) -> tuple[float, np.ndarray]:
    """Seconds until the logits after the last token are there, and these, float32[V]."""
    model = _open["model"]
    model.reset()
    start = time.perf_counter()
    model.eval(list(tokens))
    found = _last_logits(model)
    return time.perf_counter() - start, found.copy()


def decode(tokens: Sequence[int], count: int) -> tuple[float, list[int]]:
    """Seconds of `count` steps after a prompt, the most likely token each, and these tokens."""
    model = _open["model"]
    model.reset()
    model.eval(list(tokens))
    chosen = []
    start = time.perf_counter()
    for _ in range(count):
        chosen.append(int(_last_logits(model).argmax()))
        model.eval(chosen[-1:])
    _last_logits(model)
    return time.perf_counter() - start, chosen


def _last_logits(model: Any) -> np.ndarray:
    """float32[V]; waits until they are computed."""
    found = llama_cpp.llama_get_logits_ith(model.ctx, -1)
    return np.ctypeslib.as_array(found, (model.n_vocab(),))


def sentence_vectors(sentences: Sequence[str]) -> np.ndarray:
    """float32[N,D] of an encoder, pooled as the file says, of length 1."""
    return np.array([_open["model"].embed(s, normalize=True) for s in sentences], np.float32)


if __name__ == "__main__":
    serve(versions, open_model, tokens_of, prefill, decode, sentence_vectors)
