"""ALTER TABLE … ALTER COLUMN: another type, NULL or NOT NULL.

Where values lie as before (a longer or shorter NVARCHAR, NULL allowed or not) only the entry
changes, and rows are looked through if some might not fit. Another Arrow type makes a new column:
every row is written again, once, and the old column is dropped, so that earlier moments read what
they had. As columns stand in the order of their ids, those behind it get new ids too; keys, indexes
and foreign keys follow them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.changes.alter_add import definition_of
from hartonomous.hql.changes.assigning import get_column
from hartonomous.hql.changes.completion import is_exact_cast
from hartonomous.hql.changes.dml import ADDRESS, complete_changed
from hartonomous.hql.changes.misfits import (
    check_lengths,
    describe_row,
    find_misfit,
    look_through_lengths,
    misfit,
)
from hartonomous.hql.changes.targets import place
from hartonomous.hql.changes.uses import names_column, refuse_used
from hartonomous.hql.errors import BindFault
from hartonomous.hql.statements.alter_table import AlterColumn, AlterTable
from hartonomous.hql.statements.parts import ColumnDefinition
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import Type, make_type, parse_type
from hartonomous.storage.catalog import ColumnEntry, ForeignKeyEntry, TableEntry
from hartonomous.storage.errors import ConstraintFault, Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def run_alter_column(
    statement: AlterTable, action: AlterColumn, table: TableEntry, context: Context
) -> None:
    """Raises BIND, TYPE_MISMATCH, and for a row that does not fit BAD_VALUE or NOT_NULL_VIOLATION
    with its key."""
    column = get_column(table, action.name)
    changed = _changed(statement, action, table, column, context)
    if column.nullable and not changed.nullable:
        _refuse_null(statement.table, table, column, context)
    old, new = parse_type(column.type), parse_type(changed.type)
    if trees.unbounded(old) == trees.unbounded(new):
        if new.a is not None and (old.a is None or old.a > new.a):
            look_through_lengths(context, table, changed)
        columns = tuple(changed if c is column else c for c in table.columns)
        context.transaction.replace(replace(table, columns=columns))
        return
    _refuse_uses(action, table, column, changed, context)
    _rewrite(statement, table, column, changed, context)


def _changed(
    statement: AlterTable,
    action: AlterColumn,
    table: TableEntry,
    column: ColumnEntry,
    context: Context,
) -> ColumnEntry:
    """The column as it is to be. Without NULL or NOT NULL it takes what it took."""
    if column.computed is not None:
        message = f'"{column.name}" is computed, and its type that of its expression'
        raise place(BindFault(message), action.name)
    try:
        type_ = make_type(action.type.name, *action.type.arguments)
    except Error as error:
        raise place(error, action.type) from None
    nullable = column.nullable if action.nullable is None else action.nullable
    is_key = any(k.kind == "PRIMARY KEY" and column.id in k.columns for k in table.keys)
    if nullable and (is_key or column.identity is not None):
        what = "the PRIMARY KEY has it" if is_key else "it is an IDENTITY column"
        raise place(BindFault(f'"{column.name}" takes no NULL: {what}'), action.name)
    if column.identity is not None and not type_.is_integer:
        message = f"an IDENTITY column is of an integer type, not {type_}"
        raise place(BindFault(message, code="TYPE_MISMATCH"), action.type)
    if column.default is not None:
        from hartonomous.hql.syntax.parse import parse_expression

        definition = definition_of(context, statement.table, table)
        kept = parse_expression(column.default)
        said = ColumnDefinition(action.name, None, default=kept, span=action.span)
        try:
            definition.default_text(said, type_)
        except Error as error:
            error.hint = f"ALTER TABLE {table.name} ALTER COLUMN {column.name} DROP DEFAULT first"
            raise place(error, action.type) from None
    return replace(
        column,
        type=str(type_),
        arrow=type_.arrow,
        nullable=nullable,
        collation=column.collation if type_.is_string else None,
    )


# --- rows that do not fit ------------------------------------------------------------------------


def _refuse_null(
    name: ast.ObjectName, table: TableEntry, column: ColumnEntry, context: Context
) -> None:
    condition = ast.IsNull(trees.column(table.name, column.name))
    address = find_misfit(context, name, table, condition)
    if address is not None:
        row = describe_row(context, table, address)
        message = f'"{column.name}" is NULL in the row {row} of "{table.name}"'
        raise ConstraintFault(message, code="NOT_NULL_VIOLATION")


def _refuse_uses(
    action: AlterColumn,
    table: TableEntry,
    column: ColumnEntry,
    changed: ColumnEntry,
    context: Context,
) -> None:
    """BIND if something holds only for the type that the column had."""
    from hartonomous.storage.access import METHODS
    from hartonomous.storage.references import references_of

    references = references_of(context.transaction.catalog)
    users = [
        f'FOREIGN KEY "{r.entry.name}" of "{r.child.name}"'
        for r in (*references.of_child.get(table.id, ()), *references.of_parent.get(table.id, ()))
        if (r.child.id == table.id and column.id in r.entry.columns)
        or (r.parent.id == table.id and column.id in r.entry.referenced)
    ]
    users += [
        f'the computed column "{c.name}"'
        for c in table.columns
        if c.computed is not None and names_column(c.computed, column)
    ]
    users += [
        f'INDEX "{i.name}"'
        for i in table.indexes
        if column.id in i.columns and not METHODS[i.method].accepts(changed.arrow)
    ]
    if parse_type(changed.type).is_wide:
        users += [f'{k.kind} "{k.name}"' for k in table.keys if column.id in k.columns]
    refuse_used(column, list(dict.fromkeys(users)), action.name)


# --- another Arrow type --------------------------------------------------------------------------


def _rewrite(
    statement: AlterTable,
    table: TableEntry,
    column: ColumnEntry,
    changed: ColumnEntry,
    context: Context,
) -> None:
    """The column under a new id, with every row's value converted."""
    from hartonomous.storage.references import references_of

    rows = _converted(statement, table, column, parse_type(changed.type), context)
    transaction = context.transaction
    whole, ids = _with_new_ids(table, column, changed)
    referring = references_of(context.transaction.catalog).of_parent.get(table.id, ())
    children = {r.child.id: r.child for r in referring if r.child.id != table.id}
    for child in children.values():  # for a moment their key is not there
        rest = tuple(f for f in child.foreign_keys if f.table != table.id)
        transaction.replace(replace(child, foreign_keys=rest))
    fresh = set(ids.values())
    loose = tuple(replace(c, nullable=True) if c.id in fresh else c for c in whole.columns)
    transaction.replace(
        replace(whole, columns=loose, keys=(), checks=(), indexes=(), foreign_keys=())
    )
    done = complete_changed(context, whole, rows)
    new = done.select(whole.arrow_schema.names)
    transaction.update(table.id, done.column(ADDRESS).to_numpy(), new)
    transaction.replace(whole)
    for child in children.values():
        foreign = tuple(
            _follow(f, {}, ids if f.table == table.id else {}) for f in child.foreign_keys
        )
        transaction.replace(replace(child, foreign_keys=foreign))


def _converted(
    statement: AlterTable,
    table: TableEntry,
    column: ColumnEntry,
    type_: Type,
    context: Context,
) -> pa.Table:
    """Addresses, and the columns that are given values, one of them converted."""
    if is_exact_cast(trees.unbounded(parse_type(column.type)), trees.unbounded(type_)):
        return _widened(table, column, type_, context)
    old = trees.column(table.name, column.name, span=statement.action.span)
    tried = replace(trees.cast(old, type_), try_=True)
    is_misfit = ast.Binary("AND", ast.IsNull(old, True), ast.IsNull(tried))
    address = find_misfit(context, statement.table, table, is_misfit)
    if address is not None:
        raise misfit(table, column, type_, address, context)
    items = [trees.item(trees.column(table.name, ADDRESS), ADDRESS)]
    for other in table.stored:
        if other.computed is None:
            value: ast.Expression = trees.column(table.name, other.name)
            value = trees.cast(old, type_) if other is column else value
            items.append(trees.item(value, other.name))
    source = ast.TableName(statement.table, trees.word(table.name))
    rows = context.table(trees.select(items, source), hidden=True)
    check_lengths(table, column, type_, rows, context)
    return rows


def _widened(table: TableEntry, column: ColumnEntry, type_: Type, context: Context) -> pa.Table:
    """The same, where every value is one of the new type."""
    names = [c.name for c in table.stored if c.computed is None]
    rows = context.transaction.view(table.id).scan(names, address=True).table
    place = names.index(column.name)
    check_lengths(table, column, type_, rows, context)
    return rows.set_column(place, column.name, rows.column(place).cast(type_.arrow))


def _with_new_ids(
    table: TableEntry, column: ColumnEntry, changed: ColumnEntry
) -> tuple[TableEntry, dict[int, int]]:
    """The table with new ids for the column and those behind it, and these by the old ones."""
    place = table.columns.index(column)
    behind = table.columns[place:]
    ids = {c.id: table.next_id + i for i, c in enumerate(behind)}
    renewed = tuple(replace(changed if c is column else c, id=ids[c.id]) for c in behind)
    gone = [c for c in behind if c in table.stored]
    whole = replace(
        table,
        columns=(*table.columns[:place], *renewed),
        keys=tuple(replace(k, columns=_renewed(k.columns, ids)) for k in table.keys),
        indexes=tuple(replace(i, columns=_renewed(i.columns, ids)) for i in table.indexes),
        foreign_keys=tuple(_follow(f, ids, {} if f.table else ids) for f in table.foreign_keys),
        dropped=(*table.dropped, *(ColumnEntry(c.id, c.name, c.type, c.arrow) for c in gone)),
        next_id=table.next_id + len(behind),
    )
    return whole, ids


def _renewed(columns: tuple[int, ...], ids: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(ids.get(i, i) for i in columns)


def _follow(
    entry: ForeignKeyEntry, own: Mapping[int, int], theirs: Mapping[int, int]
) -> ForeignKeyEntry:
    """A foreign key whose columns have new ids."""
    return replace(
        entry, columns=_renewed(entry.columns, own), referenced=_renewed(entry.referenced, theirs)
    )
