"""What an access method is, and what one part of an index can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

#: what an access method may be good for: regions and joins by distance; ORDER BY a distance
OVERLAP, NEAREST = "overlap", "nearest"

Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class IndexPart(Protocol):
    """The index of one chunk. Rows are offsets in the chunk, the invisible ones included."""

    #: rows it knows nothing about (NULL, empty values): every ordered search has to add them
    missing: Int64

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """What an object holds of it."""

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

    @property
    def bytes(self) -> int: ...


class AccessMethod(Protocol):
    """`capabilities`: OVERLAP, NEAREST: what the rules use an index for."""

    name: str
    capabilities: frozenset[str]

    def accepts(self, type_: pa.DataType) -> bool:
        """Whether a column of this type can be indexed."""

    def build(self, batches: Iterator[pa.Array], count: int) -> IndexPart:
        """The part over a chunk's `count` values."""

    def open(self, arrays: Mapping[str, npt.NDArray[Any]]) -> IndexPart:
        """The part that `arrays` are of; they may be read-only. ValueError, KeyError if they cannot
        be a part's."""

    def check(self, part: IndexPart, batches: Sequence[pa.Array]) -> str | None:
        """What is wrong with a part, compared with the rows it is over, hidden ones included; None
        if nothing is. VERIFY DATABASE asks."""

    def pays(self, candidates: int, rows: int) -> bool:
        """Whether looking at `candidates` rows one by one costs less than reading all `rows`."""
