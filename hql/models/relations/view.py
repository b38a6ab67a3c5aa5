"""TensorAtoms as a scan reads it: a table's view over the models of one snapshot.

An address is a row's number (layout.py), a row id its TensorAtomId. Narrow columns are made when
they are read, of the rows that ranges leave; in place of Weights and WeightsGeometry the scan gets
numbers, of which `deferred` makes values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from hartonomous.hql.models.relations.columns import column
from hartonomous.hql.models.relations.layout import Chosen, Layout, chosen_rows, layout_of
from hartonomous.hql.models.relations.values import Points, Weights
from hartonomous.storage.table import ADDRESS, ROW_ID, ColumnRange, ScanResult, TableView

if TYPE_CHECKING:
    from hartonomous.hql.operators.base import Source
    from hartonomous.storage.catalog import TableEntry

_WIDE: Final[dict[str, type[Weights | Points]]] = {"Weights": Weights, "WeightsGeometry": Points}


class AtomView(TableView):
    """What a scan asks of a view."""

    __slots__ = ("layout",)

    def __init__(self, table: TableEntry, layout: Layout) -> None:
        super().__init__(table, ())
        self.layout = layout
        self.row_count = layout.row_count

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
            fields[ADDRESS] = pa.chunked_array([pa.array(chosen.numbers())])
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


def open_atoms(table: TableEntry, source: Source) -> AtomView:
    """TensorAtoms as a snapshot or transaction has them."""
    return AtomView(table, layout_of(source.catalog, source.database))
