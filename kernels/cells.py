"""Points to the cells that the Hilbert curve visits: 2**21 steps along each axis.

    points: float64[N,3] -> cells: uint32[N,3]

`box_cells` divides a box evenly; what lies outside goes to its border. `open_cells` needs no box:
on each axis the steps are even within 2**-10 of zero (about 1e-7 wide) and then 8,192 to a
doubling, up to 2**118, where the last one begins; so points of any scale keep four digits. Both
are monotone along each axis: a cell is a box of space.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.hilbert import BITS, Cells

Numbers = npt.NDArray[np.float64]

_SIDE: Final = 1 << BITS
_HALF: Final = _SIDE >> 1
#: added before the logarithm is taken, so that it begins with an even part
_UNIT: Final = 2.0**-10
#: of a float64's bits: those of the fraction that do not count
_DROPPED: Final = 52 - 13


def box_cells(points: Numbers, low: Numbers, high: Numbers) -> Cells:
    """The cells of the box from `low` to `high`, float64[3] or float64[N,3] each."""
    extent = np.asarray(high - low)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        parts = np.where(extent > 0.0, (points - low) / extent, 0.0)
    return np.asarray(np.clip(parts * _SIDE, 0, _SIDE - 1), np.uint32)


def open_cells(points: Numbers) -> Cells:
    """The cells of all space. The bits of |x| + 2**-10 are a piecewise linear logarithm of it."""
    bits = (np.abs(points) + _UNIT).view(np.int64)
    steps = (bits - np.float64(_UNIT).view(np.int64)) >> _DROPPED
    steps = np.minimum(steps, _HALF - 1)
    return np.asarray(np.where(np.signbit(points), _HALF - 1 - steps, _HALF + steps), np.uint32)
