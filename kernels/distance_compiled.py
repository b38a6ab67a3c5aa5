"""The compiled forms of distance.py: same arguments, same bits. Importing it imports numba.

A row is one loop over 16 elements at a time: `<16 x float>` loaded, widened to `<16 x double>`,
added to 16 lanes that stay in registers; the rest of the row is a last block filled up with zeros.
Written as vector instructions (an intrinsic) because LLVM makes none of its own from a sum whose
order it must keep. One pass of 25.6 million elements against one query takes about 8 ms,
cosine 16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils
from numba.core import types as nt
from numba.extending import intrinsic

from hartonomous.kernels.distance import LANES, Matrix, Numbers
from hartonomous.kernels.options import OPTIONS

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)

#: (builder, a, b) -> what is added to each of the sums; a and b are <16 x double>
Terms = Callable[[Any, Any, Any], tuple[Any, ...]]


def _row_sums(terms: Terms, count: int) -> Any:
    """An intrinsic: (float32[N,D], n, float32[M,D], m) -> the `count` sums over row n of the first
    and row m of the second, both C-contiguous."""

    def sums(typing_context, matrix, n, other, m):  # type: ignore[no-untyped-def]
        result = nt.UniTuple(nt.float64, count)  # type: ignore[no-untyped-call]

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            rows = []
            for kind, array, place in (
                (signature.args[0], arguments[0], arguments[1]),
                (signature.args[2], arguments[2], arguments[3]),
            ):
                made = context.make_array(kind)(context, builder, array)
                width = builder.extract_value(made.shape, 1)
                rows.append(builder.gep(made.data, [builder.mul(place, width)]))
            zeros = ir.Constant(_DOUBLES, None)
            alloca: Any = cgutils.alloca_once_value
            lanes = [alloca(builder, zeros) for _ in range(count)]
            _loop(builder, rows, width, terms, lanes)
            totals = [_fold(builder, builder.load(x)) for x in lanes]
            return context.make_tuple(builder, signature.return_type, totals)

        return result(matrix, n, other, m), generate

    return intrinsic(sums)


def _loop(builder: Any, rows: list[Any], width: Any, terms: Terms, lanes: list[Any]) -> None:
    whole_type = width.type
    step = ir.Constant(whole_type, LANES)
    zero = ir.Constant(whole_type, 0)
    whole = builder.mul(builder.sdiv(width, step), step)
    with cgutils.for_range_slice(builder, zero, whole, step, whole_type) as (j, _):
        blocks = [builder.gep(row, [j]) for row in rows]
        _add(builder, blocks, terms, lanes)
    with builder.if_then(builder.icmp_signed("<", whole, width)):
        rest = []
        for row in rows:
            block = cgutils.alloca_once(builder, _FLOATS)  # type: ignore[no-untyped-call]
            builder.store(ir.Constant(_FLOATS, None), block)
            cells = builder.bitcast(block, ir.FloatType().as_pointer())
            with cgutils.for_range(builder, builder.sub(width, whole), intp=whole_type) as loop:
                source = builder.gep(row, [builder.add(whole, loop.index)])
                builder.store(builder.load(source), builder.gep(cells, [loop.index]))
            rest.append(cells)
        _add(builder, rest, terms, lanes)


def _add(builder: Any, blocks: list[Any], terms: Terms, lanes: list[Any]) -> None:
    wide = []
    for block in blocks:
        pointer = builder.bitcast(block, _FLOATS.as_pointer())
        wide.append(builder.fpext(builder.load(pointer, align=4), _DOUBLES))
    for lane, term in zip(lanes, terms(builder, *wide), strict=True):
        builder.store(builder.fadd(builder.load(lane), term), lane)


def _fold(builder: Any, vector: Any) -> Any:
    """The lanes halved until one is left: lane i takes lane i + half."""
    half = LANES // 2
    while half:
        low, high = (
            builder.shuffle_vector(
                vector,
                ir.Constant(vector.type, ir.Undefined),
                ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(s, s + half))),
            )
            for s in (0, half)
        )
        vector = builder.fadd(low, high)
        half //= 2
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


def _product(builder: Any, a: Any, b: Any) -> tuple[Any, ...]:
    return (builder.fmul(a, b),)


def _square(builder: Any, a: Any, b: Any) -> tuple[Any, ...]:
    difference = builder.fsub(a, b)
    return (builder.fmul(difference, difference),)


def _product_and_square(builder: Any, a: Any, b: Any) -> tuple[Any, ...]:
    return builder.fmul(a, b), builder.fmul(a, a)


_row_product = _row_sums(_product, 1)
_row_square = _row_sums(_square, 1)
_row_cosine = _row_sums(_product_and_square, 2)


@numba.njit(**OPTIONS)
def _products(matrix, other, step, out):  # type: ignore[no-untyped-def]
    """out[n] = sum of matrix[n] * other[n * step]."""
    for n in range(len(matrix)):
        out[n] = _row_product(matrix, n, other, n * step)[0]


@numba.njit(**OPTIONS)
def _squared_distances(matrix, other, step, out):  # type: ignore[no-untyped-def]
    """out[n] = sum of (matrix[n] - other[n * step]) squared."""
    for n in range(len(matrix)):
        out[n] = _row_square(matrix, n, other, n * step)[0]


@numba.njit(**OPTIONS)
def _cosines(matrix, other, step, squares, out):  # type: ignore[no-untyped-def]
    """out[n] = sum of products, squares[n] = sum of matrix[n] squared: one pass over the rows."""
    for n in range(len(matrix)):
        out[n], squares[n] = _row_cosine(matrix, n, other, n * step)


def distances(metric: str, matrix: Matrix, other: Matrix) -> Numbers:
    """As distance.distances."""
    step = 0 if other.ndim == 1 else 1
    matrix, rows = np.ascontiguousarray(matrix), np.ascontiguousarray(np.atleast_2d(other))
    out = np.empty(len(matrix), np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if metric == "euclidean":
            _squared_distances(matrix, rows, step, out)
            return np.sqrt(out)
        if metric == "dot":
            _products(matrix, rows, step, out)
            return -out
        squares = np.empty(len(matrix), np.float64)
        _cosines(matrix, rows, step, squares, out)
        others = np.empty(len(rows), np.float64)
        _products(rows, rows, 1, others)
        return 1.0 - np.clip(out / np.sqrt(squares * others), -1.0, 1.0)
