"""Products of stored matrices with vectors, without unpacking the matrices first.

    data: uint8[rows, row bytes] of any dtype, x: float32[B, length] -> float32[B, rows]

Two ways. `multiply` is for decoding, a few x at a time: it reads each row as it lies, mapped or
not, once. Where rows are quantised, x is rounded to int16 in blocks of 32, a float32 scale each,
so that the products are of whole numbers; against exact products the error is at most 2**-16 of
the block's largest |x| times the sum of |weights|, about 2e-5 of the largest output in practice.
`multiply_rows` is for many x: rows are widened to float32, some at a time, and all is float32.
Neither's results depend on the other x, the other rows or the number of threads.

Estimate: one read of the data per call of `multiply`; 16 products a nanosecond and processor, so
that two processors read 4-bit blocks at about 20 GB/s.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.blocks import row_bytes
from hartonomous.kernels.quantize import dequantise
from hartonomous.kernels.quantize_reference import DEQUANTISE, Bytes, Matrix
from hartonomous.kernels.team import team

#: products of a chunk: some microseconds of one processor
_CHUNK_PRODUCTS: Final = 1 << 15
#: numbers that a chunk of multiply_rows widens, 256 KiB, in whole tiles, and rows of it at most
_BUFFER: Final = 1 << 16
_TILE_ROWS: Final = 4
_BUFFER_ROWS: Final = 64
#: floating point dtypes that kernels read as they are
_FLOATING: Final = ("F32", "F16", "BF16")


Parts = npt.NDArray[np.int64]


class Prepared:
    """One matrix or several of one length under each other, ready to be multiplied with.

    `bytes` counts memory of its own: none, unless the dtype is one that no kernel reads (integers,
    F64, BOOL), which is widened to float32 here. May be used by several threads at once.
    """

    def __init__(self, matrices: Sequence[tuple[str, Bytes]], length: int, owned: int) -> None:
        assert matrices, "a product has rows"
        self.matrices = tuple(matrices)
        self.length = length
        self.bytes = owned
        counts = [len(data) for _, data in self.matrices]
        #: where each matrix ends
        self.ends: tuple[int, ...] = tuple(int(n) for n in np.cumsum(counts))
        self.rows = self.ends[-1]
        self._has_quantised = any(dtype in DEQUANTISE for dtype, _ in self.matrices)
        self._parts, self._chunks = self._decoding_parts()
        self._wide: tuple[Parts, int] | None = None

    def _decoding_parts(self) -> tuple[Parts, int]:
        from hartonomous.kernels.matvec_compiled import product

        return self._cut(max(1, _CHUNK_PRODUCTS // max(1, self.length)), product, DEQUANTISE)

    def _wide_parts(self) -> tuple[Parts, int]:
        """As _decoding_parts, for multiply_rows; kernels are compiled when first asked for."""
        from hartonomous.kernels.matmul_compiled import product

        if self._wide is None:
            rows = _BUFFER // max(1, self.length) // _TILE_ROWS * _TILE_ROWS
            self._wide = self._cut(min(max(rows, _TILE_ROWS), _BUFFER_ROWS), product, ())
        return self._wide

    def _cut(
        self, step: int, product: Callable[[str], Any], sixteen: Container[str]
    ) -> tuple[Parts, int]:
        """The parts for the team (team_compiled.py), in chunks of so many rows, and how many;
        `sixteen`: dtypes whose kernels want int16."""
        from hartonomous.kernels.team_compiled import CHUNKS_MAX

        step = max(step, -(-self.rows * len(self.matrices) // CHUNKS_MAX))
        parts, chunks = [], 0
        for (dtype, data), end in zip(self.matrices, self.ends, strict=True):
            rows, kernel, place = len(data), product(dtype).address, data.ctypes.data
            parts.append((kernel, place, rows, step, chunks, end - rows, int(dtype in sixteen)))
            chunks += -(-rows // step)
        return np.array(parts, np.int64), chunks

    def multiply(self, x: Matrix) -> Matrix:
        """float32[B, rows] of float32[B, length]; see `multiply`."""
        from hartonomous.kernels import matvec_compiled

        x = _writable(x)
        batch, length = x.shape
        assert length == self.length, (x.shape, self.length)
        out = np.empty((batch, self.rows), np.float32)
        size = 2 * length + length // 4 if self._has_quantised else 0
        scratch = np.empty(batch * size, np.uint8)
        work = matvec_compiled.multiply
        team().run(self._chunks, work, self._parts, self._chunks, x, scratch, out)
        return out

    def multiply_rows(self, x: Matrix) -> Matrix:
        """float32[B, rows] of float32[B, length]; see `multiply_rows`."""
        from hartonomous.kernels import matmul_compiled
        from hartonomous.kernels.matvec_compiled import WIDTH

        batch, length = x.shape
        assert length == self.length, (x.shape, self.length)
        whole = -(-length // WIDTH) * WIDTH
        if whole != length:
            x = np.pad(x, ((0, 0), (0, whole - length)))
        x = _writable(x)
        out = np.empty((batch, self.rows), np.float32)
        parts, chunks = self._wide_parts()
        team().run(chunks, matmul_compiled.multiply, parts, chunks, length, x, out)
        return out

    def gather(self, numbers: npt.NDArray[np.int64]) -> Matrix:
        """float32[K, length]: the rows of these numbers, all of them inside."""
        out = np.empty((len(numbers), self.length), np.float32)
        first = 0
        for (dtype, data), end in zip(self.matrices, self.ends, strict=True):
            here = (numbers >= first) & (numbers < end)
            out[here] = dequantise(dtype, data[numbers[here] - first], self.length)
            first = end
        return out

    def split(self, product: Matrix) -> list[Matrix]:
        """Of a result, what belongs to each matrix: views."""
        return np.split(product, self.ends[:-1], axis=-1)


def prepare(dtype: str, data: Bytes, length: int) -> Prepared:
    """A matrix of uint8[rows, row bytes], which is kept as it is, read-only and mapped or not."""
    assert data.dtype == np.uint8 and data.shape[1] == row_bytes(dtype, length), (
        dtype, data.dtype, data.shape, length,
    )  # fmt: skip
    if dtype in DEQUANTISE or dtype in _FLOATING:
        whole = np.ascontiguousarray(data)
        return Prepared([(dtype, whole)], length, 0 if whole is data else whole.nbytes)
    wide = dequantise(dtype, data, length)
    return Prepared([("F32", wide.view(np.uint8))], length, wide.nbytes)


def stack(prepared: Sequence[Prepared]) -> Prepared:
    """Matrices of one length under each other: one call for what multiplies the same x."""
    length = prepared[0].length
    assert all(p.length == length for p in prepared), [p.length for p in prepared]
    matrices = [matrix for p in prepared for matrix in p.matrices]
    return Prepared(matrices, length, sum(p.bytes for p in prepared))


def multiply(prepared: Prepared, x: Matrix) -> Matrix:
    """float32[rows] of float32[length], or float32[B, rows] of float32[B, length], each row as if
    it were alone; by all processors, at the speed of the stored bytes. Activations that are not
    finite give NaN or infinities, as products do."""
    if x.ndim == 1:
        one: Matrix = prepared.multiply(x[None])[0]
        return one
    return prepared.multiply(x)


def multiply_many(prepared: Sequence[Prepared], x: Matrix) -> list[Matrix]:
    """The products of several matrices with one x; who asks again keeps a `stack` of them."""
    whole = stack(prepared)
    product = multiply(whole, x)
    ends = np.cumsum([p.rows for p in prepared])[:-1]
    return np.split(product, ends, axis=-1)


def multiply_rows(prepared: Prepared, x: Matrix, exact: bool = True) -> Matrix:
    """float32[B, rows] of float32[B, length]: in float32, or, not `exact`, as `multiply`."""
    return prepared.multiply_rows(x) if exact else prepared.multiply(x)


def widen(prepared: Prepared, row_numbers: npt.NDArray[np.int64]) -> Matrix:
    """float32[K, length]: the rows of these numbers, all of them inside."""
    return prepared.gather(row_numbers)


def multiply_reference(dtype: str, data: Bytes, x: Matrix) -> npt.NDArray[np.float64]:
    """float64[B, rows]: what all the products stand for."""
    product: npt.NDArray[np.float64] = x.astype(np.float64) @ dequantise(
        dtype, data, x.shape[1]
    ).T.astype(np.float64)
    return product


def _writable(x: Matrix) -> Matrix:
    """Read-only memory is of another type for numba, which would compile all again."""
    x = np.ascontiguousarray(x, np.float32)
    return x if x.flags.writeable else x.copy()
