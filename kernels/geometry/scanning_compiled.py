"""What the compiled scanners of WKT and WKB share: the arrays that they write, and their types.

Importing it imports numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types as nt

from hartonomous.kernels.geometry.faults import Scan
from hartonomous.kernels.geometry.layout import POINT, Srids


class Buffers:
    """Room for N rows, as many points as `coords` has, and `rings_max` rings."""

    def __init__(self, srids: Srids, coords: npt.NDArray[Any], rings_max: int) -> None:
        """srids: int32[N]; coords: [M, 3] of 8 bytes each."""
        count = len(srids)
        self._kind, self._srid, self._coords = np.full(count, POINT, np.int8), srids.copy(), coords
        self._coord_starts = np.zeros(count + 1, np.int64)
        self._ring_starts = np.zeros(count + 1, np.int64)
        self._rings = np.empty(rings_max, np.int32)
        self._ring_positions = np.empty(rings_max, np.int64)
        self._codes, self._positions = np.zeros(count, np.int8), np.zeros(count, np.int64)

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """What a scanner is called with, behind the data and its offsets; see `signature`."""
        return (
            self._kind,
            self._srid,
            self._coords,
            self._coord_starts,
            self._rings,
            self._ring_starts,
            self._ring_positions,
            self._codes,
            self._positions,
        )

    def scan(self, points: int, rings: int) -> Scan:
        """What a scanner wrote: so many points and rings; no radii."""
        return Scan(
            self._kind,
            np.zeros(len(self._kind)),
            self._srid,
            self._ring_starts,
            self._rings[:rings],
            self._coord_starts,
            self._coords[:points].view(np.float64),
            self._codes,
            self._positions,
            self._ring_positions[:rings],
        )


def signature(results: int, coords: Any, *more: Any) -> Any:
    """(uint8[…] data and int64[N + 1] offsets, which may be read-only; `Buffers.arrays()`, with
    coordinates of type `coords`; `more`) -> `results` whole numbers."""
    data, offsets = (nt.Array(kind, 1, "C", readonly=True) for kind in (nt.uint8, nt.int64))
    numbers, srids, codes = nt.int64[::1], nt.int32[::1], nt.int8[::1]
    per_row = (codes, srids, coords, numbers, srids, numbers, numbers, codes, numbers)
    return nt.UniTuple(nt.int64, results)(data, offsets, *per_row, *more)  # type: ignore[no-untyped-call]
