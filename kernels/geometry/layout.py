"""The shape of many geometries: a structure of arrays, N values and none of them NULL.

    value i:   kind[i], radius[i], srid[i]
    its points coords[coord_starts[i] : coord_starts[i + 1]]                   float64[*, 3]
    its rings  rings[ring_starts[i] : ring_starts[i + 1]], POLYGON only: offsets in its own points,
               the first is 0, each ring is closed (its first point is its last), the outer first

A value without points is empty. Arrays may be views of mapped Arrow buffers: read-only, and
`coord_starts[0]` and `ring_starts[0]` need not be 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

POINT, LINESTRING, POLYGON, MULTIPOINT, HULL = 1, 2, 3, 4, 64
KINDS = (POINT, LINESTRING, POLYGON, MULTIPOINT, HULL)
KIND_NAMES = {
    POINT: "POINT",
    LINESTRING: "LINESTRING",
    POLYGON: "POLYGON",
    MULTIPOINT: "MULTIPOINT",
    HULL: "HULL",
}

Kinds = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.float64]
Srids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shapes:
    """N geometries; `len` is N. Every array is C-contiguous."""

    kind: Kinds  # int8[N]
    radius: Numbers  # float64[N]
    srid: Srids  # int32[N]
    ring_starts: Offsets  # int64[N + 1] into rings
    rings: Srids  # int32[R]
    coord_starts: Offsets  # int64[N + 1] into coords
    coords: Numbers  # float64[M, 3]

    def __post_init__(self) -> None:
        count = len(self.kind)
        assert len(self.radius) == len(self.srid) == count, (len(self.radius), len(self.srid))
        assert len(self.coord_starts) == len(self.ring_starts) == count + 1
        assert self.coords.ndim == 2 and self.coords.shape[1] == 3, self.coords.shape

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def num_points(self) -> Offsets:
        """int64[N]: stored points of each value; 0 is an empty one."""
        return np.diff(self.coord_starts)

    @property
    def is_empty(self) -> Flags:
        """bool[N]"""
        empty: Flags = self.num_points == 0
        return empty

    def points(self, i: int) -> Numbers:
        """float64[K, 3]: the points of value i, a view."""
        return self.coords[self.coord_starts[i] : self.coord_starts[i + 1]]

    def ring_offsets(self, i: int) -> Srids:
        """int32[R]: the ring starts of value i, a view; none unless it is a POLYGON."""
        return self.rings[self.ring_starts[i] : self.ring_starts[i + 1]]

    def take(self, rows: Offsets) -> Shapes:
        """The values at `rows`, in their order; they may repeat."""
        ring_starts, ring_places = _gathered(self.ring_starts, rows)
        coord_starts, coord_places = _gathered(self.coord_starts, rows)
        return Shapes(
            self.kind[rows],
            self.radius[rows],
            self.srid[rows],
            ring_starts,
            self.rings[ring_places],
            coord_starts,
            self.coords[coord_places],
        )


def _gathered(starts: Offsets, rows: Offsets) -> tuple[Offsets, Offsets]:
    """(new starts, places of the elements to copy) for taking `rows` of a list column."""
    first, lengths = starts[rows], starts[rows + 1] - starts[rows]
    made = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(lengths, out=made[1:])
    places = np.arange(made[-1]) + np.repeat(first - made[:-1], lengths)
    return made, places


def make(
    values: Sequence[tuple[int, npt.ArrayLike]],
    radius: npt.ArrayLike = 0.0,
    srid: npt.ArrayLike = 0,
    rings: Sequence[Sequence[int]] | None = None,
) -> Shapes:
    """Shapes from Python values: (kind, points of 2 or 3 coordinates); z is 0 where it is missing.

    `rings` gives the ring starts of each value; without it a POLYGON is its outer ring. Rings are
    taken as they are: close them. For tests and constants, not for columns.
    """
    lists = [_three(points) for _, points in values]
    kind = np.array([kind for kind, _ in values], np.int8)
    starts = (
        [list(r) for r in rings]
        if rings is not None
        else [[0] if k == POLYGON and len(p) else [] for k, p in zip(kind, lists, strict=True)]
    )
    count = len(values)
    return Shapes(
        kind,
        np.array(np.broadcast_to(np.asarray(radius, np.float64), count)),
        np.array(np.broadcast_to(np.asarray(srid, np.int32), count)),
        np.cumsum([0, *map(len, starts)], dtype=np.int64),
        np.array([offset for r in starts for offset in r], np.int32),
        np.cumsum([0, *map(len, lists)], dtype=np.int64),
        np.concatenate([np.empty((0, 3)), *lists]),
    )


def _three(points: npt.ArrayLike) -> Numbers:
    given = np.asarray(points, np.float64)
    if given.size == 0:
        return np.empty((0, 3))
    given = np.atleast_2d(given)
    made = np.zeros((len(given), 3))
    made[:, : given.shape[1]] = given
    return made
