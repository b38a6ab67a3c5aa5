"""CoefficientsOperator: TensorAtomCoefficients as a fragment reads it.

With partials: one row for each tensor atom that has a coefficient which passes the tests, as a
table. Else the coefficients that pass, as a stream that is made as the engine pulls it; each time
the engine begins to read, the scan begins anew. What goes wrong in the stream is put aside, as an
error of a native call is, for the engine passes on its text only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.engine.native_calls import NATIVE_CALLS
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.base import Execution, Figures
from hartonomous.hql.operators.ranges import ranges_of
from hartonomous.hql.rules.simple import value_of
from hartonomous.hql.types import BIGINT

ATOM_ID = "TensorAtomId"


class CoefficientRows:
    """Rows that are made as they are read, by whoever reads them."""

    def __init__(self, schema: pa.Schema, begin: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        self.schema, self._begin = schema, begin

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        reader = pa.RecordBatchReader.from_batches(self.schema, self._begin())
        return reader.__arrow_c_stream__(requested_schema)


@frozen
class CoefficientsOperator:
    """`label` stands before the names of its columns in the fragment."""

    source: p.Coefficients
    label: str

    @property
    def relation(self) -> int:
        return self.source.relation

    def table(self, execution: Execution) -> pa.Table | CoefficientRows:
        """What is registered under the relation's name; at least one column."""
        from hartonomous.hql.models.relations.coefficients import Scanned

        figures, scanned = Figures(coefficients=0), Scanned()
        if execution.measured is not None:
            execution.measured.note(self, figures)
        if self.source.partials is None:
            return self._stream(execution, figures, scanned)
        started = time.perf_counter()
        with execution.limits.lent():
            table = self._atoms(self.source.partials, execution, scanned, figures)
        figures.seconds = time.perf_counter() - started
        figures.rows, figures.bytes = table.num_rows, table.nbytes
        figures.coefficients = scanned.count
        return table

    def preview(self, execution: Execution) -> pa.Table:
        """Enough to plan with."""
        return self._schema().empty_table()

    def _names(self) -> list[str]:
        if self.source.partials is not None:
            return [ATOM_ID, *(x.name for x in self.source.partials)]
        return [f.name for f in self.source.fields] or [ATOM_ID]

    def _schema(self) -> pa.Schema:
        types = {f.name: f.type for f in self.source.fields} | {ATOM_ID: BIGINT}
        types |= {x.name: x.type for x in self.source.partials or ()}
        return pa.schema([(f"{self.label}.{n}", types[n].arrow) for n in self._names()])

    def _wanted(self, execution: Execution, figures: Figures) -> Any:
        """What the scan is asked for, in this execution's models; None if nothing can pass."""
        from hartonomous.hql.models.relations.coefficient_tests import Comparison, bounds_of
        from hartonomous.hql.models.relations.coefficients import Wanted
        from hartonomous.hql.models.relations.layout import chosen_rows, layout_of
        from hartonomous.hql.models.relations.tables import atoms_entry

        tests = [
            Comparison(t.column, t.op, tuple(value_of(v, execution.parameters) for v in t.values))
            for t in self.source.tests
        ]
        bounds = bounds_of(tests)
        if bounds is None:
            return None
        seen = execution.at(self.source.moment)
        layout = layout_of(seen.catalog, seen.database)
        table = atoms_entry()
        given = [r for r in self.source.ranges if table.find_column(r.column) is not None]
        chosen = chosen_rows(layout, ranges_of(given, table, execution))
        figures.tensors_total = len(layout.tensors)
        figures.tensors_pruned = len(layout.tensors) - chosen.tensors
        return Wanted(layout, chosen, *bounds)

    def _atoms(
        self, partials: tuple[p.Partial, ...], execution: Execution, scanned: Any, figures: Figures
    ) -> pa.Table:
        from hartonomous.hql.models.relations.coefficients import reduced

        schema = self._schema()
        wanted = self._wanted(execution, figures)
        if wanted is None:
            return schema.empty_table()
        asked = [(x.aggregate, x.column) for x in partials]
        ids, columns = reduced(wanted, asked, execution.limits, scanned)
        return pa.table([ids, *columns], schema=schema)

    def _stream(self, execution: Execution, figures: Figures, scanned: Any) -> CoefficientRows:
        schema = self._schema()
        wanted = self._wanted(execution, figures)
        number = NATIVE_CALLS.register(_not_called)
        execution.closers.append(partial(NATIVE_CALLS.release, number))

        def begin() -> Iterator[pa.RecordBatch]:
            from hartonomous.hql.models.relations.coefficients import batches

            if wanted is None:
                return
            try:
                for columns in batches(wanted, self._names(), execution.limits, scanned):
                    figures.rows += len(columns[0])
                    figures.coefficients = scanned.count
                    yield pa.RecordBatch.from_arrays(columns, schema=schema)
            except Exception as failure:
                raise NATIVE_CALLS.put_aside(number, failure) from failure

        return CoefficientRows(schema, begin)


def _not_called(arguments: list[pa.Array]) -> pa.Array:
    raise AssertionError("a stream is no function")
