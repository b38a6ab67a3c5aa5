"""INSERT … VALUES of constants and parameters without a plan: values straight into an Arrow batch.

What was worked out for a text is kept with it: which cell holds a constant (converted already) and
which a parameter. A cell or a value that needs more than that (expressions, conversions) is left to
the general way in dml.py, which gives the same rows or says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.changes.arrays import array_maker
from hartonomous.hql.changes.assigning import target_columns, without_identity
from hartonomous.hql.changes.columns import bulk, columns_of
from hartonomous.hql.changes.completion import Completion
from hartonomous.hql.changes.output_clause import output_result
from hartonomous.hql.changes.plain_values import Plain, Unusual, plain
from hartonomous.hql.changes.targets import get_table
from hartonomous.hql.parameters import named
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.syntax.trees import unbounded
from hartonomous.hql.system_schema.behaviour import find_behaviour, given_shape
from hartonomous.hql.types import parse_type
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold
from hartonomous.storage.load import FEW_ROWS

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.insert import Insert

#: kept for statements that must take the general way
GENERAL = "general"


class FastInsert:
    """A prepared INSERT. `cells` holds for each row and given column a parameter's name and what
    converts its value, or None and a constant."""

    __slots__ = (
        "behaviour",
        "bulks",
        "cells",
        "completion",
        "makers",
        "names",
        "places",
        "schema",
        "table",
    )

    def __init__(self, table: TableEntry, columns: Sequence[ColumnEntry], body: ast.Values) -> None:
        self.table = table
        self.behaviour = find_behaviour(table)
        self.names = [c.name for c in columns]
        types = [parse_type(c.type) for c in columns]
        self.makers = [array_maker(t.arrow) for t in types]
        self.bulks = [bulk(t) for t in types]
        converters = [plain(t) for t in types]
        fields = [Field(c.name, unbounded(t)) for c, t in zip(columns, types, strict=True)]
        self.completion = Completion(given_shape(table), fields)
        self.schema = self.completion.schema
        self.places = self._places()
        self.cells = [
            [_prepared(cell, convert) for cell, convert in zip(row, converters, strict=True)]
            for row in body.rows
        ]

    def _places(self) -> list[int | pa.Scalar] | None:
        """For each stored column the place of the given one, or its constant default; None if
        there is more to do than putting them in order."""
        completion = self.completion
        if completion.query is not None or completion.identity is not None:
            return None
        return [
            self.names.index(f.name) if f.name in self.names else completion.constants[f.name]
            for f in self.schema
        ]

    @property
    def is_constant(self) -> bool:
        return not any(name for row in self.cells for name, _, _ in row)

    def rows(self, values: Mapping[str, Any]) -> list[list[Any]]:
        """The rows with parameters put in; KeyError for a missing one, Unusual."""
        return [
            [constant if name is None else convert(values[name]) for name, constant, convert in row]
            for row in self.cells
        ]

    def arrays_of(self, rows: Iterable[Sequence[Any]]) -> list[pa.Array]:
        """Rows as Arrow columns."""
        columns = zip(*rows, strict=True)
        return [make(c) for c, make in zip(columns, self.makers, strict=True)]

    def arrays_of_sets(self, sets: Sequence[Mapping[str, Any] | Sequence[Any]]) -> list[pa.Array]:
        """The rows of many sets of parameters as Arrow columns; KeyError, Unusual."""
        if len(self.cells) == 1:
            names = [name for name, _, _ in self.cells[0] if name is not None]
            columns = columns_of(names, sets)
            if columns is not None:
                return self._columns(columns, len(sets))
        return self.arrays_of([row for given in sets for row in self.rows(named(given))])

    def _columns(self, given: Iterable[Sequence[Any]], count: int) -> list[pa.Array]:
        columns, arrays = iter(given), []
        makers = zip(self.cells[0], self.bulks, self.makers, strict=True)
        for (name, constant, convert), at_once, make in makers:
            if name is None:
                arrays.append(make([constant] * count))
                continue
            values = next(columns)
            array = at_once(values)
            arrays.append(array if array is not None else make([convert(v) for v in values]))
        return arrays

    def insert(
        self, context: Context, arrays: list[pa.Array], *, is_shown: bool = False
    ) -> tuple[int, pa.Table | None]:
        """The number of rows, and, if they are to be shown, the rows as they are stored."""
        count = len(arrays[0])
        if self.places is None:
            given = pa.Table.from_arrays(arrays, names=self.names)
            whole = self.completion.complete(context, given)
        else:
            stored = [arrays[p] if isinstance(p, int) else pa.repeat(p, count) for p in self.places]
            if count <= FEW_ROWS and self.behaviour is None and not is_shown:
                return context.transaction.insert_few(self.table.id, stored), None
            whole = pa.Table.from_arrays(stored, schema=self.schema)
        if self.behaviour is not None:
            return count, self.behaviour.insert(context, self.table, whole)
        return context.transaction.insert(self.table.id, whole), whole


def run_fast(statement: Insert, context: Context) -> Result | None:
    """Runs the INSERT, or None if it must take the general way."""
    prepared = prepare_fast(statement, context)
    if prepared is None:
        return None
    try:
        rows = prepared.arrays_of(prepared.rows(context.parameters.raw))
    except (Unusual, KeyError):
        return None
    count, whole = prepared.insert(context, rows, is_shown=statement.output is not None)
    if statement.output is None:
        return Result(row_count=count)
    return output_result(context, statement.output, prepared.table, inserted=whole)


def prepare_fast(statement: Insert, context: Context) -> FastInsert | None:
    """The prepared INSERT, kept with the statement while the catalog is the same."""
    key = "fast", _table_variable(statement, context)
    kept = context.memory.find(context.catalog, key)
    if kept is None:
        kept = _prepare(statement, context) or GENERAL
        context.memory.keep(context.catalog, key, kept)
    return kept if isinstance(kept, FastInsert) else None


def _table_variable(statement: Insert, context: Context) -> int | None:
    """The id of the table variable that the rows are for. (That of another table holds as long as
    the catalog is the same.)"""
    if not isinstance(statement.table, ast.Variable):
        return None
    return get_table(context, statement.table).id


def _prepare(statement: Insert, context: Context) -> FastInsert | None:
    query = statement.source
    if query is None or statement.ctes is not None or not isinstance(query.body, ast.Values):
        return None
    if query.ctes or query.order_by or query.limit or query.offset or query.options:
        return None
    table = get_table(context, statement.table)
    columns = target_columns(table, statement.columns)
    width = len(query.body.rows[0])
    if len(columns) != width and not statement.columns:
        columns = without_identity(columns)
    if any(len(row) != width for row in query.body.rows) or len(columns) != width or not width:
        return None
    try:
        return FastInsert(table, columns, query.body)
    except Unusual:
        return None


def _prepared(cell: ast.Expression, convert: Plain) -> tuple[str | None, Any, Plain]:
    """A parameter's name, a constant (converted), what converts parameters."""
    name = _parameter(cell)
    return name, None if name is not None else convert(_constant(cell)), convert


def _parameter(cell: ast.Expression) -> str | None:
    """The name under which a cell's value is found among the parameters."""
    if isinstance(cell, ast.Variable):
        return fold(cell.name)
    if isinstance(cell, ast.Placeholder):
        return f"?{cell.index}" if cell.name is None else fold(cell.name)
    return None


def _constant(cell: ast.Expression) -> Any:
    """A cell's value; Unusual if it is no constant."""
    if isinstance(cell, ast.Literal):
        return cell.value
    if isinstance(cell, ast.VectorLiteral):
        return cell.values
    if isinstance(cell, ast.Unary) and cell.op == "-" and isinstance(cell.operand, ast.Literal):
        value = cell.operand.value
        if not isinstance(value, (str, bytes, type(None))):
            return -value
    raise Unusual
