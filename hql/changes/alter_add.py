"""ALTER TABLE … ADD: columns and constraints.

Rows that are there get a new column's DEFAULT, its IDENTITY values in the order of their ids, or
NULL. A constraint that one of them breaks is refused, and everything with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.changes.definitions import Definition
from hartonomous.hql.changes.dml import ADDRESS, complete_changed, run_update
from hartonomous.hql.changes.misfits import check_rows
from hartonomous.hql.statements.alter_table import Add, AlterTable
from hartonomous.hql.statements.parts import Assignment, ColumnDefinition, Constraint
from hartonomous.hql.statements.update import Update
from hartonomous.hql.syntax import trees
from hartonomous.storage.catalog import ColumnEntry, TableEntry

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def run_add(statement: AlterTable, action: Add, table: TableEntry, context: Context) -> None:
    """Adds what ADD names."""
    columns = [e for e in action.elements if isinstance(e, ColumnDefinition)]
    constraints = [e for e in action.elements if isinstance(e, Constraint)]
    definition = definition_of(context, statement.table, table)
    added = definition.add_columns(columns)
    definition.add_constraints(columns, constraints)
    whole = altered(table, definition)
    if added:
        _add_columns(statement, context, table, whole, added)
    if table != whole:
        context.transaction.replace(whole)
    check_rows(context, statement.table, whole, whole.checks[len(table.checks) :])


def definition_of(context: Context, name: ast.ObjectName, table: TableEntry) -> Definition:
    """The table as a definition that more can be added to."""
    return Definition(
        context,
        name,
        columns=list(table.columns),
        keys=list(table.keys),
        checks=list(table.checks),
        foreign_keys=list(table.foreign_keys),
        next_id=table.next_id,
    )


def altered(table: TableEntry, definition: Definition) -> TableEntry:
    """The table with what its definition has now."""
    return replace(
        table,
        columns=tuple(definition.columns),
        keys=tuple(definition.keys),
        checks=tuple(definition.checks),
        foreign_keys=tuple(definition.foreign_keys),
        next_id=definition.next_id,
    )


def _add_columns(
    statement: AlterTable,
    context: Context,
    before: TableEntry,
    whole: TableEntry,
    added: Sequence[ColumnEntry],
) -> None:
    """The columns with their values. Until rows have these, the columns have to take NULL, and
    there are no constraints on them."""
    loose = tuple(replace(c, nullable=True) if c in added else c for c in whole.columns)
    same = {c.id: c for c in before.columns}
    loose = tuple(same.get(c.id, c) for c in loose)
    context.transaction.replace(replace(before, columns=loose, next_id=whole.next_id))
    filled = [c for c in added if c.default is not None]
    if filled or any(c.computed is not None and c.persisted for c in added):
        _fill(statement, context, filled or [c for c in loose if c.computed is None][:1])
    for column in added:
        if column.identity is not None:
            _number(context, column, context.catalog.tables_by_id[before.id])


def _fill(statement: AlterTable, context: Context, columns: Sequence[ColumnEntry]) -> None:
    """Writes every row again, with the defaults of new columns; computed ones follow. A column
    without a default is set to itself."""
    assignments = []
    for column in columns:
        name = trees.word(column.name)
        value = ast.ColumnName((name,)) if column.default is None else ast.Default()
        assignments.append(Assignment((name,), value))
    run_update(Update(statement.table, None, tuple(assignments), span=statement.span), context)


def _number(context: Context, column: ColumnEntry, table: TableEntry) -> None:
    """Gives rows that are there their IDENTITY values."""
    transaction = context.transaction
    view = transaction.view(table.id)
    names = [c.name for c in table.stored if c.computed is None and c.name != column.name]
    scanned = view.scan(names, address=True, row_id=True).table
    count = scanned.num_rows
    if not count or column.identity is None:
        return
    seed, step = column.identity
    first = transaction.next_identity(table.id, count, seed, step)
    place = np.empty(count, np.int64)
    place[np.argsort(scanned.column("__row_id").to_numpy(), kind="stable")] = np.arange(count)
    numbers = pa.array(first + step * place).cast(column.arrow)
    rows = scanned.drop_columns(["__row_id"]).append_column(column.name, numbers)
    done = complete_changed(context, table, rows)
    new = done.select(table.arrow_schema.names)
    transaction.update(table.id, done.column(ADDRESS).to_numpy(), new)
