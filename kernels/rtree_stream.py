"""The neighbours of a point in an R-tree, a few at a time, for callers who refine them.

A caller who wants the k rows nearest by a distance of its own, never below the distance to the box,
takes candidates until the next one's box is farther than its k-th best.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hartonomous.kernels import rtree_layout as layout
from hartonomous.kernels.rtree_layout import Floats, Integers

if TYPE_CHECKING:
    from hartonomous.kernels.rtree import Tree

_FIRST_ROOM = 512


class Neighbours:
    """Entries by (distance, row). One thread at a time."""

    def __init__(
        self, tree: Tree, center: Floats, radius_limit: float, keep: int, cancel: int, held: object
    ) -> None:
        """`keep` and `cancel` are addresses (0: none) in what `held` keeps alive."""
        self._tree, self._held = tree, held
        x, y, z = center.tolist()
        self._query = (x, y, z, float(radius_limit), keep, cancel)
        self._distances = np.zeros(_FIRST_ROOM + tree.leaf_size, np.float64)
        self._items = np.empty(len(self._distances), np.int64)
        self._size = 0
        if tree.entries and all(map(math.isfinite, (x, y, z))):
            height = int(tree.frame[layout.HEIGHT])
            self._items[0], self._size = -1 - (height << layout.LEVEL_BITS), 1
        #: nodes and leaves looked at so far
        self.visited = 0

    def take(self, count: int) -> tuple[Floats, Integers]:
        """Distances and rows of the next `count` entries; fewer at the end, or when cancelled."""
        distances, rows = np.empty(count, np.float64), np.empty(count, np.int64)
        if not self._size:
            return distances[:0], rows[:0]
        from hartonomous.kernels import rtree_stream_compiled as compiled

        filled = 0
        while True:
            filled, self._size, visited, is_short = compiled.advance(
                self._tree.frame, *self._query, self._distances, self._items, self._size,
                distances, rows, filled,
            )  # fmt: skip
            self.visited += visited
            if not is_short:
                return distances[:filled], rows[:filled]
            self._distances = np.concatenate((self._distances, self._distances))
            self._items = np.concatenate((self._items, self._items))
