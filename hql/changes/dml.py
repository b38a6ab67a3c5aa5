"""INSERT, UPDATE, DELETE and TRUNCATE TABLE: how rows are changed. (MERGE: merge.py.)

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
from hartonomous.hql.changes.assigning import (
    assigned_columns,
    assigned_value,
    column_count_fault,
    new_values,
    target_columns,
    without_identity_if,
)
from hartonomous.hql.changes.completion import Completion, batches_of
from hartonomous.hql.changes.direct_rows import find_direct_rows
from hartonomous.hql.changes.output_clause import Carried, output_result, wants
from hartonomous.hql.changes.targets import (
    Target,
    get_table,
    get_target,
    place,
    with_common_tables,
)
from hartonomous.hql.errors import BindFault
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.syntax import trees
from hartonomous.hql.system_schema.behaviour import (
    PLAIN,
    RowChange,
    find_behaviour,
    given_shape,
)
from hartonomous.hql.types import BIGINT, parse_type
from hartonomous.hql.variables import assign_last, variable_items
from hartonomous.storage.catalog import ColumnEntry, TableEntry
from hartonomous.storage.references import refuse_referenced

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
    table, columns, query = insert_query(statement, context)
    if query is None:
        return _insert_defaults(statement, context, table)
    if not columns:
        assert isinstance(query.body, ast.Values)
        return _insert_defaults(statement, context, table, len(query.body.rows))
    rows = find_direct_rows(query, context) or context.query(query, key="insert")
    return insert_result(context, statement, table, columns, rows)


def insert_query(
    statement: Insert, context: Context
) -> tuple[TableEntry, Sequence[ColumnEntry], ast.Query | None]:
    """The table that an INSERT adds to, the columns that it gives values for, and the query for
    these; None of DEFAULT VALUES."""
    table = get_table(context, statement.table)
    columns: Sequence[ColumnEntry] = target_columns(table, statement.columns)
    query = statement.source
    if query is None:
        return table, [], None
    if isinstance(query.body, ast.Values):
        columns = without_identity_if(columns, len(query.body.rows[0]), statement.columns)
        columns, query = _assigned_values(query, query.body, table, columns)
    return table, columns, with_common_tables(query, statement.ctes)


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
    present = [i for i in range(width) if i not in absent]
    rows = tuple(tuple(assigned_value(row[i], columns[i]) for i in present) for row in values.rows)
    return [columns[i] for i in present], replace(query, body=ast.Values(rows, span=values.span))


def _insert_defaults(
    statement: Insert, context: Context, table: TableEntry, rows: int = 1
) -> Result:
    row = Completion(given_shape(table), ()).complete(context, pa.table({}), rows)
    kept: list[pa.Table] = []
    count = store_rows(context, table, [row], kept)
    if statement.output is None:
        return Result(row_count=count)
    return output_result(context, statement.output, table, inserted=kept[0])


# --- UPDATE --------------------------------------------------------------------------------------


def update_query(
    statement: Update, context: Context
) -> tuple[Target, dict[str, ast.Expression], Carried, ast.Query]:
    """The table that an UPDATE changes, what it assigns by column, what OUTPUT needs of FROM, and
    the query for addresses and whole new rows, with the old ones if OUTPUT wants them."""
    target = get_target(context, statement.table, statement.alias, statement.source, ("UPDATE",))
    items = [trees.item(target.column(ADDRESS), ADDRESS)]
    assigned = assigned_columns(statement.assignments, target.table)
    items += new_values(target, assigned)
    items += variable_items(statement.assignments, context)
    if wants(statement.output, "deleted"):
        items += old_values(target)
    carried = Carried(context, statement.output, target.source)
    query = trees.select([*items, *carried.items], target.source, statement.where)
    return target, assigned, carried, with_common_tables(query, statement.ctes)


def run_update(statement: Update, context: Context) -> Result:
    """UPDATE: addresses and whole new rows by one query. If FROM gives a row more than once, the
    first one counts."""
    target, assigned, carried, query = update_query(statement, context)
    table = target.table
    result = context.query(query, key="update", hidden=True)
    assert result.fields is not None
    brought = carried.fields(result.fields)
    _, rows = _distinct_rows(result.to_table(), target.joined)
    done = complete_changed(context, table, rows, brought)
    new = done.select(table.arrow_schema.names)
    addresses = done.column(ADDRESS).to_numpy()
    change = RowChange(addresses, new, frozenset(assigned))
    new = (find_behaviour(table) or PLAIN).update(context, table, change)
    if any(a.variable is not None for a in statement.assignments):
        assign_last(statement.assignments, result.fields, rows, context)
    if carried.output is None:
        return Result(row_count=len(addresses))
    deleted = old_rows(table, done)
    return output_result(
        context, carried.output, table, inserted=new, deleted=deleted, carried=(brought, done)
    )


def old_values(target: Target) -> list[ast.SelectItem]:
    """Every stored column as it is before the change."""
    return [trees.item(target.column(c.name), f"{OLD}{c.name}") for c in target.table.stored]


def old_rows(table: TableEntry, rows: pa.Table) -> pa.Table | None:
    """The rows as they were, if the query fetched them."""
    names = table.arrow_schema.names
    if f"{OLD}{names[0]}" not in rows.column_names:
        return None
    return rows.select([f"{OLD}{n}" for n in names]).rename_columns(names)


def complete_changed(
    context: Context, table: TableEntry, rows: pa.Table, brought: Sequence[Field] = ()
) -> pa.Table:
    """Whole new rows of rows that a query changed, with their addresses, what they were if it
    fetched that, and the columns `brought`."""
    stored = [c for c in table.stored if c.computed is None]
    given = [Field(c.name, trees.unbounded(parse_type(c.type))) for c in stored]
    extra = [Field(ADDRESS, BIGINT)]
    if old_rows(table, rows) is not None:
        extra += [Field(f"{OLD}{c.name}", parse_type(c.type)) for c in table.stored]
    names = [f.name for f in (*given, *extra, *brought)]
    return Completion(table, given, [*extra, *brought]).complete(context, rows.select(names))


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


def delete_query(statement: Delete, context: Context) -> tuple[Target, Carried, ast.Query]:
    """The table that a DELETE changes, what OUTPUT needs of FROM, and the query for addresses, and
    for the old rows if OUTPUT wants them."""
    target = get_target(context, statement.table, statement.alias, statement.source, ("DELETE",))
    items = [trees.item(target.column(ADDRESS), ADDRESS)]
    if statement.output is not None:
        items += [trees.item(target.column(c.name), c.name) for c in target.table.stored]
    carried = Carried(context, statement.output, target.source)
    query = trees.select([*items, *carried.items], target.source, statement.where)
    return target, carried, with_common_tables(query, statement.ctes)


def run_delete(statement: Delete, context: Context) -> Result:
    """DELETE: addresses by a query; the old rows too if OUTPUT wants them."""
    if statement.where is None and statement.source is None and statement.output is None:
        table = get_target(context, statement.table, statement.alias, None, ("DELETE",)).table
        if context.account is None or _sees_all(context, table):
            return Result(row_count=(find_behaviour(table) or PLAIN).truncate(context, table))
    target, carried, query = delete_query(statement, context)
    table = target.table
    result = context.query(query, key="delete", hidden=True)
    assert result.fields is not None
    brought = carried.fields(result.fields)
    addresses, rows = _distinct_rows(result.to_table(), target.joined)
    count = (find_behaviour(table) or PLAIN).delete(context, table, addresses)
    if carried.output is None:
        return Result(row_count=count)
    deleted = rows.select(table.arrow_schema.names)
    return output_result(context, carried.output, table, deleted=deleted, carried=(brought, rows))


def _sees_all(context: Context, table: TableEntry) -> bool:
    from hartonomous.hql.security.rows import sees_all

    return sees_all(context, table)


def run_truncate(statement: TruncateTable, context: Context) -> Result:
    """TRUNCATE TABLE: every row, without looking at it; not of a table that others refer to."""
    table = get_table(context, statement.table, rights=("DELETE",))
    if context.account is not None:
        from hartonomous.hql.security.rows import refuse_hidden

        refuse_hidden(context, table, statement)
    refuse_referenced(context.transaction, table, "truncated")
    (find_behaviour(table) or PLAIN).truncate(context, table)
    return Result()
