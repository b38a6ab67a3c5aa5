"""Rows as JSON objects, one text each: what DIFF and conflicts show of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.bind.tables import fields_of
from hartonomous.hql.history.comparing import rows_at
from hartonomous.hql.plan import Field
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import BIGINT, JSON, NVARCHAR
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import Int64
from hartonomous.storage.differences import NOWHERE, Differences

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

NUMBER = "__number"

#: versions of rows: where they lie, the table's definition (None: there is none), their places
Versions = tuple[Differences, TableEntry | None, Int64]
#: JSON objects of whole rows, and of their keys; NULL where there is no row, or no key
Texts = tuple[pa.Array, pa.Array]


def texts_of(context: Context, versions: Sequence[Versions]) -> list[Texts]:
    """Versions as JSON. Those of one definition are written by one query."""
    out: list[Texts | None] = [None] * len(versions)
    for number, (_, table, _) in enumerate(versions):
        if out[number] is not None:
            continue
        alike = [i for i, (_, t, _) in enumerate(versions) if t is table and out[i] is None]
        for i, texts in zip(alike, _texts(context, table, versions, alike), strict=True):
            out[i] = texts
    return [texts for texts in out if texts is not None]


def _texts(
    context: Context, table: TableEntry | None, versions: Sequence[Versions], alike: list[int]
) -> list[Texts]:
    counts = [len(versions[i][2]) for i in alike]
    there = [np.flatnonzero(versions[i][2] != NOWHERE) for i in alike]
    if table is None or not any(map(len, there)):
        return [(pa.nulls(n, pa.string()), pa.nulls(n, pa.string())) for n in counts]
    rows = pa.concat_tables(
        [
            rows_at(versions[i][0], table, versions[i][2][some])
            for i, some in zip(alike, there, strict=True)
        ]
    )
    texts, keys = row_texts(context, table, rows)
    out, start = [], 0
    for some, count in zip(there, counts, strict=True):
        own = texts.slice(start, len(some)), keys.slice(start, len(some))
        out.append((_spread(own[0], some, count), _spread(own[1], some, count)))
        start += len(some)
    return out


def _spread(values: pa.Array, numbers: Int64, count: int) -> pa.Array:
    """Values at their numbers among `count`, NULL elsewhere."""
    if len(numbers) == count:
        return values
    at = np.full(count, -1, np.int64)
    at[numbers] = np.arange(len(numbers))
    return values.take(pa.array(at, mask=at < 0))


def row_texts(context: Context, table: TableEntry, rows: pa.Table) -> Texts:
    """A JSON object for each row, NULLs too, and one of its primary key (NULL without one),
    string[N] each. Geometries are well-known text, bytes base64, as in FOR JSON."""
    known = {f.name: f for f in fields_of(table)}
    fields = (*(known[n] for n in rows.column_names), Field(NUMBER, BIGINT))
    numbers = pa.array(np.arange(rows.num_rows, dtype=np.int64))
    given = pa.table([*rows.columns, numbers], names=[f.name for f in fields])
    keys = key_names(table)
    items = [trees.item(_object([known[n] for n in rows.column_names]), "row")]
    if keys:
        items.append(trees.item(_object([known[n] for n in keys]), "key"))
    query = ast.Query(
        ast.Select(tuple(items), source=trees.rows("__rows", "r")),
        order_by=(ast.OrderItem(trees.column("r", NUMBER)),),
    )
    found = context.table(query, tables={"__rows": (fields, given)})
    columns = [pa.concat_arrays(c.cast(pa.string()).chunks) for c in found.columns]
    return columns[0], columns[1] if keys else pa.nulls(rows.num_rows, pa.string())


def _object(fields: Sequence[Field]) -> ast.Expression:
    """JSON_OBJECT of columns."""
    arguments: list[ast.Expression] = []
    for field in fields:
        value: ast.Expression = trees.column("r", field.name)
        if field.type.kind == "VECTOR":
            value = trees.cast(trees.cast(value, NVARCHAR), JSON)
        elif field.type.kind == "GEOMETRY":
            value = _call("STAsText", value)
        arguments += [ast.Literal(field.name, "STRING"), value]
    return _call("JSON_OBJECT", *arguments)


def _call(name: str, *arguments: ast.Expression) -> ast.FunctionCall:
    return ast.FunctionCall(ast.ObjectName((trees.word(name),)), arguments)


def key_names(table: TableEntry) -> list[str]:
    """The columns of the primary key; none without one."""
    key = next((k for k in table.keys if k.kind == "PRIMARY KEY"), None)
    if key is None:
        return []
    names = {c.id: c.name for c in table.columns}
    return [names[i] for i in key.columns]
