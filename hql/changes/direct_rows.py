"""`INSERT INTO t SELECT * FROM @rows` without the engine: rows go from the caller to storage batch
by batch, so that a reader larger than memory can be stored.

Only for queries that choose columns of one table parameter and do nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.arrow_tables import conform_batches
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def find_direct_rows(query: ast.Query, context: Context) -> Result | None:
    """The rows of such a query, or None if it is not one."""
    body = query.body
    if not isinstance(body, ast.Select) or not isinstance(body.source, ast.VariableTable):
        return None
    # what is left of the query when columns and source are taken away must be nothing
    if query != ast.Query(ast.Select(body.items, source=body.source)):
        return None
    name = fold(body.source.name)
    if name not in context.parameters.tables:
        return None
    fields = context.parameters.table_fields[name]
    alias = body.source.alias.text if body.source.alias is not None else body.source.name
    places = _places(body.items, fields, fold(alias))
    if places is None:
        return None
    chosen = tuple(fields[i] for i in places)
    schema = context.parameters.tables[name].schema
    schema = pa.schema([schema.field(i) for i in places])
    given = context.parameters.take_batches(name)
    context.limits.start()

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in given:
            context.limits.check()
            yield pa.RecordBatch.from_arrays([batch.column(i) for i in places], schema=schema)

    return Result(chosen, conform_batches(batches(), chosen, schema))


def _places(
    items: tuple[ast.SelectItem, ...], fields: tuple[Field, ...], alias: str
) -> list[int] | None:
    """The places of the chosen columns among the parameter's, or None if an item is no column."""
    names = [fold(f.name) for f in fields]
    places: list[int] = []
    for item in items:
        if item.assign_to is not None:
            return None
        match item.expression:
            case ast.Star(qualifier=qualifier) if not qualifier or _is(qualifier, alias):
                places += range(len(fields))
            case ast.ColumnName(parts=(*qualifier, column)) if names.count(
                fold(column.text)
            ) == 1 and (not qualifier or _is(tuple(qualifier), alias)):
                places.append(names.index(fold(column.text)))
            case _:
                return None
    return places


def _is(qualifier: tuple[ast.Identifier, ...], alias: str) -> bool:
    return len(qualifier) == 1 and fold(qualifier[0].text) == alias
