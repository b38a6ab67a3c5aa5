"""The compiled kernels of matvec.py and quantize.py. Importing it imports numba.

A kernel is a C function, compiled for one dtype when first asked for and kept in numba's cache:

    kernel(data, x, scales, out, length, first, last)

works on rows `first` to before `last` of the matrix at address `data`; all arguments are int64,
so mapped and writable memory are alike to it.

`product` gives out[row] = the row times x. Over quantised rows x is int16[length], and `scales` has
float32[length / 32] s, then as many t: element i stands for s[i // 32] x[i], and t is s times the
sum of the 32. Of a block's products four are added as int32: at most 4 x 128 x 32767 < 2**24, so
no sum overflows and its float32 is exact. Over floating point rows x is float32[length] and there
are no scales. Lanes of float32 add up a row, always in one order.
"""

from __future__ import annotations

import functools
from functools import cache
from typing import Any, Final

import numba
from numba.core import types as nt
from numba.extending import intrinsic

from hartonomous.kernels.blocks import BLOCKS
from hartonomous.kernels.blocks_compiled import READ, TAKE_APART
from hartonomous.kernels.lanes_compiled import F32, I16, I32, I64, Lanes
from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.team_compiled import give, write

#: sums of a row that do not wait for each other: a sum takes four times as long as it keeps the
#: processor busy
_CHAINS: Final = 4
#: lanes of rows that are floating point themselves
WIDTH: Final = 16
#: the magnitude of the largest activation of 32
_LARGEST: Final = 32767.0
#: adding and taking away 1.5 x 2**23 rounds a float32 below 2**22 to a whole number, to nearest
#: even, which then stands in the low bits of the sum
_ROUND: Final = 1.5 * 2.0**23
_INFINITE: Final = 0x7F800000
#: block maxima below this count as zero, above they have an inverse
_SMALL: Final = 2.0**-100
#: the type of all kernels
KERNEL: Final = nt.void(*[nt.int64] * 7)


def _total(lanes: Lanes, value: Any) -> Any:
    return lanes.fold(value, lanes.builder.fadd)


def _multiply_block(lanes: Lanes, dtype: str, place: Any, x: Any, s: Any, sums: list[Any]) -> Any:
    """Adds a block's products to the variables `sums`, float32[8] each, in turn; the block's
    offsets, or None."""
    builder, block = lanes.builder, TAKE_APART[dtype](lanes, place)
    parts = len(block.q)
    groups = block.scale.type.count // parts
    scale = lanes.load(F32, parts, s)
    if groups == 2:
        scale = lanes.pick(scale, [p // 2 for p in range(2 * parts)])
    scale = builder.fmul(block.scale, scale)
    wholes = []
    for part, q in enumerate(block.q):
        halves = [
            lanes.pair_sums(q[half], lanes.load(I16, 16, x, 64 * part + 32 * half))
            for half in range(2)
        ]
        wholes += halves if groups == 2 else [builder.add(*halves)]
    for group, whole in enumerate(wholes):
        total = sums[group % len(sums)]
        factor = lanes.spread(scale, group, 8)
        found = lanes.multiply_add(lanes.floats(whole), factor, builder.load(total))
        builder.store(found, total)
    return block.offset


def _multiply_quantised(
    lanes: Lanes, dtype: str, data: Any, x: Any, scales: Any, out: Any, length: Any, row: Any
) -> None:
    builder = lanes.builder
    elements, size = BLOCKS[dtype]
    blocks = builder.sdiv(length, I64(elements))
    parts = elements // 32
    start = lanes.at(data, builder.mul(row, blocks), size)
    rest = lanes.at(scales, builder.mul(blocks, I64(parts)), 4)
    sums = [lanes.variable(lanes.same(F32, 8, 0.0)) for _ in range(_CHAINS)]
    offsets = lanes.variable(lanes.same(F32, parts, 0.0))

    def add(k: Any, sums: list[Any]) -> None:
        step = builder.mul(k, I64(parts))
        place, s = lanes.at(start, k, size), lanes.at(scales, step, 4)
        offset = _multiply_block(lanes, dtype, place, lanes.at(x, step, 64), s, sums)
        if offset is not None:
            t = lanes.load(F32, parts, lanes.at(rest, step, 4))
            builder.store(lanes.multiply_add(offset, t, builder.load(offsets)), offsets)

    # small blocks several at a time, so that each chain of sums has one of them
    together = _CHAINS if parts == 1 else 1
    whole = builder.sub(blocks, builder.srem(blocks, I64(together)))
    with lanes.loop(I64(0), builder.sdiv(whole, I64(together))) as n:
        for i in range(together):
            k = builder.add(builder.mul(n, I64(together)), I64(i))
            add(k, sums[i:] if parts == 1 else sums)
    if together > 1:
        with lanes.loop(whole, blocks) as k:
            add(k, sums)
    found = _total(lanes, functools.reduce(builder.fadd, [builder.load(total) for total in sums]))
    found = builder.fadd(found, _total(lanes, builder.load(offsets)))
    lanes.store(found, lanes.at(out, row, 4))


def _multiply_floating(
    lanes: Lanes, dtype: str, data: Any, x: Any, out: Any, length: Any, row: Any
) -> None:
    builder = lanes.builder
    size, read = BLOCKS[dtype][1], READ[dtype]
    start = lanes.at(data, builder.mul(row, length), size)
    sums = [lanes.variable(lanes.same(F32, WIDTH, 0.0)) for _ in range(2)]
    rest = lanes.variable(lanes.same(F32, 1, 0.0))
    steps = builder.sdiv(length, I64(2 * WIDTH))
    with lanes.loop(I64(0), steps) as k:
        for i, total in enumerate(sums):
            place = builder.add(builder.mul(k, I64(2 * WIDTH)), I64(WIDTH * i))
            numbers = read(lanes, WIDTH, lanes.at(start, place, size))
            factors = lanes.load(F32, WIDTH, lanes.at(x, place, 4))
            builder.store(lanes.multiply_add(numbers, factors, builder.load(total)), total)
    with lanes.loop(builder.mul(steps, I64(2 * WIDTH)), length) as i:
        number, factor = (
            read(lanes, 1, lanes.at(start, i, size)),
            lanes.load(F32, 1, lanes.at(x, i, 4)),
        )
        builder.store(lanes.multiply_add(number, factor, builder.load(rest)), rest)
    both = builder.fadd(builder.load(sums[0]), builder.load(sums[1]))
    found = builder.fadd(_total(lanes, both), lanes.lane(builder.load(rest), 0))
    lanes.store(found, lanes.at(out, row, 4))


def widen_blocks(lanes: Lanes, dtype: str, data: Any, out: Any, count: Any) -> None:
    """float32 of so many blocks."""
    elements, size = BLOCKS[dtype]
    builder = lanes.builder
    with lanes.loop(I64(0), count) as k:
        block = TAKE_APART[dtype](lanes, lanes.at(data, k, size))
        place = lanes.at(out, k, 4 * elements)
        groups = block.scale.type.count // len(block.q)
        for part, q in enumerate(block.q):
            places = [groups * part + groups * i // 32 for i in range(32)]
            numbers = lanes.floats(lanes.signed(lanes.join(*q), I32))
            numbers = builder.fmul(numbers, lanes.pick(block.scale, places))
            if block.offset is not None:
                numbers = builder.fadd(numbers, lanes.spread(block.offset, part, 32))
            lanes.store(numbers, place, 128 * part)


def widen_floating(
    lanes: Lanes, dtype: str, data: Any, out: Any, length: Any, count: Any, rows: Any
) -> None:
    """float32[rows, count] of floating point rows of any length, zeros behind them."""
    builder, size, read = lanes.builder, BLOCKS[dtype][1], READ[dtype]
    whole = builder.sub(length, builder.srem(length, I64(WIDTH)))
    with lanes.loop(I64(0), rows) as row:
        start = lanes.at(data, builder.mul(row, length), size)
        place = lanes.at(out, builder.mul(row, count), 4)
        with lanes.loop(I64(0), builder.sdiv(whole, I64(WIDTH))) as k:
            numbers = read(lanes, WIDTH, lanes.at(start, k, WIDTH * size))
            lanes.store(numbers, lanes.at(place, k, 4 * WIDTH))
        with lanes.loop(whole, length) as i:
            lanes.store(read(lanes, 1, lanes.at(start, i, size)), lanes.at(place, i, 4))
        with lanes.loop(length, count) as i:
            lanes.store(lanes.same(F32, 1, 0.0), lanes.at(place, i, 4))


def _quantise_block(lanes: Lanes, x: Any) -> tuple[Any, Any, Any]:
    """int16[32], s and t of 32 activations. If one is not finite, s and t are NaN."""
    builder = lanes.builder

    def largest(a: Any, b: Any) -> Any:
        return builder.select(builder.icmp_unsigned(">", a, b), a, b)

    values = lanes.load(F32, 32, x)
    # as integers, magnitudes are ordered as the numbers are, NaN above all
    bits = lanes.mask(builder.bitcast(values, lanes.same(I32, 32, 0).type), 0x7FFFFFFF)
    most = lanes.fold(bits, largest)
    size = builder.bitcast(most, F32)
    is_finite = builder.icmp_unsigned("<", most, I32(_INFINITE))
    is_large = builder.and_(is_finite, builder.fcmp_ordered(">", size, F32(_SMALL)))
    inverse = builder.fdiv(F32(_LARGEST), size)  # of a size that is not large: anything, times 0
    step = builder.select(is_large, builder.fdiv(size, F32(_LARGEST)), F32(0.0))
    step = builder.select(is_finite, step, F32(float("nan")))
    scaled = builder.fmul(
        values, lanes.spread(builder.bitcast(inverse, lanes.same(F32, 1, 0).type), 0, 32)
    )
    rounded = builder.fadd(scaled, lanes.same(F32, 32, _ROUND))
    whole = builder.trunc(builder.bitcast(rounded, bits.type), lanes.same(I16, 32, 0).type)
    total = lanes.fold(lanes.signed(whole, I32), builder.add)
    return whole, step, builder.fmul(builder.sitofp(total, F32), step)


def _quantise_rows(typing_context, x, x16, scales, length, rows):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        lanes = Lanes(builder)
        x, x16, scales, length, rows = arguments
        blocks = builder.sdiv(length, I64(32))
        with lanes.loop(I64(0), rows) as row:
            first = builder.mul(row, blocks)
            s = lanes.at(scales, first, 8)
            t = lanes.at(s, blocks, 4)
            with lanes.loop(I64(0), blocks) as k:
                block = builder.add(first, k)
                whole, step, total = _quantise_block(lanes, lanes.at(x, block, 128))
                lanes.store(whole, lanes.at(x16, block, 64))
                lanes.store(step, lanes.at(s, k, 4))
                lanes.store(total, lanes.at(t, k, 4))
        return context.get_dummy_value()

    return nt.void(*[nt.int64] * 5), generate


def _product_rows(typing_context, dtype, data, x, scales, out, length, first, last):  # type: ignore[no-untyped-def]
    name = dtype.literal_value

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        lanes = Lanes(builder)
        _, data, x, scales, out, length, first, last = arguments
        with lanes.loop(first, last) as row:
            if name in TAKE_APART:
                _multiply_quantised(lanes, name, data, x, scales, out, length, row)
            else:
                _multiply_floating(lanes, name, data, x, out, length, row)
        return context.get_dummy_value()

    return nt.void(dtype, *[nt.int64] * 7), generate


def _widen_rows(typing_context, dtype, data, out, length, rows):  # type: ignore[no-untyped-def]
    name = dtype.literal_value

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        _, data, out, length, rows = arguments
        lanes = Lanes(builder)
        if name in TAKE_APART:
            blocks = builder.mul(rows, builder.sdiv(length, I64(BLOCKS[name][0])))
            widen_blocks(lanes, name, data, out, blocks)
        else:
            widen_floating(lanes, name, data, out, length, length, rows)
        return context.get_dummy_value()

    return nt.void(dtype, *[nt.int64] * 4), generate


_products: Any = intrinsic(prefer_literal=True)(_product_rows)
_widened: Any = intrinsic(prefer_literal=True)(_widen_rows)
_quantised: Any = intrinsic(_quantise_rows)


@numba.njit(
    "void(int64[::1], int64[:, ::1], int64, float32[:, ::1], uint8[::1], float32[:, ::1])",
    **OPTIONS,
)
def multiply(board, parts, chunks, x, scratch, out):  # type: ignore[no-untyped-def]
    """Fills out: float32[B, rows] with the products of all parts and x: float32[B, length].
    `scratch` has B (2 length + length / 4) bytes: int16[B, length] and float32[B, 2, length / 32],
    or none if no part wants int16."""
    batch, length = x.shape
    given, x16 = x.ctypes.data, scratch.ctypes.data
    scales = x16 + 2 * batch * length
    if len(scratch):
        _quantised(given, x16, scales, length, batch)
    write(board, parts, batch, given, x16, scales, out.ctypes.data, length, out.shape[1])
    give(board.ctypes.data, chunks, 0)


@cache
def product(dtype: str) -> Any:
    """The kernel that multiplies rows of a dtype of TAKE_APART or READ."""

    @numba.cfunc(KERNEL, cache=True, error_model="numpy")
    def run(data, x, scales, out, length, first, last):  # type: ignore[no-untyped-def]
        _products(dtype, data, x, scales, out, length, first, last)

    return run


@cache
def widen(dtype: str) -> Any:
    """widen(data, out, length, rows): float32[rows, length] of a dtype of TAKE_APART or READ, every
    product and sum rounded as the reference does. All arguments are int64."""

    @numba.cfunc(nt.void(*[nt.int64] * 4), cache=True, error_model="numpy")
    def run(data, out, length, rows):  # type: ignore[no-untyped-def]
        _widened(dtype, data, out, length, rows)

    return run
