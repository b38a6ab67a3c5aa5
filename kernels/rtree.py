"""A packed R-tree over boxes or points in three dimensions: built once, searched where it lies.

    boxes: float64[N, 6] (min x, y, z, max x, y, z) or float64[N, 3] points; a row with NaN is an
    empty value and never found

Searches answer what rtree_reference.py defines, to the bit and in the same order. They run on the
tree's arrays wherever those are, a mapped file included, and let go of the GIL; any number of
threads may search one tree.

All searches take two optional arrays: `cancel`, int8[1], is looked at every thousand nodes, and a
search that finds it set ends early with what it has, so whoever passes it looks at it afterwards;
to `visited`, int64[1], the number of nodes and leaves that were looked at is added.

A million clustered points are built in a quarter of a second; the ten nearest take 5 µs a call, 2
in batches, of which a dozen nodes are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from hartonomous.kernels import rtree_layout as layout
from hartonomous.kernels.rtree_layout import Boxes32, Floats, Integers, RowNumbers
from hartonomous.kernels.rtree_stream import Neighbours

#: an array of bytes that is truth values
Mask = npt.NDArray[np.bool_]
Flag = npt.NDArray[np.int8]

#: batches from this size on are worked on in the order of a curve
_SORTED_FROM = 64
_CURVE_BITS = 20
_NOTHING = np.empty(0, np.int64)
#: steps that put two zeros between the bits of a number below 2²¹
_SPREAD = tuple(
    (np.uint64(shift), np.uint64(mask))
    for shift, mask in (
        (32, 0x001F00000000FFFF),
        (16, 0x001F0000FF0000FF),
        (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    )
)


def build(boxes: Floats, leaf_size: int = layout.BLOCK) -> Tree:
    """A tree over the rows of float64[N, 6] boxes or float64[N, 3] points, N < 2³¹; `leaf_size` is
    a multiple of 16."""
    assert boxes.ndim == 2 and boxes.shape[1] in (3, 6), boxes.shape
    assert boxes.dtype == np.float64, boxes.dtype
    assert len(boxes) <= layout.ROWS_MAX, len(boxes)
    assert leaf_size > 0 and leaf_size % layout.BLOCK == 0, leaf_size
    from hartonomous.kernels import rtree_build_compiled as compiled

    boxes = np.ascontiguousarray(boxes)
    low, high = boxes[:, :3], boxes[:, -3:]
    is_points = not (low < high).any()
    assert not (low > high).any(), "a box ends before it begins"
    filled = np.flatnonzero(~np.isnan(boxes).any(axis=1))
    records = _records(low, high, is_points, filled)
    compiled.order(records, leaf_size)
    count, sides = (
        -(-len(filled) // leaf_size),
        layout.POINT_SIDES if is_points else layout.BOX_SIDES,
    )
    leaves = np.empty((count, sides, leaf_size), np.float64)
    rows = np.empty((count, leaf_size), np.int32)
    first, last = np.empty((count, 3), np.float64), np.empty((count, 3), np.float64)
    compiled.fill(_address(boxes), boxes.shape[1], records, leaves, rows, first, last)
    header = np.array([layout.VERSION, len(boxes), len(filled), leaf_size], np.int64)
    return Tree(header, leaves, rows, layout.nodes_over(first, last))


def _records(low: Floats, high: Floats, is_points: bool, filled: Integers) -> Floats:
    """float64[E, 4]: the center and the number of each row that is filled."""
    records = np.empty((len(filled), 4), np.float64)
    if len(filled) < len(low):
        low, high = low[filled], high[filled]
    if is_points:
        records[:, :3] = low
    else:
        np.multiply(low, 0.5, out=records[:, :3])
        with np.errstate(invalid="ignore"):
            records[:, :3] += high * 0.5
    np.nan_to_num(records, copy=False)  # an infinite box has no center; it may lie anywhere
    records[:, 3] = filled
    return records


@dataclass(frozen=True, eq=False)
class Tree:
    """The four arrays of rtree_layout.py, and the searches in them."""

    header: Integers
    leaves: Floats
    rows: RowNumbers
    nodes: Boxes32
    #: what compiled searches are told: sizes and addresses
    frame: Integers = field(init=False, repr=False)

    @staticmethod
    def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Tree:
        """The tree that `arrays()` gave away. Nothing is copied: the arrays must stay as they are
        while the tree is used. ValueError if they cannot be a tree's."""
        return Tree(arrays["header"], arrays["leaves"], arrays["rows"], arrays["nodes"])

    def __post_init__(self) -> None:
        layout.check(self.header, self.leaves, self.rows, self.nodes)
        frame = layout.frame(self.entries, self.leaves, self.rows, self.nodes)
        object.__setattr__(self, "frame", frame)

    def __reduce__(self) -> tuple[Any, ...]:
        return Tree.from_arrays, (self.arrays(),)  # addresses do not travel

    @property
    def row_count(self) -> int:
        """Rows the tree was built from."""
        return int(self.header[1])

    @property
    def entries(self) -> int:
        """Rows that can be found: those without NaN."""
        return int(self.header[2])

    @property
    def leaf_size(self) -> int:
        return int(self.header[3])

    @property
    def is_points(self) -> bool:
        return bool(self.leaves.shape[1] == layout.POINT_SIDES)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays().values())

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is written to a file: C-contiguous arrays by name."""
        return {
            "header": self.header,
            "leaves": self.leaves,
            "rows": self.rows,
            "nodes": self.nodes,
        }

    def search_box(
        self, box: Floats, *, visited: Integers | None = None, cancel: Flag | None = None
    ) -> Integers:
        """int64[K] rows of the boxes that share a point with float64[6] `box`, ascending."""
        if not self.entries:
            return _NOTHING
        found, nodes = _searches().box(self.frame, *box.tolist(), _address(cancel))
        return _counted(found, nodes, visited)

    def search_ball(
        self,
        center: Floats,
        radius: float,
        *,
        visited: Integers | None = None,
        cancel: Flag | None = None,
    ) -> Integers:
        """int64[K] rows of the boxes no farther than `radius` from `center`, ascending."""
        if not self.entries:
            return _NOTHING
        x, y, z = center.tolist()
        found, nodes = _searches().ball(self.frame, x, y, z, float(radius), _address(cancel))
        return _counted(found, nodes, visited)

    def search_boxes(
        self,
        boxes: Floats,
        *,
        threads: int = 1,
        visited: Integers | None = None,
        cancel: Flag | None = None,
    ) -> tuple[Integers, Integers]:
        """int64[Q + 1] starts and int64[K] rows for float64[Q, 6]: query q found
        rows[starts[q]:starts[q + 1]], ascending."""
        assert boxes.ndim == 2 and boxes.shape[1] == 6, boxes.shape
        with np.errstate(over="ignore", invalid="ignore"):
            order = self._order(boxes[:, :3] * 0.5 + boxes[:, 3:] * 0.5)
        boxes, stop = _own(boxes), _address(cancel)

        def work(first: int, last: int, counts: Integers) -> tuple[Integers, int]:
            return _searches().boxes(  # type: ignore[no-any-return]
                self.frame, boxes, order, first, last, self.row_count, stop, counts
            )

        return self._answers(order, threads, work, visited)

    def search_balls(
        self,
        centers: Floats,
        radii: Floats,
        *,
        threads: int = 1,
        visited: Integers | None = None,
        cancel: Flag | None = None,
    ) -> tuple[Integers, Integers]:
        """As search_boxes, for float64[Q, 3] centers and float64[Q] radii."""
        assert centers.shape == (len(radii), 3), (centers.shape, radii.shape)
        order, stop = self._order(centers), _address(cancel)
        centers, radii = _own(centers), _own(radii)

        def work(first: int, last: int, counts: Integers) -> tuple[Integers, int]:
            return _searches().balls(  # type: ignore[no-any-return]
                self.frame, centers, radii, order, first, last, self.row_count, stop, counts
            )

        return self._answers(order, threads, work, visited)

    def nearest(
        self,
        center: Floats,
        k: int,
        radius_limit: float = np.inf,
        keep: Mask | None = None,
        *,
        visited: Integers | None = None,
        cancel: Flag | None = None,
    ) -> tuple[Floats, Integers]:
        """Distances and rows of the (up to) k boxes nearest to float64[3] `center` that are no
        farther than `radius_limit` and, by bool[N] `keep`, are wanted; by (distance, row)."""
        room = min(k, self.entries)
        distances, rows = np.empty(room, np.float64), np.empty(room, np.int64)
        if not room:
            return distances, rows
        x, y, z = center.tolist()
        count, nodes = _nearest().nearest(
            self.frame, x, y, z, float(radius_limit), self._kept(keep), _address(cancel),
            distances, rows,
        )  # fmt: skip
        if visited is not None:
            visited[0] += nodes
        return distances[:count], rows[:count]

    def nearest_of_each(
        self,
        centers: Floats,
        k: int,
        radius_limit: float | Floats = np.inf,
        keep: Mask | None = None,
        *,
        threads: int = 1,
        visited: Integers | None = None,
        cancel: Flag | None = None,
    ) -> tuple[Floats, Integers]:
        """As nearest, for float64[Q, 3] centers and one limit or float64[Q]: float64[Q, k]
        distances and int64[Q, k] rows, inf and -1 where a query has fewer than k."""
        assert centers.ndim == 2 and centers.shape[1] == 3, centers.shape
        distances = np.full((len(centers), k), np.inf)
        rows = np.full((len(centers), k), -1, np.int64)
        if not rows.size or not self.entries:
            return distances, rows
        limits = _own(np.broadcast_to(radius_limit, len(centers)))
        order, wanted, stop = self._order(centers), self._kept(keep), _address(cancel)
        centers, flat = _own(centers), (distances.reshape(-1), rows.reshape(-1))

        def work(first: int, last: int) -> int:
            return _nearest().nearest_of_each(  # type: ignore[no-any-return]
                self.frame, centers, limits, order, first, last, wanted, stop, k, *flat
            )

        total = sum(_in_parts(len(centers), threads, work))
        if visited is not None:
            visited[0] += total
        return distances, rows

    def neighbours(
        self,
        center: Floats,
        radius_limit: float = np.inf,
        keep: Mask | None = None,
        *,
        cancel: Flag | None = None,
    ) -> Neighbours:
        """What `nearest` answers, a few at a time, for as long as somebody asks."""
        return Neighbours(
            self, center, radius_limit, self._kept(keep), _address(cancel), (keep, cancel)
        )

    def _kept(self, keep: Mask | None) -> int:
        if keep is None:
            return 0
        assert keep.dtype == np.bool_ and keep.flags.c_contiguous, keep.dtype
        assert keep.shape == (self.row_count,), (keep.shape, self.row_count)
        return _address(keep)

    def _order(self, centers: Floats) -> Integers:
        """The order in which queries are best worked on: neighbours read the same nodes."""
        if len(centers) < _SORTED_FROM or len(self.leaves) < layout.FAN_OUT:
            return np.arange(len(centers))
        return curve_order(centers)

    def _answers(
        self,
        order: Integers,
        threads: int,
        work: Callable[[int, int, Integers], tuple[Integers, int]],
        visited: Integers | None,
    ) -> tuple[Integers, Integers]:
        """What `work` found for the queries `order`, as starts and rows."""
        starts = np.zeros(len(order) + 1, np.int64)
        if not self.entries:
            return starts, _NOTHING
        from hartonomous.kernels.rtree_rows_compiled import scatter

        counts = starts[1:]
        parts = _in_parts(
            len(order), threads, lambda first, last: (first, last, *work(first, last, counts))
        )
        np.cumsum(counts, out=counts)
        rows = np.empty(int(starts[-1]), np.int64)
        for first, last, found, nodes in parts:
            scatter(found, order, first, last, starts, rows)
            if visited is not None:
                visited[0] += nodes
        return starts, rows


def curve_order(centers: Floats) -> Integers:
    """int64[Q]: the places of float64[Q, 3] centers along a Z-order curve over their own box
    (G. Morton, 1966); those that are no numbers come somewhere."""
    keys = np.zeros(len(centers), np.uint64)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.nanmin(centers, axis=0), np.nanmax(centers, axis=0)
        shares = np.nan_to_num((centers - low) / (high - low)).clip(0.0, 1.0)
    for axis in range(3):
        cells = (shares[:, axis] * ((1 << _CURVE_BITS) - 1)).astype(np.uint64)
        for shift, mask in _SPREAD:
            cells = (cells | cells << shift) & mask
        keys |= cells << np.uint64(axis)
    return np.argsort(keys)


_Part = TypeVar("_Part")


def _in_parts(count: int, threads: int, work: Callable[[int, int], _Part]) -> list[_Part]:
    """work(first, last) over parts of range(count), in threads: the kernels let go of the GIL.
    Not numba's own threads, one layer of which ends the process when two calls meet."""
    if threads <= 1 or count < 2 * _SORTED_FROM:
        return [work(0, count)]
    from concurrent.futures import ThreadPoolExecutor

    borders = [count * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, borders[:-1], borders[1:]))


def _counted(found: Integers, nodes: int, visited: Integers | None) -> Integers:
    if visited is not None:
        visited[0] += nodes
    found.sort()
    return found


def _own(queries: npt.ArrayLike) -> Floats:
    """A copy: to numba, an array that may not be written to is of another type."""
    return np.array(queries, np.float64, order="C")


def _address(array: npt.NDArray[Any] | None) -> int:
    """Where an array lies, 0 if there is none."""
    return 0 if array is None else int(array.__array_interface__["data"][0])


@cache
def _searches() -> Any:
    from hartonomous.kernels import rtree_search_compiled

    return rtree_search_compiled


@cache
def _nearest() -> Any:
    from hartonomous.kernels import rtree_nearest_compiled

    return rtree_nearest_compiled
