"""Products of a model's stored matrices: those of one token, and of 128, of a SmolLM2-135M.

The shapes and dtypes are the model's, the numbers are not. The peer is NumPy over the same weights
as float32, which is what a framework without kernels over blocks does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from harness import OURS, Row, markdown, run_alone, shortest

from hartonomous.kernels.blocks import row_bytes
from hartonomous.kernels.matvec import Prepared, multiply, multiply_rows, prepare, stack
from hartonomous.kernels.quantize import dequantise, quantise
from hartonomous.kernels.quantize_reference import DEQUANTISE

PEER = "NumPy float32"
WIDTH, KEYS, MLP, VOCABULARY, LAYERS = 576, 192, 1536, 49_152, 30
#: matrices of a layer that multiply the same vector, as (rows each, length)
LAYER = (((WIDTH, KEYS, KEYS), WIDTH), ((WIDTH,), WIDTH), ((MLP, MLP), WIDTH), ((WIDTH,), MLP))
TOKENS = 128

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Product:
    """One call: the matrices, the same as float32, and how many bytes it reads."""

    stored: Prepared
    wide: Floats

    @property
    def size(self) -> int:
        return sum(data.nbytes for _, data in self.stored.matrices)


def make(dtype: str, rows: Iterable[int], length: int) -> Product:
    parts = []
    for count in rows:
        numbers = np.random.default_rng(count).standard_normal((count, length), np.float32)
        parts.append((quantise(dtype, numbers), dtype))
    wide = np.vstack([dequantise(dtype, data, length) for data, dtype in parts])
    return Product(stack([prepare(dtype, data, length) for data, dtype in parts]), wide)


def model(layers: int) -> list[Product]:
    made = [make("Q4_1", rows, length) for _ in range(layers) for rows, length in LAYER]
    return [*made, make("Q8_0", (VOCABULARY,), WIDTH)]


def compare(products: list[Product], tokens: int, repeat: int) -> dict[str, float]:
    """Seconds for all products with `tokens` vectors each, the results compared once."""
    random = np.random.default_rng(1)
    given = [random.standard_normal((tokens, p.stored.length), np.float32) for p in products]
    ours: Callable[[Prepared, Floats], Floats] = multiply if tokens == 1 else multiply_rows
    for product, x in zip(products, given, strict=True):
        expected = x @ product.wide.T
        found = ours(product.stored, x)
        assert np.abs(found - expected).max() <= 2e-4 * np.abs(expected).max()
    return shortest(
        {
            OURS: lambda: [ours(p.stored, x) for p, x in zip(products, given, strict=True)],
            PEER: lambda: [x @ p.wide.T for p, x in zip(products, given, strict=True)],
        },
        repeat,
    )


def reading_speed(repeat: int) -> float:
    """Bytes a second that all processors together read from memory: sums of 64 MiB pieces."""
    threads = len(os.sched_getaffinity(0))
    pieces = [np.ones(1 << 23, np.int64) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        found = shortest({"read": lambda: list(pool.map(np.max, pieces))}, repeat)
    return sum(piece.nbytes for piece in pieces) / found["read"]


def one_dtype(dtype: str, repeat: int) -> Row:
    """Bytes read per second by one product that the caches do not hold."""
    rows, length = 49_152, 768
    data = np.random.default_rng(2).integers(0, 64, (rows, row_bytes(dtype, length)), np.uint8)
    prepared, x = prepare(dtype, data, length), np.ones(length, np.float32)
    found = shortest({OURS: lambda: multiply(prepared, x)}, repeat)
    return Row(
        f"{dtype}, {rows:,} × {length}", {OURS: data.nbytes / found[OURS] / 1e9}, "GB/s", "", "more"
    )


def benchmark(full: bool) -> str:
    layers, repeat = (LAYERS, 20) if full else (2, 5)
    products = model(layers)
    size = sum(product.size for product in products)
    rows = []
    for tokens in (1, TOKENS):
        found = compare(products, tokens, repeat if tokens == 1 else max(2, repeat // 4))
        what = f"all products of {tokens} token{'s' * (tokens > 1)}, {layers} layers and head"
        goal = "15 ms" if tokens == 1 and full else ""
        rows.append(Row(what, {n: s * 1000 for n, s in found.items()}, "ms", goal))
        if tokens == 1:
            speeds = {OURS: size / found[OURS] / 1e9}
            speeds[PEER] = sum(p.wide.nbytes for p in products) / found[PEER] / 1e9
            rows.append(Row("the same, weights read", speeds, "GB/s", "", "more"))
    rows += [one_dtype(dtype, repeat) for dtype in ("F32", "F16", "BF16", *DEQUANTISE)]
    limit = reading_speed(repeat)
    note = (
        f"{size / 1e6:,.0f} MB of weights a token; sums of integers read {limit / 1e9:.0f} GB/s "
        f"of memory here, so that one token takes {size / limit * 1000:.1f} ms at least."
    )
    return markdown("Products of stored matrices", rows, note)


if __name__ == "__main__":
    run_alone(benchmark)
