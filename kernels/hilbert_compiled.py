"""The compiled forms of hilbert.py: same arguments, same keys. Importing it imports numba."""

from __future__ import annotations

import numba
import numpy as np

from hartonomous.kernels.hilbert import Cells, Keys
from hartonomous.kernels.options import OPTIONS


@numba.njit(inline="always")
def _spread(value):  # type: ignore[no-untyped-def]
    """Bit b of a 21-bit value at place 3b."""
    word = np.uint64(value)
    word = (word | word << np.uint64(32)) & np.uint64(0x001F00000000FFFF)
    word = (word | word << np.uint64(16)) & np.uint64(0x001F0000FF0000FF)
    word = (word | word << np.uint64(8)) & np.uint64(0x100F00F00F00F00F)
    word = (word | word << np.uint64(4)) & np.uint64(0x10C30C30C30C30C3)
    return (word | word << np.uint64(2)) & np.uint64(0x1249249249249249)


@numba.njit(inline="always")
def _gather(word):  # type: ignore[no-untyped-def]
    """The bits at places 3b."""
    word = word & np.uint64(0x1249249249249249)
    word = (word | word >> np.uint64(2)) & np.uint64(0x10C30C30C30C30C3)
    word = (word | word >> np.uint64(4)) & np.uint64(0x100F00F00F00F00F)
    word = (word | word >> np.uint64(8)) & np.uint64(0x001F0000FF0000FF)
    word = (word | word >> np.uint64(16)) & np.uint64(0x001F00000000FFFF)
    return np.uint32((word | word >> np.uint64(32)) & np.uint64(0x1FFFFF))


@numba.njit(inline="always")
def _turn(first, axis, plane):  # type: ignore[no-untyped-def]
    """hilbert._turn of two different axes."""
    below = np.uint32((np.uint32(1) << plane) - np.uint32(1))
    if axis >> plane & np.uint32(1):
        return first ^ below, axis
    exchanged = (first ^ axis) & below
    return first ^ exchanged, axis ^ exchanged


@numba.njit(**OPTIONS)
def _encode(cells, bits, keys):  # type: ignore[no-untyped-def]
    for n in range(len(cells)):
        x, y, z = cells[n, 0], cells[n, 1], cells[n, 2]
        for p in range(bits - 1, 0, -1):
            plane = np.uint32(p)
            if x >> plane & np.uint32(1):
                x ^= np.uint32((np.uint32(1) << plane) - np.uint32(1))
            x, y = _turn(x, y, plane)
            x, z = _turn(x, z, plane)
        y ^= x
        z ^= y
        flips = np.uint32(0)
        for p in range(bits - 1, 0, -1):
            plane = np.uint32(p)
            if z >> plane & np.uint32(1):
                flips ^= np.uint32((np.uint32(1) << plane) - np.uint32(1))
        key = _spread(x ^ flips) << np.uint64(2)
        key |= _spread(y ^ flips) << np.uint64(1)
        keys[n] = np.int64(key | _spread(z ^ flips))


@numba.njit(**OPTIONS)
def _decode(keys, bits, cells):  # type: ignore[no-untyped-def]
    for n in range(len(keys)):
        word = np.uint64(keys[n])
        x, y, z = _gather(word >> np.uint64(2)), _gather(word >> np.uint64(1)), _gather(word)
        last = z >> np.uint32(1)
        z ^= y
        y ^= x
        x ^= last
        for p in range(1, bits):
            plane = np.uint32(p)
            x, z = _turn(x, z, plane)
            x, y = _turn(x, y, plane)
            if x >> plane & np.uint32(1):
                x ^= np.uint32((np.uint32(1) << plane) - np.uint32(1))
        cells[n, 0], cells[n, 1], cells[n, 2] = x, y, z


def encode(cells: Cells, bits: int) -> Keys:
    """As hilbert.encode."""
    keys = np.empty(len(cells), np.int64)
    _encode(cells, bits, keys)
    return keys


def decode(keys: Keys, bits: int) -> Cells:
    """As hilbert.decode."""
    cells = np.empty((len(keys), 3), np.uint32)
    _decode(keys, bits, cells)
    return cells
