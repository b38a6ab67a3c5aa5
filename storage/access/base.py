"""What an access method is, and what one part of an index can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

#: what an access method may be good for: regions and joins by distance; ORDER BY a distance;
#: equality, ranges and ORDER BY of values
OVERLAP, NEAREST, ORDER = "overlap", "nearest", "order"

Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class IndexedRows(Protocol):
    """What a part of an index reads of its chunk: the indexed columns by their place in the index,
    invisible rows included."""

    count: int
    types: tuple[pa.DataType, ...]

    def batches(self, place: int) -> Iterator[pa.Array]:
        """A column's values, as the index compares them."""

    def take(self, place: int, offsets: Int64) -> pa.Array:
        """A column's values at offsets, as the index compares them."""

    def value(self, place: int, offset: int) -> Any:
        """One value, in Python's form."""


class IndexPart(Protocol):
    """The index of one chunk."""

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """What an object holds of it."""

    @property
    def bytes(self) -> int: ...


class SpatialPart(IndexPart, Protocol):
    """Of a method that can OVERLAP and NEAREST. Rows are offsets in the chunk, the invisible ones
    included."""

    #: rows it knows nothing about (NULL, empty values): every ordered search has to add them
    missing: Int64

    def overlapping(self, boxes: Floats) -> tuple[Int64, Int64, int]:
        """For float64[Q, 6] boxes (min x, y, z, max x, y, z): starts int64[Q + 1] and offsets,
        ascending for each box, of all rows whose box has a point in common with it; and how many
        nodes were visited. `missing` rows are never among them."""

    def nearest(
        self, centers: Floats, count: int, keep: npt.NDArray[np.bool_] | None
    ) -> tuple[Int64, Int64, int]:
        """For float64[Q, 3] points: starts and offsets of the `count` rows whose boxes are nearest
        (fewer if there are not so many), of those that `keep` lets through; and nodes visited."""

    @property
    def scale(self) -> float:
        """The largest coordinate, by magnitude; 0 if it holds nothing."""


class OrderedPart(IndexPart, Protocol):
    """Of a method that can ORDER: all rows of the chunk, the invisible ones included, by the values
    of the indexed columns, NULL lowest, equal ones by their offsets."""

    count: int

    def rows(self, start: int, stop: int) -> Int64:
        """The offsets at these places of the order."""

    def bound(
        self,
        rows: IndexedRows,
        place: int,
        values: pa.Array,
        low: Int64,
        high: Int64,
        *,
        right: bool,
    ) -> Int64:
        """int64[Q]: for each of `values` (of column number `place`; NULL is a value, the least) the
        first place of the order in [low, high) that is not less than it, or with `right` that is
        greater; `high` if there is none. In each [low, high) all columns before are equal."""

    def span(
        self, rows: IndexedRows, place: int, values: pa.Array, low: Int64, high: Int64
    ) -> tuple[Int64, Int64]:
        """Both bounds at once: where the values themselves stand."""


class AccessMethod(Protocol):
    """`capabilities`: OVERLAP, NEAREST, ORDER: what the rules use an index for. `columns_max`: how
    many columns an index may have; `takes` says in words what `accepts` does."""

    name: str
    capabilities: frozenset[str]
    columns_max: int
    takes: str

    def accepts(self, type_: pa.DataType) -> bool:
        """Whether a column of this type can be indexed."""

    def build(self, rows: IndexedRows) -> IndexPart:
        """The part over a chunk."""

    def open(self, arrays: Mapping[str, npt.NDArray[Any]]) -> IndexPart:
        """The part that `arrays` are of; they may be read-only. ValueError, KeyError if they cannot
        be a part's."""

    def check(self, part: IndexPart, rows: IndexedRows) -> str | None:
        """What is wrong with a part, compared with the rows it is over; None if nothing is. VERIFY
        DATABASE asks."""


#: columns of one index beyond which nobody is helped
COLUMNS_MAX = 32
