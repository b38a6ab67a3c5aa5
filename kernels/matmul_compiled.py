"""The compiled kernel of `multiply_rows` in matvec.py: stored rows times many x, in float32.

    out[b, row] = the row times x[b]    x: float32[B, K], K = length, zeros to whole WIDTHs

A kernel as those of matvec_compiled.py, of which `scales` is the address of int64[2]: B and the
rows of the whole product. It widens its rows into a buffer that the processor's second cache holds
and goes over them in tiles of a few rows by a few x, a vector of sums for each pair. So every
number is added up in the order of one row and one x alone, whoever stands beside them, and BLAS
with threads of its own, which hold each other up when processors are scarce, is not needed.
Estimate: 2 B flops an element, and at 12 elements a nanosecond and processor the widening.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numba
import numpy as np
from numba.core import types as nt
from numba.extending import intrinsic

from hartonomous.kernels.atomics_compiled import load
from hartonomous.kernels.blocks import BLOCKS
from hartonomous.kernels.blocks_compiled import TAKE_APART
from hartonomous.kernels.lanes_compiled import F32, I64, Lanes, has
from hartonomous.kernels.matvec_compiled import KERNEL, WIDTH, widen_blocks, widen_floating
from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.team_compiled import give, write

#: x and rows in a tile: their sums stay in registers, of which AVX-512 has 32
_TILE: Final = (4, 4) if has("avx512f") else (4, 2)
_LANES: Final = 16 if _TILE == (4, 4) else 8


def _tile(
    lanes: Lanes, shape: tuple[int, int], x: Any, rows: Any, count: Any, out: Any, stride: Any
) -> None:
    """out[b, r] for the first `shape` of x and rows, both float32[…, count]."""
    builder = lanes.builder
    pairs = [(b, r) for b in range(shape[0]) for r in range(shape[1])]
    sums = {pair: lanes.variable(lanes.same(F32, _LANES, 0.0)) for pair in pairs}
    xs = [lanes.at(x, builder.mul(count, I64(b)), 4) for b in range(shape[0])]
    ws = [lanes.at(rows, builder.mul(count, I64(r)), 4) for r in range(shape[1])]
    with lanes.loop(I64(0), builder.sdiv(count, I64(_LANES))) as k:
        numbers = [lanes.load(F32, _LANES, lanes.at(w, k, 4 * _LANES)) for w in ws]
        factors = [lanes.load(F32, _LANES, lanes.at(address, k, 4 * _LANES)) for address in xs]
        for b, r in pairs:
            total = builder.load(sums[b, r])
            builder.store(lanes.multiply_add(numbers[r], factors[b], total), sums[b, r])
    for b, r in pairs:
        place = lanes.at(out, builder.mul(stride, I64(b)), 4)
        total = lanes.fold(builder.load(sums[b, r]), builder.fadd)
        lanes.store(total, place, 4 * r)


def _tiles(
    lanes: Lanes, x: Any, rows: Any, batch: Any, height: Any, count: Any, out: Any, stride: Any
) -> None:
    """out[b, r] for `batch` x and `height` rows."""
    builder = lanes.builder

    def spans(total: Any, most: int) -> list[tuple[Any, Any, int]]:
        """(first, last, step): whole tiles, then what is left one by one."""
        whole = builder.sub(total, builder.srem(total, I64(most)))
        return [(I64(0), whole, most), (whole, total, 1)]

    for first, last, tall in spans(height, _TILE[1]):
        with lanes.loop(builder.sdiv(first, I64(tall)), builder.sdiv(last, I64(tall))) as i:
            r = builder.mul(i, I64(tall))
            row = lanes.at(rows, builder.mul(r, count), 4)
            for start, end, wide in spans(batch, _TILE[0]):
                with lanes.loop(builder.sdiv(start, I64(wide)), builder.sdiv(end, I64(wide))) as j:
                    b = builder.mul(j, I64(wide))
                    place = lanes.at(out, builder.add(builder.mul(b, stride), r), 4)
                    given = lanes.at(x, builder.mul(b, count), 4)
                    _tile(lanes, (wide, tall), given, row, count, place, stride)


def _product_rows(typing_context, dtype, data, x, out, length, count, rows, batch, stride, buffer):  # type: ignore[no-untyped-def]
    name = dtype.literal_value

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        lanes = Lanes(builder)
        _, data, x, out, length, count, rows, batch, stride, buffer = arguments
        if name in TAKE_APART:
            blocks = builder.mul(rows, builder.sdiv(length, I64(BLOCKS[name][0])))
            widen_blocks(lanes, name, data, buffer, blocks)
        else:
            widen_floating(lanes, name, data, buffer, length, count, rows)
        _tiles(lanes, x, buffer, batch, rows, count, out, stride)
        return context.get_dummy_value()

    return nt.void(dtype, *[nt.int64] * 9), generate


_products: Any = intrinsic(prefer_literal=True)(_product_rows)


@cache
def product(dtype: str) -> Any:
    """The kernel for rows of a dtype of TAKE_APART or READ."""
    elements, size = BLOCKS[dtype]

    @numba.cfunc(KERNEL, cache=True, error_model="numpy")
    def run(data, x, scales, out, length, first, last):  # type: ignore[no-untyped-def]
        count = -(-length // WIDTH) * WIDTH
        batch, stride = load(scales), load(scales + 8)
        start = data + first * (length // elements) * size
        buffer = np.empty((last - first) * count, np.float32)
        place = buffer.ctypes.data
        height = last - first
        _products(dtype, start, x, out + 4 * first, length, count, height, batch, stride, place)
        buffer[:1] = 0.0  # used last here, so alive until here

    return run


@numba.njit(
    "void(int64[::1], int64[:, ::1], int64, int64, float32[:, ::1], float32[:, ::1])", **OPTIONS
)
def multiply(board, parts, chunks, length, x, out):  # type: ignore[no-untyped-def]
    """Fills out: float32[B, rows] with the products of all parts and x: float32[B, K]."""
    shape = np.array([out.shape[0], out.shape[1]])
    given, scales = x.ctypes.data, shape.ctypes.data
    write(board, parts, 1, given, 0, scales, out.ctypes.data, length, out.shape[1])
    give(board.ctypes.data, chunks, 0)
    shape[0] = 0  # used last here, so alive until here
