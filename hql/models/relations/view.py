"""TensorAtoms as a scan reads it: a table's view over the models of one snapshot.

Every model is a chunk of the view, so an address is the model's place << 32 | the row's place in
it, and an index over WeightsGeometry is found, searched and kept by chunks as any other is; its
parts are built in memory when first asked for, and kept by what they are made of. Narrow columns
are made when they are read, of the rows that ranges leave; in place of Weights and WeightsGeometry
a scan gets numbers (layout.py), of which `deferred` makes values.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from hartonomous.hql.models.relations.columns import column, gathered
from hartonomous.hql.models.relations.layout import Chosen, Int64, Layout, chosen_rows, layout_of
from hartonomous.hql.models.relations.values import Points, Weights
from hartonomous.storage.chunk import BATCH_ROWS, Chunk, Selection
from hartonomous.storage.table import (
    ADDRESS,
    ADDRESS_BITS,
    OFFSET_MASK,
    ROW_ID,
    ColumnRange,
    Deferred,
    ScanResult,
    TableView,
)

if TYPE_CHECKING:
    from hartonomous.hql.operators.base import Source
    from hartonomous.storage.access.parts import ChunkIndex
    from hartonomous.storage.catalog import TableEntry
    from hartonomous.storage.statistics import ZoneMap

_WIDE: Final[dict[str, type[Weights | Points]]] = {"Weights": Weights, "WeightsGeometry": Points}

#: models whose parts of indexes are kept
KEPT_MAX: Final = 16


class AtomView(TableView):
    """What a scan asks of a view."""

    __slots__ = ("layout",)

    def __init__(self, table: TableEntry, layout: Layout) -> None:
        super().__init__(table, tuple(enumerate(_selections(layout))))
        self.layout = layout

    def scan(
        self,
        columns: Sequence[str],
        ranges: Sequence[ColumnRange] = (),
        *,
        address: bool = False,
        row_id: bool = False,
        cancel: Callable[[], bool] | None = None,
    ) -> ScanResult:
        chosen = chosen_rows(self.layout, ranges)
        return self._chosen(columns, chosen, address, row_id)

    def _chosen(
        self, columns: Sequence[str], chosen: Chosen, address: bool, row_id: bool
    ) -> ScanResult:
        fields = {name: self._column(name, chosen) for name in columns}
        if address:
            fields[ADDRESS] = pa.chunked_array([pa.array(self._addresses(chosen.numbers()))])
        if row_id:
            fields[ROW_ID] = column(self.layout, "TensorAtomId", chosen)
        table = pa.table(list(fields.values()), names=list(fields))
        return ScanResult(
            table,
            batches_total=0,
            batches_pruned=0,
            segments_total=0,
            segments_pruned=0,
            bytes_mapped=table.nbytes,
            deferred={n: _WIDE[n](self.layout) for n in columns if n in _WIDE},
            tensors_total=len(self.layout.tensors),
            tensors_pruned=len(self.layout.tensors) - chosen.tensors,
        )

    def _column(self, name: str, chosen: Chosen) -> pa.ChunkedArray:
        if name not in _WIDE:
            return column(self.layout, name, chosen)
        numbers = chosen.numbers()
        valid = _WIDE[name](self.layout).valid(numbers)
        return pa.chunked_array([pa.array(numbers, mask=None if valid is None else ~valid)])

    def gather_all(self, columns: Sequence[str], addresses: Int64) -> list[pa.ChunkedArray]:
        return [self.gather(name, addresses) for name in columns]

    def gather(self, column: str, addresses: Int64) -> pa.ChunkedArray:
        """As TableView.gather; the addresses of narrow columns ascend."""
        numbers = self._numbers(np.asarray(addresses, np.int64))
        if column == "Weights":
            return pa.chunked_array([pa.array(numbers)])
        if column == "WeightsGeometry":
            return pa.chunked_array([Points(self.layout).values(numbers)])
        return gathered(self.layout, column, numbers)

    def deferred(self, columns: Sequence[str]) -> Mapping[str, Deferred]:
        return {"Weights": Weights(self.layout)} if "Weights" in columns else {}

    def narrowed(self, addresses: Int64, ranges: Sequence[ColumnRange]) -> Int64:
        spans = chosen_rows(self.layout, ranges).spans
        numbers = self._numbers(addresses)
        place = np.searchsorted(spans[:, 0], numbers, side="right") - 1
        inside = place >= 0
        inside[inside] = numbers[inside] < spans[place[inside], 1]
        return addresses[inside]

    def _addresses(self, numbers: Int64) -> Int64:
        starts = self.layout.model_starts
        places = np.searchsorted(starts, numbers, side="right") - 1
        return (places << ADDRESS_BITS) + numbers - starts[places]

    def _numbers(self, addresses: Int64) -> Int64:
        numbers: Int64 = self.layout.model_starts[addresses >> ADDRESS_BITS]
        return numbers + (addresses & OFFSET_MASK)


def open_atoms(table: TableEntry, source: Source) -> AtomView:
    """TensorAtoms as a snapshot or transaction has them."""
    return AtomView(table, layout_of(source.catalog, source.database))


# --- chunks --------------------------------------------------------------------------------------


class PointRows:
    """The points of one model's rows, all that indexes read of a chunk (storage/chunk.py: Rows)."""

    is_mapped = False
    bytes = 0

    def __init__(self, layout: Layout, place: int) -> None:
        self._layout = layout
        self._first, end = layout.model_starts[place : place + 2].tolist()
        self.count: int = end - self._first

    def column(self, name: str, batch: int) -> pa.Array | None:
        start = batch * BATCH_ROWS
        stop = min(self.count, start + BATCH_ROWS)
        return Points(self._layout).values(np.arange(self._first + start, self._first + stop))

    def has(self, name: str) -> bool:
        return True

    def zone_map(self, name: str) -> ZoneMap | None:
        return None

    def batch_bytes(self, name: str, batch: int) -> int:
        return 0

    def open(self) -> None:
        """Nothing is mapped."""


def _selections(layout: Layout) -> list[Selection]:
    selections = []
    for place, model in enumerate(layout.models):
        chunk = Chunk(PointRows(layout, place), model.first_atom, 0)
        srids = tuple(sorted(model.srids.items()))
        chunk.indexes = _kept_indexes((model.entry.manifest, srids))
        selections.append(Selection(chunk, 0, {}))
    return selections


_INDEXES: OrderedDict[object, dict[int, ChunkIndex]] = OrderedDict()


def _kept_indexes(key: object) -> dict[int, ChunkIndex]:
    """The parts of indexes over a model's points, by what decides them."""
    found = _INDEXES.pop(key, None)
    kept = _INDEXES[key] = {} if found is None else found
    while len(_INDEXES) > KEPT_MAX:
        _INDEXES.popitem(last=False)
    return kept
