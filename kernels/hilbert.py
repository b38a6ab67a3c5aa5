"""The Hilbert curve in three dimensions: cells of a cube to places on one line, and back.

    cells: uint32[N,3] below 2**bits  ->  keys: int64[N] below 2**(3 * bits), bits 1 to 21

Cells whose keys differ by one share a face, so what lies together on the line lies together in
space. The first key is the cell (0, 0, 0). Both directions are exact.

Source: J. Skilling, "Programming the Hilbert curve", AIP Conference Proceedings 707 (2004), 381:
a cell's coordinates are turned in place into the key's bits in transposed form (bit b of the key's
third k is bit b of x, y, z), one bit plane after the other. The reference works on whole columns,
about 100 passes of 4N bytes each; compiled, a key takes about 0.1 µs.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
import numpy.typing as npt

#: bits a dimension that a key of 63 bits holds
BITS: Final = 21
#: cells from which the compiled form is worth importing numba (0.35 s, once per process)
COMPILE_ROWS: Final = 1 << 18

Cells = npt.NDArray[np.uint32]
Keys = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]

#: steps that spread 21 bits to every third place: (shift, bits kept afterwards)
_SPREAD: Final = (
    (32, 0x001F00000000FFFF),
    (16, 0x001F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def encode(cells: Cells, bits: int = BITS) -> Keys:
    """int64[N]: the keys of cells uint32[N,3], each coordinate below 2**bits."""
    assert 1 <= bits <= BITS, bits
    assert cells.ndim == 2 and cells.shape[1] == 3 and cells.dtype == np.uint32, cells.shape
    assert not len(cells) or int(cells.max()) >> bits == 0, (int(cells.max()), bits)
    if _is_compiled_worth(len(cells)):
        from hartonomous.kernels import hilbert_compiled

        return hilbert_compiled.encode(cells, bits)
    return encode_reference(cells, bits)


def decode(keys: Keys, bits: int = BITS) -> Cells:
    """uint32[N,3]: the cells of keys int64[N]; the inverse of encode."""
    assert 1 <= bits <= BITS, bits
    assert keys.ndim == 1 and keys.dtype == np.int64, keys.shape
    assert not len(keys) or (int(keys.min()) >= 0 and int(keys.max()) >> 3 * bits == 0), bits
    if _is_compiled_worth(len(keys)):
        from hartonomous.kernels import hilbert_compiled

        return hilbert_compiled.decode(keys, bits)
    return decode_reference(keys, bits)


def _is_compiled_worth(rows: int) -> bool:
    return rows >= COMPILE_ROWS or (
        rows >= 1024 and "hartonomous.kernels.hilbert_compiled" in sys.modules
    )


def encode_reference(cells: Cells, bits: int = BITS) -> Keys:
    """The definition, in NumPy."""
    axes = [cells[:, i].copy() for i in range(3)]  # worked on in place
    for plane in range(bits - 1, 0, -1):
        for axis in axes:
            _turn(axes[0], axis, plane)
    for i in (1, 2):
        axes[i] ^= axes[i - 1]
    flips = np.zeros(len(cells), np.uint32)
    for plane in range(bits - 1, 0, -1):
        below = np.uint32((1 << plane) - 1)
        flips ^= np.where(axes[2] & np.uint32(1 << plane), below, np.uint32(0))
    x, y, z = (_spread(axis ^ flips) for axis in axes)
    return (x << np.uint64(2) | y << np.uint64(1) | z).view(np.int64)


def decode_reference(keys: Keys, bits: int = BITS) -> Cells:
    """The definition, in NumPy."""
    words = keys.view(np.uint64)
    axes = [_gather(words >> np.uint64(2 - i)) for i in range(3)]
    last = axes[2] >> np.uint32(1)
    for i in (2, 1):
        axes[i] ^= axes[i - 1]
    axes[0] ^= last
    for plane in range(1, bits):
        for axis in reversed(axes):
            _turn(axes[0], axis, plane)
    return np.stack(axes, axis=1)


def _turn(first: npt.NDArray[np.uint32], axis: npt.NDArray[np.uint32], plane: int) -> None:
    """Where `axis` has bit `plane`, the lower bits of `first` are flipped; elsewhere the lower bits
    of both are exchanged. In place; it undoes itself."""
    below = np.uint32((1 << plane) - 1)
    is_set = (axis & np.uint32(1 << plane)) != 0
    exchanged = np.where(is_set, np.uint32(0), (first ^ axis) & below)
    axis ^= exchanged  # nothing where `axis` is `first`
    first ^= np.where(is_set, below, exchanged)


def _spread(values: npt.NDArray[np.uint32]) -> _Words:
    """uint64[N]: bit b of each value at place 3b."""
    words = values.astype(np.uint64)
    for shift, mask in _SPREAD:
        words = (words | words << np.uint64(shift)) & np.uint64(mask)
    return words


def _gather(words: _Words) -> npt.NDArray[np.uint32]:
    """uint32[N]: the bits at places 3b; the inverse of _spread."""
    words = words & np.uint64(_SPREAD[-1][1])
    masks = [0x1FFFFF, *(mask for _, mask in _SPREAD)]
    for (shift, _), mask in zip(reversed(_SPREAD), reversed(masks[:-1]), strict=True):
        words = (words | words >> np.uint64(shift)) & np.uint64(mask)
    return words.astype(np.uint32)
