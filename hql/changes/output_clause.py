"""OUTPUT inserted.* / deleted.*: the changed rows as a result, or INTO another table.

The rows of before and after are Arrow tables in the same order; the clause is a query over them,
joined by their row number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import get_table, place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import BIGINT, parse_type
from hartonomous.storage.catalog import TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements import parts

NUMBER = "__number"


def wants(output: parts.Output | None, name: str) -> bool:
    """Whether the clause speaks of `inserted` or `deleted` rows."""
    for node in trees.walk(output):
        qualifier: tuple[ast.Identifier, ...] = ()
        if isinstance(node, ast.Star):
            qualifier = node.qualifier
        elif isinstance(node, ast.ColumnName):
            qualifier = node.parts[:-1]
        if qualifier and fold(qualifier[-1].text) == name:
            return True
    return False


def output_result(
    context: Context,
    output: parts.Output,
    table: TableEntry,
    *,
    inserted: pa.Table | None = None,
    deleted: pa.Table | None = None,
) -> Result:
    """The clause's rows; the row count is that of the change."""
    sides = {"inserted": inserted, "deleted": deleted}
    given = {name: rows for name, rows in sides.items() if rows is not None}
    source: ast.Relation | None = None
    tables = {}
    for name, rows in given.items():
        tables[f"__{name}"] = _numbered(rows, table)
        side = _side(name, table)
        if source is None:
            source = side
        else:
            same = ast.Binary(
                "=", trees.column("inserted", NUMBER), trees.column("deleted", NUMBER)
            )
            source = ast.Join("INNER", source, side, same)
    items = [i for item in output.items for i in _expanded(item, table, given)]
    result = context.query(trees.select(items, source), tables=tables)
    count = next(iter(given.values())).num_rows
    if output.into is not None:
        _store(context, output, result)
        return Result(row_count=count)
    result.spool()
    result.row_count = count
    return result


def _store(context: Context, output: parts.Output, rows: Result) -> None:
    """INTO: the rows go into a table or table variable, and are no result."""
    from hartonomous.hql.changes import dml

    assert output.into is not None and rows.fields is not None
    table, given = get_table(context, output.into), len(rows.fields)
    columns = dml.without_identity_if(
        dml.target_columns(table, output.columns), given, output.columns
    )
    if len(columns) != given:
        rows.close()
        raise dml.column_count_fault("OUTPUT", output, table, columns, given)
    dml.put_rows(context, table, columns, rows)


def _numbered(rows: pa.Table, table: TableEntry) -> tuple[tuple[Field, ...], pa.Table]:
    fields = [Field(c.name, parse_type(c.type), c.collation is not None) for c in table.stored]
    numbers = pa.array(np.arange(rows.num_rows, dtype=np.int64))
    return (
        (*fields, Field(NUMBER, BIGINT)),
        rows.select([f.name for f in fields]).append_column(NUMBER, numbers),
    )


def _side(name: str, table: TableEntry) -> ast.Relation:
    """The rows under their name, with the computed columns that are not stored."""
    from hartonomous.hql.syntax.parse import parse_expression

    rows = trees.rows(f"__{name}", table.name)
    computed = [
        trees.item(trees.cast(parse_expression(c.computed), parse_type(c.type)), c.name)
        for c in table.columns
        if c.computed is not None and not c.persisted
    ]
    if not computed:
        return trees.rows(f"__{name}", name)
    return trees.derived(trees.select([ast.SelectItem(ast.Star()), *computed], rows), name)


def _expanded(
    item: ast.SelectItem, table: TableEntry, given: dict[str, pa.Table]
) -> list[ast.SelectItem]:
    """`inserted.*` as its columns; a star alone is not allowed."""
    star = item.expression
    if not isinstance(star, ast.Star):
        return [item]
    side = fold(star.qualifier[-1].text) if star.qualifier else ""
    if side not in given:
        known = " or ".join(f"{name}.*" for name in given)
        raise place(BindFault(f"{star} means nothing here; write {known}"), star)
    return [
        ast.SelectItem(trees.column(side, c.name, span=star.span), trees.word(c.name))
        for c in table.columns
    ]
