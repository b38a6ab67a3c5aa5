"""OUTPUT inserted.* / deleted.*: the changed rows as a result, or INTO another table.

The rows of before and after are Arrow tables; the clause is a query over them, joined by their row
numbers. Columns of FROM (of MERGE: of its source) that it names are fetched by the statement's own
query, and come as a third table; of MERGE there is a fourth, which says what became of each row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import get_table, place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import BIGINT, NVARCHAR, parse_type
from hartonomous.storage.catalog import TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements import parts

#: rows with their columns
Given = tuple[tuple[Field, ...], pa.Table]

NUMBER = "__number"
#: the tables beside `inserted` and `deleted`
CARRIED, MERGED = "carried", "merged"
#: what MERGE calls the column that says what became of a row
ACTION = "$action"
_SIDES = ("inserted", "deleted")


@frozen
class Merged:
    """What MERGE did: an action for each row that it changed, and which of these the rows of each
    side are (int64)."""

    actions: pa.Array
    inserted: np.ndarray
    deleted: np.ndarray


class Carried:
    """The columns of FROM that a clause names: `items` are for the statement's query."""

    def __init__(self, context: Context, output: parts.Output | None, source: ast.Relation) -> None:
        self._names: dict[ast.ColumnName, str] = {}
        self.output = output
        if output is None:
            return
        expanded = [i for item in output.items for i in _stars_of(context, item, source)]
        items = [self._rewritten(item) for item in expanded]
        self.output = replace(output, items=tuple(items))

    @property
    def items(self) -> list[ast.SelectItem]:
        return [trees.item(column, name) for column, name in self._names.items()]

    def fields(self, fields: Sequence[Field]) -> list[Field]:
        """Those of a query's columns that were carried."""
        return [f for f in fields if f.name in self._names.values()]

    def _rewritten(self, item: ast.SelectItem) -> ast.SelectItem:
        name = item.expression
        done = replace(item, expression=self._fetched(name))
        if isinstance(name, ast.ColumnName) and item.alias is None:
            return replace(done, alias=trees.word(name.parts[-1].text))
        return done

    def _fetched(self, value: Any) -> Any:
        """The expression over what the query fetches; queries inside keep their own names."""
        if isinstance(value, ast.Query):
            return value
        if isinstance(value, tuple):
            return tuple(self._fetched(part) for part in value)
        if isinstance(value, ast.FunctionCall) and len(value.name.parts) == 3:
            *column, method = value.name.parts  # `s.place.ToString()` is read as a call
            target = ast.ColumnName(tuple(column), span=value.name.span)
            if fold(column[0].text) not in _SIDES:
                value = ast.MethodCall(target, method, value.arguments, span=value.span)
        if isinstance(value, ast.ColumnName):
            side = fold(value.parts[-2].text) if len(value.parts) > 1 else ""
            if not side or side in _SIDES:
                return value
            name = self._names.setdefault(value, f"__{CARRIED}_{len(self._names)}")
            return trees.column(CARRIED, name, span=value.span)
        if not isinstance(value, ast.Node):
            return value
        return replace(value, **{n: self._fetched(v) for n, v in trees.parts(value)})


def wants(output: parts.Output | None, name: str) -> bool:
    """Whether the clause speaks of `inserted` or `deleted` rows."""
    return any(_qualifier(node) == name for node in trees.walk(output))


def _qualifier(node: ast.Node) -> str:
    """What a column, a star or a column's method stands behind, folded; empty if nothing."""
    before: tuple[ast.Identifier, ...] = ()
    if isinstance(node, ast.Star):
        before = node.qualifier
    elif isinstance(node, ast.ColumnName):
        before = node.parts[:-1]
    elif isinstance(node, ast.FunctionCall) and len(node.name.parts) == 3:
        before = node.name.parts[:1]  # `deleted.place.ToString()` is read as a call
    return fold(before[-1].text) if before else ""


def _check_sides(value: object, given: Sequence[str]) -> None:
    """BIND for a name of a side that the statement does not have, but in queries inside, which may
    have a table of that name."""
    if isinstance(value, tuple):
        for part in value:
            _check_sides(part, given)
    elif isinstance(value, ast.Node) and not isinstance(value, ast.Query):
        side = _qualifier(value)
        if side in _SIDES and side not in given:
            message = f"there are no {side} rows here"
            hint = f"OUTPUT has {' and '.join(f'{name}.*' for name in given)}"
            raise place(BindFault(message, hint=hint), value)
        _check_sides(tuple(part for _, part in trees.parts(value)), given)


def output_result(
    context: Context,
    output: parts.Output,
    table: TableEntry,
    *,
    inserted: pa.Table | None = None,
    deleted: pa.Table | None = None,
    carried: tuple[Sequence[Field], pa.Table] | None = None,
    merged: Merged | None = None,
) -> Result:
    """The clause's rows; the row count is that of the change. `inserted`, `deleted` and `carried`
    are aligned, but where `merged` says otherwise."""
    tables: dict[str, Given] = {}
    if merged is not None:
        rows = pa.table({ACTION: merged.actions})
        tables[MERGED] = _numbered((Field(ACTION, NVARCHAR),), rows)
    fields = [Field(c.name, parse_type(c.type), c.collation is not None) for c in table.stored]
    sides = {"inserted": inserted, "deleted": deleted}
    for name, side in sides.items():
        if side is not None:
            numbers = None if merged is None else getattr(merged, name)
            tables[name] = _numbered(fields, side, numbers)
    if carried is not None and carried[0]:
        tables[CARRIED] = _numbered(*carried)
    given = [name for name in tables if name in _SIDES]
    _check_sides(output.items, given)
    items = [i for item in output.items for i in _expanded(item, table, given)]
    query = trees.select(items, _joined(tables, table))
    if len(tables) > 1:
        first = ast.OrderItem(trees.column(next(iter(tables)), NUMBER))
        query = replace(query, order_by=(first,))
    result = context.query(query, tables={f"__{name}": rows for name, rows in tables.items()})
    count = next(iter(tables.values()))[1].num_rows
    if output.into is not None:
        _store(context, output, result)
        return Result(row_count=count)
    result.spool()
    result.row_count = count
    return result


def _joined(tables: Mapping[str, Given], table: TableEntry) -> ast.Relation:
    """The tables by their row numbers. Of MERGE all that was done comes first, and a side need not
    have a row."""
    first, *others = tables
    source = _side(first, table)
    for name in others:
        same = ast.Binary("=", trees.column(name, NUMBER), trees.column(first, NUMBER))
        kind = "LEFT" if first == MERGED else "INNER"
        source = ast.Join(kind, source, _side(name, table), same)
    return source


def _store(context: Context, output: parts.Output, rows: Result) -> None:
    """INTO: the rows go into a table or table variable, and are no result."""
    from hartonomous.hql.changes import assigning, dml

    assert output.into is not None and rows.fields is not None
    table, given = get_table(context, output.into), len(rows.fields)
    columns = assigning.without_identity_if(
        assigning.target_columns(table, output.columns), given, output.columns
    )
    if len(columns) != given:
        rows.close()
        raise assigning.column_count_fault("OUTPUT", output, table, columns, given)
    dml.put_rows(context, table, columns, rows)


def _numbered(fields: Sequence[Field], rows: pa.Table, numbers: np.ndarray | None = None) -> Given:
    """Rows with their numbers, 0, 1, … unless others are given."""
    if numbers is None:
        numbers = np.arange(rows.num_rows, dtype=np.int64)
    numbered = rows.select([f.name for f in fields]).append_column(NUMBER, pa.array(numbers))
    return (*fields, Field(NUMBER, BIGINT)), numbered


def _side(name: str, table: TableEntry) -> ast.Relation:
    """The rows under their name, with the computed columns that are not stored."""
    from hartonomous.hql.syntax.parse import parse_expression

    rows = trees.rows(f"__{name}", table.name)
    computed = [
        trees.item(trees.cast(parse_expression(c.computed), parse_type(c.type)), c.name)
        for c in table.columns
        if name in _SIDES and c.computed is not None and not c.persisted
    ]
    if not computed:
        return trees.rows(f"__{name}", name)
    return trees.derived(trees.select([ast.SelectItem(ast.Star()), *computed], rows), name)


def _expanded(
    item: ast.SelectItem, table: TableEntry, given: Sequence[str]
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


def _stars_of(context: Context, item: ast.SelectItem, source: ast.Relation) -> list[ast.SelectItem]:
    """`s.*` of a table in FROM as its columns."""
    star = item.expression
    if not isinstance(star, ast.Star) or not star.qualifier:
        return [item]
    alias = star.qualifier[-1].text
    if fold(alias) in _SIDES:
        return [item]
    fields = context.bind(trees.select([item], source)).plan.fields
    return [
        ast.SelectItem(trees.column(alias, f.name, span=star.span), trees.word(f.name))
        for f in fields
    ]
