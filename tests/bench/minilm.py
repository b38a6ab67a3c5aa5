"""all-MiniLM-L6-v2: sentences a second, against torch and onnxruntime in float32."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
from harness import OURS, Row, markdown, run_alone, shortest_told
from model_files import MINILM, model_folder
from models import THREADS, Peers, imported, model_of, with_models

from hartonomous.hql.models.inference.encoding import encode
from hartonomous.hql.models.inference.loading import load
from hartonomous.hql.models.inference.network import Network

TITLE = "An encoder"
TORCH, ONNX = "torch", "onnxruntime"
NEEDED = {
    TORCH: ("torch_models.py", "torch", "transformers"),
    ONNX: ("onnx_models.py", "onnxruntime"),
}
#: |Δ| of a coordinate of a vector of length 1
DIFFERENCE_MAX = 1e-5
BATCHES = (1, 32)
LENGTHS = (32, 128)
#: tokens of one measurement, at least: several calls of a small batch
TOKENS = 32 * 128

Timed = tuple[float, npt.NDArray[np.float32]]


@with_models(TITLE)
def benchmark(full: bool) -> str:
    repeat = 10 if full else 1
    folder = model_folder(*MINILM)
    rows: list[Row] = []
    with ExitStack() as stack:
        database, root = stack.enter_context(imported(minilm=folder))
        network = load(model_of(database, "minilm"))
        assert isinstance(network, Network)
        peers = Peers(stack, NEEDED)
        said = open_peers(peers, folder, root)
        for batch in BATCHES:
            for length in LENGTHS:
                tokens = sentences(batch, length)
                calls = max(1, (TOKENS if full else 128) // tokens.size)
                found = compare(network, peers, tokens, calls, repeat)
                figures = {name: batch / seconds for name, seconds in found.items()}
                what = f"{batch} × {length} tokens"
                goal = f"1 × {TORCH}, stretch 1 × {ONNX}"
                rows.append(Row(what, figures, "sentences/s", goal, "more"))
        note = (
            "Tokens to vectors of length 1, pooling included, tokenizing not; all sentences of a "
            f"call are of one length, so nobody pads. {said}{peers.note()}"
        )
    return markdown(TITLE, rows, note)


def sentences(batch: int, length: int) -> npt.NDArray[np.int64]:
    """int64[B,T]: words drawn between the tokens that begin and end a text."""
    tokens = np.random.default_rng(0).integers(1996, 30_000, (batch, length))
    tokens[:, 0], tokens[:, -1] = 101, 102
    return tokens


def open_peers(peers: Peers, folder: Path, root: Path) -> str:
    """Opens the model there; what is to be said of it. onnxruntime runs what torch exports."""
    if TORCH not in peers.found:
        return "" if peers.found.pop(ONNX, None) is None else "No ONNX file without torch. "
    torch = peers.found[TORCH]
    torch.ask("use_threads", THREADS)
    torch.ask("open_encoder", str(folder))
    if ONNX not in peers.found:
        return ""
    path = str(root / "minilm.onnx")
    torch.ask("export_onnx", path)
    peers.found[ONNX].ask("open_encoder", path, THREADS)
    return "onnxruntime runs torch's export, all its optimizations on. "


def compare(
    network: Network, peers: Peers, tokens: npt.NDArray[np.int64], calls: int, repeat: int
) -> dict[str, float]:
    """Seconds of a call, the vectors compared once."""
    texts = tokens.tolist()

    def ours() -> Timed:
        start = time.perf_counter()
        for _ in range(calls):
            vectors = encode(network, texts)
        return (time.perf_counter() - start) / calls, vectors

    expected = ours()[1]
    runs: dict[str, Callable[[], float]] = {OURS: lambda: ours()[0]}
    for name, peer in peers.found.items():
        found = peer.ask("encode", tokens, calls)[1]
        difference = float(np.abs(found - expected).max())
        assert difference <= DIFFERENCE_MAX, (name, tokens.shape, difference)
        runs[name] = lambda peer=peer: peer.ask("encode", tokens, calls)[0]
    return shortest_told(runs, repeat)


if __name__ == "__main__":
    run_alone(benchmark)
