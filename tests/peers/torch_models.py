"""torch and transformers as a peer, in float32: language models, and encoders with their pooling.

Runs under another Python, see process.py. Seconds are those of the work alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from serving import serve

_open: dict[str, Any] = {}


def versions() -> dict[str, str]:
    return {"torch": str(torch.__version__), "transformers": transformers.__version__}


def use_threads(count: int) -> None:
    torch.set_num_threads(count)


# --- language models -----------------------------------------------------------------------------


def open_causal(folder: str) -> int:
    """Opens an exported folder; how many parameters it has, tied ones once."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    _open["causal"] = model
    return sum(p.numel() for p in model.parameters())


def tokens_of(folder: str, text: str) -> list[int]:
    """What the folder's tokenizer makes of a text."""
    return transformers.AutoTokenizer.from_pretrained(folder).encode(text)


def logits(tokens: Sequence[int]) -> np.ndarray:
    """float32[T,V]"""
    with torch.inference_mode():
        return _open["causal"](torch.tensor([list(tokens)])).logits[0].numpy()


def prefill(tokens: Sequence[int]) -> tuple[float, np.ndarray]:
    """Seconds until the logits after the last token are there, and these, float32[V]."""
    given = torch.tensor([list(tokens)])
    with torch.inference_mode():
        start = time.perf_counter()
        found = _open["causal"](given, use_cache=True, logits_to_keep=1).logits[0, -1].numpy()
        return time.perf_counter() - start, found


def decode(tokens: Sequence[int], count: int) -> tuple[float, list[int]]:
    """Seconds of `count` steps after a prompt, the most likely token each, and these tokens."""
    model = _open["causal"]
    with torch.inference_mode():
        out = model(torch.tensor([list(tokens)]), use_cache=True, logits_to_keep=1)
        chosen = []
        start = time.perf_counter()
        for _ in range(count):
            best = out.logits[:, -1].argmax(-1, keepdim=True)
            chosen.append(int(best))
            out = model(best, past_key_values=out.past_key_values, use_cache=True)
        return time.perf_counter() - start, chosen


# --- encoders ------------------------------------------------------------------------------------


def open_encoder(folder: str) -> None:
    _open["encoder"] = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()


def encode(tokens: np.ndarray, calls: int) -> tuple[float, np.ndarray]:
    """Seconds of a call with int64[B,T] of full length, and float32[B,D] of length 1."""
    given = torch.from_numpy(tokens)
    mask = torch.ones_like(given)
    with torch.inference_mode():
        start = time.perf_counter()
        for _ in range(calls):
            rows = _open["encoder"](given, attention_mask=mask).last_hidden_state
            vectors = torch.nn.functional.normalize(rows.mean(1), dim=1)
        return (time.perf_counter() - start) / calls, vectors.numpy()


def sentence_vectors(folder: str, sentences: Sequence[str]) -> np.ndarray:
    """float32[N,D]: what sentence-transformers makes of the folder, pooling and all."""
    import sentence_transformers

    model = sentence_transformers.SentenceTransformer(folder, device="cpu")
    return model.encode(list(sentences), convert_to_numpy=True)


def export_onnx(path: str) -> None:
    """The open encoder as an ONNX file: tokens and mask in, the last hidden state out."""
    given = torch.ones((2, 8), dtype=torch.int64)
    torch.onnx.export(
        _Rows(_open["encoder"]).eval(),
        (given, given),
        path,
        input_names=["tokens", "mask"],
        output_names=["rows"],
        dynamic_axes={n: {0: "batch", 1: "length"} for n in ("tokens", "mask", "rows")},
        dynamo=False,
    )


class _Rows(torch.nn.Module):
    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.encoder(tokens, attention_mask=mask).last_hidden_state


if __name__ == "__main__":
    serve(
        versions,
        use_threads,
        open_causal,
        tokens_of,
        logits,
        prefill,
        decode,
        open_encoder,
        encode,
        sentence_vectors,
        export_onnx,
    )
