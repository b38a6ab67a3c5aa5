"""SmolLM2-135M: tokens a second, and the weights read for them against the memory's speed.

Ours runs the GGUF's blocks as they lie in the store, llama.cpp those of the file; transformers with
torch has the same numbers as float32, from a folder that EXPORT MODEL wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
from harness import OURS, Row, markdown, run_alone, shortest_told
from model_files import SMOLLM, model_file
from models import THREADS, Peers, imported, model_of, with_models
from products import reading_speed

from hartonomous import hql
from hartonomous.hql.models.inference.loading import load
from hartonomous.hql.models.inference.network import Network
from hartonomous.hql.models.using import tokenizer_of

TITLE = "A language model"
TORCH, LLAMA, MEMORY = "transformers", "llama.cpp", "memory"
NEEDED = {
    LLAMA: ("llama_cpp_models.py", "llama_cpp"),
    TORCH: ("torch_models.py", "torch", "transformers"),
}
#: |Δ logit| by the largest |logit|: blocks times activations of 8 bits, float32
DIFFERENCE_MAX = {LLAMA: 0.05, TORCH: 1e-3}
#: tokens before the first that is decoded
PROMPT = 16
TEXT = """\
A database keeps what is known about the world in an order that can be asked for. Long before there
were computers, clerks kept ledgers, libraries kept catalogues and ships kept logs: agreements about
which facts are worth writing down, in which columns, and how they are found again. What changed is
how much can be kept, how fast it is found, and who may ask. What did not change is that somebody
has to say what a row means, and that a question which nobody thought of can still be answered.
"""

Timed = tuple[float, npt.NDArray[np.float32]]


class Ours:
    """The network, measured as the peers measure themselves (tests/peers)."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def prefill(self, tokens: Sequence[int]) -> Timed:
        start = time.perf_counter()
        logits = self.network.prefill(self.network.start(), tokens)
        return time.perf_counter() - start, logits

    def decode(self, tokens: Sequence[int], count: int) -> tuple[float, list[int]]:
        state = self.network.start()
        logits = self.network.prefill(state, tokens)
        chosen: list[int] = []
        start = time.perf_counter()
        for _ in range(count):
            chosen.append(int(logits.argmax()))
            logits = self.network.step([state], chosen[-1:])[0]
        return time.perf_counter() - start, chosen


@with_models(TITLE)
def benchmark(full: bool) -> str:
    count, lengths, repeat = (128, (128, 512), 5) if full else (8, (64,), 1)
    path = model_file(*SMOLLM)
    with ExitStack() as stack:
        database, root = stack.enter_context(imported(smollm=path))
        model = model_of(database, "smollm")
        network = load(model)
        assert isinstance(network, Network)
        ours = Ours(network)
        peers = Peers(stack, NEEDED)
        parameters = open_peers(peers, database, path, root)
        tokens = tokenizer_of(model).encode(TEXT * 10)[: max(lengths)]
        assert len(tokens) == max(lengths)
        differences = compare(ours, peers, tokens[: min(lengths)])

        def told(function: str, *arguments: object) -> dict[str, float]:
            runs: dict[str, Callable[[], float]] = {
                OURS: lambda: getattr(ours, function)(*arguments)[0]
            }
            for name, peer in peers.found.items():
                runs[name] = lambda peer=peer: peer.ask(function, *arguments)[0]
            return shortest_told(runs, repeat)

        decoded = told("decode", tokens[:PROMPT], count)
        rows = [rates(f"decode, {count} tokens after {PROMPT}", decoded, count, goals("decode"))]
        for length in lengths:
            found = told("prefill", tokens[:length])
            rows.append(rates(f"prefill of {length} tokens", found, length, goals("prefill")))
        statement = shortest_told({OURS: lambda: generate(database, count)}, repeat)
        what = "GENERATE, the statement, a short prompt read as well"
        rows.append(Row(what, {OURS: 1 / statement[OURS]}, "tokens/s", "", "more"))
        read = dict.fromkeys((OURS, LLAMA), model.bytes) | {TORCH: 4 * parameters}
        speeds = {name: read[name] * count / s / 1e9 for name, s in decoded.items()}
        speeds[MEMORY] = reading_speed(repeat=20) / 1e9
        rows.append(Row("weights read when decoding", speeds, "GB/s", "", "more"))
        limit = speeds[MEMORY] * 1e9 / model.bytes
        note = (
            f"A token reads {model.bytes / 1e6:.1f} MB of weights, keys and values not counted; "
            "memory is read here, by sums of integers, at a speed that allows no more than "
            f"{limit:.0f} tokens a second. The most likely token is taken each time. "
            f"{differences}{peers.note()}"
        )
    return markdown(TITLE, rows, note)


def open_peers(peers: Peers, database: hql.Connection, path: Path, root: Path) -> int:
    """Opens the model there; how many parameters it has."""
    if LLAMA in peers.found:
        peers.found[LLAMA].ask("open_model", str(path), THREADS, 1024, False)
    if TORCH not in peers.found:
        return 0
    folder = root / "exported"
    database.execute(f"EXPORT MODEL smollm TO '{folder}' FORMAT SAFETENSORS")
    peers.found[TORCH].ask("use_threads", THREADS)
    parameters: int = peers.found[TORCH].ask("open_causal", str(folder))
    return parameters


def compare(ours: Ours, peers: Peers, tokens: Sequence[int]) -> str:
    """Asserts that logits agree as far as they can, and says how far."""
    expected = ours.prefill(tokens)[1]
    said = []
    for name, peer in peers.found.items():
        found = peer.ask("prefill", tokens)[1]
        difference = float(np.abs(found - expected).max() / np.abs(expected).max())
        assert difference <= DIFFERENCE_MAX[name], (name, difference)
        said.append(f"{difference:.1g} ({name})")
    return f"Logits differ from ours by {', '.join(said)} of the largest. " if said else ""


def generate(database: hql.Connection, count: int) -> float:
    """Seconds for each token of a statement."""
    text = f"SELECT TokenCount FROM GENERATE('smollm', @prompt, @max_tokens = {count})"
    start = time.perf_counter()
    ((made,),) = database.execute(text, {"prompt": TEXT[:80]}).fetchall()
    return (time.perf_counter() - start) / made


def goals(what: str) -> str:
    if what == "decode":
        return f"0.5 × {LLAMA}, stretch 0.8; 3 × {TORCH}"
    return f"1 × {LLAMA}"


def rates(what: str, found: dict[str, float], count: int, goal: str) -> Row:
    return Row(what, {n: count / s for n, s in found.items()}, "tokens/s", goal, "more")


if __name__ == "__main__":
    run_alone(benchmark)
