"""TensorAtomCoefficients: the numbers of tensors, read a tile of rows at a time.

A tile is some rows of one tensor, widened to float32: small enough for the processor's cache. Tiles
are worked on by all cores, and what comes of them is taken in order. Only those blocks of a row are
widened that the wanted positions lie in.

    reduced(…)    one row for each tensor atom that has a coefficient which passes: its figures
    batches(…)    the coefficients that pass, as they are asked for
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.relations.layout import Chosen, Layout
from hartonomous.kernels import coefficients as kernel
from hartonomous.kernels.blocks import BLOCKS
from hartonomous.kernels.coefficients import Figures, Passing
from hartonomous.kernels.quantize import dequantise, dequantise_compiled

if TYPE_CHECKING:
    from hartonomous.hql.limits import Limits

#: numbers of a tile, and of the tiles that a thread takes at once
TILE_ELEMENTS: Final = 1 << 17
TASK_ELEMENTS: Final = 1 << 21
#: tasks that wait to be taken for each thread
AHEAD: Final = 2
#: rows from which a batch goes on its way
BATCH_ROWS: Final = 8_192

T = TypeVar("T")


@frozen
class Positions:
    """Which elements of a row count: `first` to `last` (None: to its end), and there those among
    `members` (None: any) but not among `excluded`."""

    first: int = 0
    last: int | None = None
    members: npt.NDArray[np.int64] | None = None
    excluded: npt.NDArray[np.int64] | None = None


@frozen
class Wanted:
    """What is asked for: the rows of tensors, their elements, and the tests on them."""

    layout: Layout
    chosen: Chosen
    positions: Positions
    passing: Passing


@dataclass(slots=True)
class Scanned:
    """How many coefficients were looked at so far."""

    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        with self.lock:
            self.count += count


@frozen
class Tile:
    """Rows start to stop of a tensor by its place in the layout; `number` is the first's."""

    place: int
    start: int
    stop: int
    number: int


def tasks_of(wanted: Wanted) -> Iterator[list[Tile]]:
    """The tiles in order, some together."""
    tiles: list[Tile] = []
    elements = 0
    for tile in _tiles(wanted.layout, wanted.chosen):
        tiles.append(tile)
        elements += (tile.stop - tile.start) * wanted.layout.tensors[tile.place].tensor.length
        if elements >= TASK_ELEMENTS:
            yield tiles
            tiles, elements = [], 0
    if tiles:
        yield tiles


def _tiles(layout: Layout, chosen: Chosen) -> Iterator[Tile]:
    for start, stop in chosen.spans.tolist():
        place = int(layout.tensors_of(np.array([start]))[0])
        while start < stop:
            placed = layout.tensors[place]
            end = min(stop, placed.start + placed.tensor.rows)
            rows = max(1, TILE_ELEMENTS // max(1, placed.tensor.length))
            for first in range(start, end, rows):
                last = min(end, first + rows)
                yield Tile(place, first - placed.start, last - placed.start, first)
            start, place = max(start, end), place + 1


# --- figures of atoms ----------------------------------------------------------------------------


def reduced(
    wanted: Wanted, figures: Sequence[tuple[str, str | None]], limits: Limits, scanned: Scanned
) -> tuple[pa.Array, list[pa.Array]]:
    """TensorAtomIds, ascending within a model, of the atoms with a coefficient that passes, and
    of each the figures: (COUNT, None), or SUM, MIN or MAX and a column."""
    bits = 0
    for aggregate, column in figures:
        if column == "Position":
            bits |= kernel.POSITIONS
        elif aggregate != "COUNT":
            bits |= kernel.SUMS if aggregate == "SUM" else kernel.ENDS
    scan = _Scan(wanted, limits, scanned)

    def work(tiles: list[Tile]) -> list[Any]:
        return [_named(*scan.reduce(tile, bits), figures) for tile in tiles]

    parts = [part for parts in scan.each(work) for part in parts]
    if not parts:
        parts = [_named(np.empty(0, np.int64), *_nothing(), figures)]
    numbers, *columns = (np.concatenate(c) for c in zip(*parts, strict=True))
    ids = wanted.layout.atom_ids(numbers) if len(numbers) else numbers
    return pa.array(ids), [pa.array(c) for c in columns]


def _nothing() -> tuple[int, Figures]:
    return 0, kernel.reduce_reference(np.empty((0, 1), np.float32), Passing())


def _named(
    numbers: Any, first: int, found: Figures, figures: Sequence[tuple[str, str | None]]
) -> list[npt.NDArray[Any]]:
    """Numbers of rows and their figures, without the rows where nothing passes; positions count
    from `first`."""
    kept = np.flatnonzero(found.counts)
    columns = [numbers[kept]]
    for figure in figures:
        values = getattr(found, _FIGURES[figure])[kept]
        if figure == ("SUM", "Position"):
            values = values + first * found.counts[kept]
        elif figure[1] == "Position":
            values = values + np.int32(first)
        columns.append(values)
    return columns


#: aggregate and column -> attribute of kernel.Figures
_FIGURES: Final[dict[tuple[str, str | None], str]] = {
    ("COUNT", None): "counts",
    ("SUM", "Coefficient"): "sums",
    ("MIN", "Coefficient"): "least",
    ("MAX", "Coefficient"): "greatest",
    ("SUM", "Magnitude"): "magnitude_sums",
    ("MIN", "Magnitude"): "magnitude_least",
    ("MAX", "Magnitude"): "magnitude_greatest",
    ("SUM", "Position"): "position_sums",
    ("MIN", "Position"): "position_least",
    ("MAX", "Position"): "position_greatest",
}


# --- coefficients --------------------------------------------------------------------------------


def batches(
    wanted: Wanted, columns: Sequence[str], limits: Limits, scanned: Scanned
) -> Iterator[list[pa.Array]]:
    """The named columns of the coefficients that pass, some thousand rows at a time."""
    scan = _Scan(wanted, limits, scanned)

    def work(tiles: list[Tile]) -> list[list[npt.NDArray[Any]]]:
        found = (scan.select(tile, columns) for tile in tiles)
        return [f for f in found if len(f[0])]

    waiting: list[list[npt.NDArray[Any]]] = []
    rows = 0
    for parts in scan.each(work):
        for part in parts:
            waiting.append(part)
            rows += len(part[0])
            if rows >= BATCH_ROWS:
                yield _together(waiting)
                waiting, rows = [], 0
        if waiting:  # whoever wants only some rows need not wait for a full batch
            yield _together(waiting)
            waiting, rows = [], 0


def _together(parts: list[list[npt.NDArray[Any]]]) -> list[pa.Array]:
    return [pa.array(np.concatenate(c) if len(c) > 1 else c[0]) for c in zip(*parts, strict=True)]


# --- tiles ---------------------------------------------------------------------------------------


class _Scan:
    """One pass over the tiles. `compiled`: whether there are so many numbers that numba pays."""

    def __init__(self, wanted: Wanted, limits: Limits, scanned: Scanned) -> None:
        self._wanted, self._limits, self._scanned = wanted, limits, scanned
        tensors = wanted.layout.tensors
        numbers = sum(
            (t.stop - t.start) * tensors[t.place].tensor.length
            for t in _tiles(wanted.layout, wanted.chosen)
        )
        self._compiled = numbers >= kernel.COMPILE_ELEMENTS

    def each(self, work: Callable[[list[Tile]], T]) -> Iterator[T]:
        """What `work` gives for the tasks, in order, some ahead of their time. What it raises is
        raised here; whoever stops early leaves at most a task a thread running."""
        tasks = tasks_of(self._wanted)
        if not self._compiled:
            for tiles in tasks:
                self._limits.check()
                yield work(tiles)
            return
        waiting: deque[Future[T]] = deque()
        try:
            while True:
                while len(waiting) < AHEAD * _threads():
                    tiles_ = next(tasks, None)
                    if tiles_ is None:
                        break
                    waiting.append(_pool(os.getpid()).submit(self._unless_cancelled, work, tiles_))
                if not waiting:
                    return
                self._limits.check()
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _unless_cancelled(self, work: Callable[[list[Tile]], T], tiles: list[Tile]) -> T:
        self._limits.check()
        return work(tiles)

    def reduce(self, tile: Tile, bits: int) -> tuple[npt.NDArray[np.int64], int, Figures]:
        """The numbers of the tile's rows, the position that positions count from, figures."""
        count = tile.stop - tile.start
        numbers = np.arange(tile.number, tile.number + count)
        first, last, passing = self._columns(tile)
        if first > last:
            return numbers[:0], 0, _nothing()[1]
        if passing.takes_all and not bits:
            counts = np.full(count, last - first + 1, np.int64)
            return numbers, first, replace(_nothing()[1], counts=counts)
        values = self._widened(tile, first, last)
        return numbers, first, kernel.reduce(values, passing, bits, self._compiled)

    def select(self, tile: Tile, columns: Sequence[str]) -> list[npt.NDArray[Any]]:
        """The named columns of the coefficients that pass."""
        first, last, passing = self._columns(tile)
        width = last - first + 1
        if width <= 0:
            return [np.empty(0)] * len(columns)
        needs_values = not passing.takes_all or {"Coefficient", "Magnitude"} & set(columns)
        values = self._widened(tile, first, last) if needs_values else None
        kept = None
        if not passing.takes_all:
            assert values is not None
            kept = np.flatnonzero(kernel.test(values, passing, self._compiled))
        rows = tile.stop - tile.start
        made: dict[str, Callable[[], npt.NDArray[Any]]] = {
            "TensorAtomId": lambda: self._ids(tile, rows, width, kept),
            "Position": lambda: _positions(first, rows, width, kept),
            "Coefficient": lambda: _chosen(values, kept),
            "Magnitude": lambda: np.abs(_chosen(values, kept)),
        }
        return [made[name]() for name in columns]

    def _ids(self, tile: Tile, rows: int, width: int, kept: Any) -> npt.NDArray[np.int64]:
        start = tile.number + int(self._wanted.layout.ids[tile.place])
        if kept is None:
            return np.repeat(np.arange(start, start + rows), width)
        ids: npt.NDArray[np.int64] = kept // width + start
        return ids

    def _columns(self, tile: Tile) -> tuple[int, int, Passing]:
        """First and last position of the tile, and what else is asked of its numbers."""
        wanted, passing = self._wanted.positions, self._wanted.passing
        length = self._wanted.layout.tensors[tile.place].tensor.length
        first, last = wanted.first, length - 1
        if wanted.last is not None:
            last = min(last, wanted.last)
        if wanted.members is not None:
            members = wanted.members[(wanted.members >= first) & (wanted.members <= last)]
            if not len(members):
                return 0, -1, passing
            first, last = int(members[0]), int(members[-1])
        columns = None
        if wanted.members is not None or wanted.excluded is not None:
            columns = np.full(max(0, last - first + 1), wanted.members is None, np.bool_)
            if wanted.members is not None:
                columns[members - first] = True
            if wanted.excluded is not None:
                inside = (wanted.excluded >= first) & (wanted.excluded <= last)
                columns[wanted.excluded[inside] - first] = False
            if columns.all():
                columns = None
        return first, last, replace(passing, columns=columns)

    def _widened(self, tile: Tile, first: int, last: int) -> npt.NDArray[np.float32]:
        """float32[rows, last - first + 1]."""
        placed = self._wanted.layout.tensors[tile.place]
        tensor = placed.tensor
        data = placed.model.pack_of(tensor).rows(tile.start, tile.stop)
        elements, size = BLOCKS[tensor.dtype]
        begin, end = first // elements, last // elements + 1
        data = data[:, begin * size : end * size]
        widen = dequantise
        if self._compiled and elements > 1:
            widen = dequantise_compiled
        values = widen(tensor.dtype, data, (end - begin) * elements)
        self._scanned.add(values.size)
        return values[:, first - begin * elements : last + 1 - begin * elements]


def _positions(first: int, rows: int, width: int, kept: Any) -> npt.NDArray[np.int32]:
    if kept is None:
        return np.tile(np.arange(first, first + width, dtype=np.int32), rows)
    positions: npt.NDArray[np.int32] = (kept % width + first).astype(np.int32)
    return positions


def _chosen(values: Any, kept: Any) -> npt.NDArray[np.float32]:
    flat: npt.NDArray[np.float32] = np.ascontiguousarray(values).reshape(-1)
    return flat if kept is None else flat[kept]


def _threads() -> int:
    return len(os.sched_getaffinity(0))


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of a process; a forked one has none of its parent's."""
    return ThreadPoolExecutor(_threads(), "hartonomous-coefficients")
