"""Rows as JSON objects, one text each: what DIFF and conflicts show of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.bind.tables import fields_of
from hartonomous.hql.plan import Field
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import BIGINT
from hartonomous.storage.catalog import TableEntry

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

NUMBER = "__number"


def row_texts(
    context: Context, table: TableEntry, rows: pa.Table, columns: Sequence[str] | None = None
) -> pa.Array:
    """A JSON object for each row, with all of its columns or those named, as FOR JSON writes them,
    NULLs too: string[N]."""
    if not rows.num_rows:
        return pa.array([], pa.string())
    known = {f.name: f for f in fields_of(table)}
    names = rows.column_names if columns is None else list(columns)
    fields = (*(known[n] for n in names), Field(NUMBER, BIGINT))
    numbers = pa.array(np.arange(rows.num_rows, dtype=np.int64))
    given = pa.table([*(rows.column(n) for n in names), numbers], names=[*names, NUMBER])
    items = [trees.item(trees.column("r", n), n) for n in names]
    options = ast.ForJson(include_nulls=True, without_wrapper=True)
    text = ast.Query(ast.Select(tuple(items)), for_json=options)
    query = ast.Query(
        ast.Select((trees.item(ast.Subquery(text), "json"),), source=trees.rows("__rows", "r")),
        order_by=(ast.OrderItem(trees.column("r", NUMBER)),),
    )
    found = context.table(query, tables={"__rows": (fields, given)})
    column = found.column(0).cast(pa.string())
    return pa.concat_arrays(column.chunks)


def key_names(table: TableEntry) -> list[str]:
    """The columns of the primary key; none without one."""
    key = next((k for k in table.keys if k.kind == "PRIMARY KEY"), None)
    if key is None:
        return []
    names = {c.id: c.name for c in table.columns}
    return [names[i] for i in key.columns]
