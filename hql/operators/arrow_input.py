"""ArrowInput: rows that came as an Arrow table, from a parameter or a system table."""

from __future__ import annotations

import time

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.base import Execution, Figures


@frozen
class ArrowInput:
    """`label` and `sources` as in ScanOperator. `is_single`: nothing else reads these rows, and
    they are read once, so that a reader may stream."""

    source: p.ArrowSource
    label: str
    sources: dict[str, int]
    is_single: bool = False

    @property
    def relation(self) -> int:
        return self.source.relation

    def table(self, execution: Execution) -> pa.Table | pa.RecordBatchReader:
        """What is registered under the relation's name; at least one column."""
        started = time.perf_counter()
        given = execution.rows_of(self.source.key, self.source.moment)
        if isinstance(given, pa.RecordBatchReader):
            if self.is_single and not self.sources and self._is_plain(given.schema):
                return self._renamed(given)
            given = given.read_all()
        columns, names = [], []
        for field in self.source.fields:
            values = given.column(field.name)
            if not values.type.equals(field.type.arrow):
                values = values.cast(field.type.arrow)
            if field.type.is_wide:
                values = execution.store.add_column(self.sources[field.name], values)
            columns.append(values)
            names.append(f"{self.label}.{field.name}")
        if not columns:
            columns.append(pa.chunked_array([pa.nulls(given.num_rows, pa.int8())]))
            names.append(f"{self.label}.__none")
        if execution.measured is not None:
            seconds = time.perf_counter() - started
            figures = Figures(rows=given.num_rows, seconds=seconds, bytes=given.nbytes)
            execution.measured.note(self, figures)
        return pa.table(columns, names=names)

    def preview(self, execution: Execution) -> pa.Table | pa.RecordBatchReader:
        return self.table(execution)

    def _is_plain(self, schema: pa.Schema) -> bool:
        fields = self.source.fields
        same = all(schema.field(f.name).type.equals(f.type.arrow) for f in fields)
        return bool(fields) and same

    def _renamed(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        wanted = [f.name for f in self.source.fields]
        fields = [(f"{self.label}.{n}", reader.schema.field(n).type) for n in wanted]
        schema = pa.schema(fields)
        batches = (
            pa.RecordBatch.from_arrays([b.column(n) for n in wanted], schema=schema) for b in reader
        )
        return pa.RecordBatchReader.from_batches(schema, batches)
