"""INSERT, UPDATE, DELETE, TRUNCATE TABLE and SELECT … INTO: how rows are changed.

UPDATE and DELETE run a query over their table with its hidden column `__address`; storage is then
told addresses and whole new rows. INSERT … SELECT reads the snapshot of the statement's start,
because the query runs over a view that does not grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.changes.completion import Completion, batches_of
from hartonomous.hql.changes.direct_rows import find_direct_rows
from hartonomous.hql.changes.output_clause import output_result, wants
from hartonomous.hql.changes.targets import (
    Target,
    get_table,
    get_target,
    place,
    with_common_tables,
)
from hartonomous.hql.errors import BindFault, NotSupported
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.syntax import trees
from hartonomous.hql.system_schema.behaviour import (
    PLAIN,
    RowChange,
    assignable,
    find_behaviour,
    given_shape,
)
from hartonomous.hql.types import BIGINT, parse_type
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.delete import Delete
    from hartonomous.hql.statements.insert import Insert
    from hartonomous.hql.statements.truncate_table import TruncateTable
    from hartonomous.hql.statements.update import Update

ADDRESS = "__address"
#: before the names of the values that an updated row had
OLD = "__old_"


# --- INSERT --------------------------------------------------------------------------------------


def run_insert(statement: Insert, context: Context) -> Result:
    """INSERT: VALUES of constants and parameters go straight to storage, the rest by a query."""
    from hartonomous.hql.changes.fast_insert import run_fast

    done = run_fast(statement, context)
    if done is not None:
        return done
    table = get_table(context, statement.table)
    columns: Sequence[ColumnEntry] = target_columns(table, statement.columns)
    if statement.source is None:
        return _insert_defaults(statement, context, table)
    query = statement.source
    if isinstance(query.body, ast.Values):
        columns = without_identity_if(columns, len(query.body.rows[0]), statement.columns)
        columns, query = _assigned_values(query, query.body, table, columns)
    query = with_common_tables(query, statement.ctes)
    rows = find_direct_rows(query, context) or context.query(query, key="insert")
    return insert_result(context, statement, table, columns, rows)


def insert_result(
    context: Context,
    statement: Insert,
    table: TableEntry,
    columns: Sequence[ColumnEntry],
    rows: Result,
) -> Result:
    """Puts a query's rows into a table, column by column in order."""
    assert rows.fields is not None
    columns = without_identity_if(columns, len(rows.fields), statement.columns)
    if len(rows.fields) != len(columns):
        rows.close()
        node = statement.source or statement
        raise column_count_fault("INSERT", node, table, columns, len(rows.fields))
    kept: list[pa.Table] = []
    count = put_rows(context, table, columns, rows, None if statement.output is None else kept)
    if statement.output is None:
        return Result(row_count=count)
    inserted = pa.concat_tables(kept) if kept else table.arrow_schema.empty_table()
    return output_result(context, statement.output, table, inserted=inserted)


def put_rows(
    context: Context,
    table: TableEntry,
    columns: Sequence[ColumnEntry],
    rows: Result,
    kept: list[pa.Table] | None = None,
) -> int:
    """Stores a result's rows, which are values for `columns`; `kept` gets them as they are stored.
    How many there were."""
    assert rows.fields is not None
    given = [Field(c.name, f.type) for c, f in zip(columns, rows.fields, strict=True)]
    completion = Completion(given_shape(table), given)
    names = [f.name for f in given]

    def completed() -> Iterator[pa.Table]:
        for batch in batches_of(rows.batches()):
            yield completion.complete(context, batch.rename_columns(names))

    return store_rows(context, table, completed(), kept)


def store_rows(
    context: Context,
    table: TableEntry,
    completed: Iterable[pa.Table],
    kept: list[pa.Table] | None = None,
) -> int:
    """Stores completed rows, those of a system table by its behaviour; `kept` gets them as they
    are stored. How many there were."""
    behaviour = find_behaviour(table)
    if behaviour is not None:
        count = 0
        if behaviour.at_once:
            whole_input = list(completed)
            completed = [pa.concat_tables(whole_input)] if whole_input else []
        for rows in completed:
            context.limits.check()
            whole = behaviour.insert(context, table, rows)
            count += rows.num_rows
            if kept is not None:
                kept.append(whole)
        return count

    def batches() -> Iterator[pa.RecordBatch]:
        for rows in completed:
            if kept is not None:
                kept.append(rows)
            yield from rows.to_batches()

    reader = pa.RecordBatchReader.from_batches(table.arrow_schema, batches())
    return context.transaction.insert(table.id, reader)


def target_columns(table: TableEntry, names: Sequence[ast.Identifier]) -> list[ColumnEntry]:
    """The columns that values are given for. Without a list these are all that are not computed
    and, in a system table, not derived; an IDENTITY column may then be left out, as in T-SQL."""
    if not names:
        return assignable(table)
    columns = [find_column(table, name) for name in names]
    for i, column in enumerate(columns):
        if column in columns[:i]:
            message = f'column "{column.name}" is in the list twice'
            raise place(BindFault(message, code="AMBIGUOUS"), names[i])
    return columns


def find_column(table: TableEntry, name: ast.Identifier) -> ColumnEntry:
    """The column that is assigned to; UNKNOWN_COLUMN with the nearest name, BIND if computed."""
    column = get_column(table, name)
    if column.computed is not None or column not in assignable(table):
        kind = "derived" if column.computed is None else "computed"
        message = f'"{column.name}" is {kind} and cannot be assigned to'
        raise place(BindFault(message), name)
    return column


def get_column(table: TableEntry, name: ast.Identifier) -> ColumnEntry:
    """The column of that name; UNKNOWN_COLUMN with the nearest one."""
    column = table.find_column(name.text)
    if column is None:
        import difflib

        known = {fold(c.name): c.name for c in table.columns}
        near = difflib.get_close_matches(fold(name.text), known, 1)
        raise place(
            BindFault(
                f'"{table.name}" has no column "{name.text}"',
                code="UNKNOWN_COLUMN",
                hint=f"did you mean {known[near[0]]}?" if near else None,
            ),
            name,
        )
    return column


def without_identity(columns: Sequence[ColumnEntry]) -> list[ColumnEntry]:
    return [c for c in columns if c.identity is None]


def without_identity_if(
    columns: Sequence[ColumnEntry], given: int, names: Sequence[ast.Identifier]
) -> Sequence[ColumnEntry]:
    """The columns without an IDENTITY one if nobody named them and so many values are given."""
    rest = without_identity(columns)
    return rest if not names and len(rest) == given else columns


def column_count_fault(
    what: str, node: ast.Node, table: TableEntry, columns: Sequence[ColumnEntry], given: int
) -> Exception:
    names = ", ".join(c.name for c in columns)
    message = f'{what} gives {given} columns, "{table.name}" takes {len(columns)}: {names}'
    return place(BindFault(message), node)


def _assigned_values(
    query: ast.Query, values: ast.Values, table: TableEntry, columns: Sequence[ColumnEntry]
) -> tuple[list[ColumnEntry], ast.Query]:
    """VALUES with every value cast to its column's type, and DEFAULT replaced."""
    from dataclasses import replace

    width = len(values.rows[0])
    for row in values.rows:
        if len(row) != width:
            raise place(BindFault("the rows of VALUES have different numbers of values"), row[0])
    if len(columns) != width:
        raise place(
            BindFault(
                f'VALUES gives {width} values, "{table.name}" takes {len(columns)}: '
                + ", ".join(c.name for c in columns)
            ),
            values.rows[0][0] if values.rows[0] else query,
        )
    absent = [i for i in range(width) if all(isinstance(r[i], ast.Default) for r in values.rows)]
    if len(absent) == width:
        raise place(
            NotSupported("not supported yet: VALUES of DEFAULT only; write DEFAULT VALUES"), query
        )
    present = [i for i in range(width) if i not in absent]
    rows = tuple(tuple(_assigned(row[i], columns[i]) for i in present) for row in values.rows)
    return [columns[i] for i in present], replace(query, body=ast.Values(rows, span=values.span))


def _assigned(value: ast.Expression, column: ColumnEntry) -> ast.Expression:
    """A value as it is assigned: DEFAULT is the column's, and the type is the column's."""
    if isinstance(value, ast.Default):
        if column.identity is not None:
            message = "not supported yet: DEFAULT for an IDENTITY column beside explicit values"
            raise place(NotSupported(message), value)
        value = default_of(column)
    return trees.cast(value, parse_type(column.type))


def default_of(column: ColumnEntry) -> ast.Expression:
    """The column's default as an expression; NULL without one."""
    if column.default is None:
        return ast.Literal(None)
    from hartonomous.hql.syntax.parse import parse_expression

    return parse_expression(column.default)


def _insert_defaults(statement: Insert, context: Context, table: TableEntry) -> Result:
    row = Completion(given_shape(table), ()).complete(context, pa.table({}), 1)
    kept: list[pa.Table] = []
    count = store_rows(context, table, [row], kept)
    if statement.output is None:
        return Result(row_count=count)
    return output_result(context, statement.output, table, inserted=kept[0])


# --- UPDATE --------------------------------------------------------------------------------------


def run_update(statement: Update, context: Context) -> Result:
    """UPDATE: addresses and whole new rows by one query. If FROM gives a row more than once, the
    first one counts."""
    target = get_target(context, statement.table, statement.alias, statement.source)
    table = target.table
    items = [trees.item(target.column(ADDRESS), ADDRESS)]
    assigned = _assigned_columns(statement, table)
    items += _new_values(target, assigned)
    old = table.stored if wants(statement.output, "deleted") else ()
    items += [trees.item(target.column(c.name), f"{OLD}{c.name}") for c in old]
    query = trees.select(items, target.source, statement.where)
    query = with_common_tables(query, statement.ctes)
    rows = context.table(query, key="update", hidden=True)
    _, rows = _distinct_rows(rows, target.joined)
    stored = [c for c in table.stored if c.computed is None]
    given = [Field(c.name, trees.unbounded(parse_type(c.type))) for c in stored]
    extra = [Field(ADDRESS, BIGINT)]
    extra += [Field(f"{OLD}{c.name}", parse_type(c.type)) for c in old]
    done = Completion(table, given, extra).complete(context, rows)
    new = done.select(table.arrow_schema.names)
    addresses = done.column(ADDRESS).to_numpy()
    change = RowChange(addresses, new, frozenset(assigned))
    new = (find_behaviour(table) or PLAIN).update(context, table, change)
    if statement.output is None:
        return Result(row_count=len(addresses))
    deleted = None
    if old:
        deleted = done.select([f"{OLD}{c.name}" for c in old])
        deleted = deleted.rename_columns([c.name for c in old])
    return output_result(context, statement.output, table, inserted=new, deleted=deleted)


def _assigned_columns(statement: Update, table: TableEntry) -> dict[str, ast.Expression]:
    """What is assigned, by the column's name."""
    assigned: dict[str, ast.Expression] = {}
    for assignment in statement.assignments:
        if assignment.variable is not None:
            raise place(NotSupported("not supported yet: UPDATE … SET @variable"), assignment)
        name = assignment.column[-1]
        column = find_column(table, name)
        if column.name in assigned:
            message = f'column "{column.name}" is set twice'
            raise place(BindFault(message, code="AMBIGUOUS"), name)
        assigned[column.name] = _assigned(assignment.value, column)
    return assigned


def _new_values(target: Target, assigned: dict[str, ast.Expression]) -> list[ast.SelectItem]:
    """Every stored column's new value: assigned, or as it was."""
    return [
        trees.item(assigned.get(c.name, target.column(c.name)), c.name)
        for c in target.table.stored
        if c.computed is None
    ]


def _distinct_rows(rows: pa.Table, joined: bool) -> tuple[np.ndarray, pa.Table]:
    """One row for each address: the first."""
    addresses = rows.column(ADDRESS).to_numpy()
    if joined and len(addresses):
        _, first = np.unique(addresses, return_index=True)
        if len(first) < len(addresses):
            first.sort()
            rows = rows.take(pa.array(first))
            addresses = addresses[first]
    return addresses, rows


# --- DELETE, TRUNCATE ----------------------------------------------------------------------------


def run_delete(statement: Delete, context: Context) -> Result:
    """DELETE: addresses by a query; the old rows too if OUTPUT wants them."""
    target = get_target(context, statement.table, statement.alias, statement.source)
    table = target.table
    behaviour = find_behaviour(table)
    if statement.where is None and statement.source is None and statement.output is None:
        return Result(row_count=(behaviour or PLAIN).truncate(context, table))
    items = [trees.item(target.column(ADDRESS), ADDRESS)]
    if statement.output is not None:
        items += [trees.item(target.column(c.name), c.name) for c in table.stored]
    query = trees.select(items, target.source, statement.where)
    query = with_common_tables(query, statement.ctes)
    rows = context.table(query, key="delete", hidden=True)
    addresses, rows = _distinct_rows(rows, target.joined)
    count = (behaviour or PLAIN).delete(context, table, addresses)
    if statement.output is None:
        return Result(row_count=count)
    deleted = rows.drop_columns([ADDRESS])
    return output_result(context, statement.output, table, deleted=deleted)


def run_truncate(statement: TruncateTable, context: Context) -> Result:
    """TRUNCATE TABLE: every row, without looking at it."""
    table = get_table(context, statement.table)
    (find_behaviour(table) or PLAIN).truncate(context, table)
    return Result()
