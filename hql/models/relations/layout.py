"""Layout: the tensors of a snapshot's models laid end to end, and which of their rows ranges leave.

Every row has a *number*: its place when the tensors of all models stand one after the other, from
0. A row's TensorAtomId is its model's first_atom and its place in the model. Rows are chosen as
*spans*, int64[K, 2] of numbers, ascending, start and stop: ranges of columns that are the same for
a whole tensor choose tensors, those of TensorAtomId and RowIdx rows of them, before anything of a
row is made. What a range says of other columns is left to the test above it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.model import Model, Tensor, all_models
from hartonomous.storage.ranges import ColumnRange

if TYPE_CHECKING:
    from hartonomous.storage.catalog import Catalog
    from hartonomous.storage.database import Database

Int64 = npt.NDArray[np.int64]

#: beyond all TensorAtomIds
_FAR: Final = 1 << 62


@frozen
class Placed:
    """A tensor and its model; its rows' numbers are `start` and the following ones."""

    model: Model
    tensor: Tensor
    start: int


#: column -> what it is for all rows of a tensor
OF_TENSOR: Final[dict[str, Callable[[Placed], Any]]] = {
    "ModelId": lambda t: t.model.id,
    "ModelName": lambda t: t.model.name,
    "LayerIdx": lambda t: t.tensor.layer,
    "TensorName": lambda t: t.tensor.name,
    "SourceName": lambda t: t.tensor.source_name,
    "UnitKind": lambda t: t.tensor.unit_kind,
    "DType": lambda t: t.tensor.dtype,
}


@frozen
class Layout:
    """`starts`: int64[T + 1], the numbers of the tensors' first rows, and how many rows there are;
    `model_starts`: int64[M + 1], the same of models; `first_tensors`: int64[M + 1], the places of
    their first tensors; `ids`: int64[T], what makes a tensor's numbers TensorAtomIds."""

    models: tuple[Model, ...]
    tensors: tuple[Placed, ...]
    starts: Int64
    model_starts: Int64
    first_tensors: Int64
    ids: Int64

    @property
    def row_count(self) -> int:
        return int(self.starts[-1])

    def tensors_of(self, numbers: Int64) -> Int64:
        """The places of the tensors that rows belong to."""
        return np.searchsorted(self.starts, numbers, side="right") - 1

    def atom_ids(self, numbers: Int64) -> Int64:
        """TensorAtomIds of rows."""
        ids: Int64 = numbers + self.ids[self.tensors_of(numbers)]
        return ids


@frozen
class Chosen:
    """The rows that ranges leave, and how many tensors have some."""

    spans: Int64
    tensors: int

    @property
    def row_count(self) -> int:
        return int((self.spans[:, 1] - self.spans[:, 0]).sum())

    def numbers(self) -> Int64:
        """int64[rows], ascending."""
        return expanded(self.spans)


def layout_of(catalog: Catalog, database: Database) -> Layout:
    """The layout of all models of a catalog, in the order of their ids."""
    models = all_models(catalog, database)
    tensors: list[Placed] = []
    ids: list[int] = []
    starts, first_tensors, start = [0], [0], 0
    for model in models:
        tensors.extend(Placed(model, t, start + t.first_row) for t in model.tensors)
        ids.extend([model.first_atom - start] * len(model.tensors))
        start += model.row_count
        starts.append(start)
        first_tensors.append(len(tensors))
    return Layout(
        models,
        tuple(tensors),
        np.array([*(t.start for t in tensors), start], np.int64),
        np.array(starts, np.int64),
        np.array(first_tensors, np.int64),
        np.array(ids, np.int64),
    )


def chosen_rows(layout: Layout, ranges: Sequence[ColumnRange]) -> Chosen:
    """The rows that may lie within all ranges."""
    places = list(range(len(layout.tensors)))
    for wanted in ranges:
        of_tensor = OF_TENSOR.get(wanted.column)
        if of_tensor is not None:
            places = [i for i in places if holds(wanted, of_tensor(layout.tensors[i]))]
    kept = np.array(places, np.int64)
    spans = np.stack((layout.starts[:-1][kept], layout.starts[1:][kept]), axis=1)
    for wanted in ranges:
        if wanted.column in ("TensorAtomId", "RowIdx"):
            first = layout.ids[kept] if wanted.column == "TensorAtomId" else -layout.starts[kept]
            kept, spans = _within(wanted, first, kept, spans)
    return Chosen(_joined(spans), len(np.unique(kept)))


def holds(wanted: ColumnRange, value: Any) -> bool:
    """Whether a value lies within a range; NULL only where that is asked for."""
    if value is None or wanted.is_null:
        return value is None and wanted.is_null
    if wanted.values is not None and value not in wanted.values:
        return False
    if wanted.low is not None and (value < wanted.low or (wanted.low_open and value == wanted.low)):
        return False
    high = wanted.high
    return high is None or value < high or (not wanted.high_open and value == high)


def _within(wanted: ColumnRange, offsets: Int64, kept: Int64, spans: Int64) -> tuple[Int64, Int64]:
    """The part of each span within a range of a column of whole numbers that is a row's number
    and the span's offset; and the tensors that the parts belong to."""
    if wanted.is_null:
        return kept[:0], spans[:0]
    start, stop = spans[:, 0], spans[:, 1]
    if wanted.low is not None:
        start = np.maximum(start, _near(wanted.low) + int(wanted.low_open) - offsets)
    if wanted.high is not None:
        stop = np.minimum(stop, _near(wanted.high) + int(not wanted.high_open) - offsets)
    if wanted.values is not None:
        values = np.unique(np.array([_near(v) for v in wanted.values], np.int64))
        numbers = (values[None, :] - offsets[:, None]).reshape(-1)
        span = np.repeat(np.arange(len(kept)), len(values))
        inside = (numbers >= start[span]) & (numbers < stop[span])
        start, kept = numbers[inside], kept[span[inside]]
        stop = start + 1
    some = start < stop
    return kept[some], np.stack((start[some], stop[some]), axis=1)


def _near(value: int) -> int:
    """A number that can be added to; ids are far smaller."""
    return max(-_FAR, min(_FAR, value))


def _joined(spans: Int64) -> Int64:
    """Spans that touch become one."""
    if len(spans) < 2:
        return spans
    begins = np.append(True, spans[1:, 0] != spans[:-1, 1])
    ends = np.append(begins[1:], True)
    return np.stack((spans[begins, 0], spans[ends, 1]), axis=1)


def expanded(spans: Int64) -> Int64:
    """The numbers within spans."""
    lengths = spans[:, 1] - spans[:, 0]
    before = np.cumsum(lengths) - lengths
    numbers: Int64 = np.arange(int(lengths.sum()), dtype=np.int64)
    numbers += np.repeat(spans[:, 0] - before, lengths)
    return numbers
