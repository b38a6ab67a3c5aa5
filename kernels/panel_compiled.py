"""Products of small float32 matrices that lie in the caches. Importing it imports numba.

    multiply(a, a_stride, rows, b, b_stride, count, columns, out, out_stride)

    out[r, n] = sum over k of a[r, k] b[k, n]        r < rows, k < count, n < columns

a, b and out are addresses, strides numbers of elements, all int64. Numbers are added in the order
of k, so a row is as if it were alone, and zeros at either end of it change no bit. A tile of rows
by vectors of columns stays in registers while k runs. Estimate: two flops a product, at nine tenths
of what the processor can when `columns` is a multiple of four vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import types as nt
from numba.extending import intrinsic

from hartonomous.kernels.lanes_compiled import F32, I64, Lanes, has

#: rows, vectors and lanes of a tile: its sums stay in registers
_ROWS, _VECTORS, _LANES = (4, 4, 16) if has("avx512f") else (4, 2, 8)


@contextmanager
def _steps(lanes: Lanes, first: Any, last: Any, step: int) -> Iterator[Any]:
    """first, first + step … for as many whole steps as there are before `last`."""
    builder = lanes.builder
    count = builder.sdiv(builder.sub(last, first), I64(step))
    with lanes.loop(I64(0), count) as i:
        yield builder.add(first, builder.mul(i, I64(step)))


def _after(lanes: Lanes, first: Any, last: Any, step: int) -> Any:
    """Where those steps end."""
    builder = lanes.builder
    count = builder.sdiv(builder.sub(last, first), I64(step))
    return builder.add(first, builder.mul(count, I64(step)))


def _tile(lanes: Lanes, rows: int, widths: list[int], given: tuple[Any, ...]) -> None:
    """out[r, n] for `rows` r and vectors of these widths beside each other."""
    a, a_stride, b, b_stride, count, out, out_stride = given
    builder = lanes.builder
    starts = [sum(widths[:i]) for i in range(len(widths))]
    sums = {
        (r, v): lanes.variable(lanes.same(F32, width, 0.0))
        for r in range(rows)
        for v, width in enumerate(widths)
    }
    heads = [lanes.at(a, builder.mul(a_stride, I64(r)), 4) for r in range(rows)]
    with lanes.loop(I64(0), count) as k:
        line = lanes.at(b, builder.mul(k, b_stride), 4)
        vectors = [
            lanes.load(F32, width, line, 4 * start)
            for width, start in zip(widths, starts, strict=True)
        ]
        for r in range(rows):
            factor = lanes.load(F32, 1, lanes.at(heads[r], k, 4))
            for v, width in enumerate(widths):
                spread = lanes.spread(factor, 0, width)
                total = builder.load(sums[r, v])
                builder.store(lanes.multiply_add(spread, vectors[v], total), sums[r, v])
    for (r, v), total in sums.items():
        place = lanes.at(out, builder.mul(out_stride, I64(r)), 4)
        lanes.store(builder.load(total), place, 4 * starts[v])


def _product(  # type: ignore[no-untyped-def]
    typing_context, a, a_stride, rows, b, b_stride, count, columns, out, out_stride
):
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        lanes = Lanes(builder)
        a, a_stride, rows, b, b_stride, count, columns, out, out_stride = arguments
        left: Any = I64(0)
        for widths in ([_LANES] * _VECTORS, [_LANES], [1]):
            with _steps(lanes, left, columns, sum(widths)) as n:
                top: Any = I64(0)
                for tall in (_ROWS, 2, 1):
                    with _steps(lanes, top, rows, tall) as r:
                        row = lanes.at(a, builder.mul(a_stride, r), 4)
                        place = builder.add(builder.mul(out_stride, r), n)
                        given = (
                            row, a_stride, lanes.at(b, n, 4), b_stride, count,
                            lanes.at(out, place, 4), out_stride,
                        )  # fmt: skip
                        _tile(lanes, tall, widths, given)
                    top = _after(lanes, top, rows, tall)
            left = _after(lanes, left, columns, sum(widths))
        return context.get_dummy_value()

    return nt.void(*[nt.int64] * 9), generate


multiply: Any = intrinsic(_product)
