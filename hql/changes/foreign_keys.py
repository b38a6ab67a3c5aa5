"""FOREIGN KEY and REFERENCES: from a definition to its entry.

The columns must be of the types of those that they refer to, so that keys can be looked up as they
lie, and those must be a key, so that there is one row at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.definitions import Definition, key_columns, make
from hartonomous.hql.changes.targets import get_table, place, split_name
from hartonomous.hql.errors import BindFault
from hartonomous.hql.syntax import trees
from hartonomous.storage.catalog import (
    NO_ACTION,
    SET_DEFAULT,
    SET_NULL,
    ColumnEntry,
    ForeignKeyEntry,
    KeyEntry,
    TableEntry,
    fold,
)

if TYPE_CHECKING:
    from hartonomous.hql.statements import parts


def define_foreign_key(
    definition: Definition, constraint: parts.Constraint, names: Sequence[ast.Identifier]
) -> ForeignKeyEntry:
    """Raises BIND, TYPE_MISMATCH, UNKNOWN_TABLE, UNKNOWN_COLUMN."""
    assert constraint.references is not None
    if definition.name.last.startswith(("#", "@")):
        message = "#temp tables and table variables have no FOREIGN KEY"
        raise place(BindFault(message), constraint)
    own = key_columns(definition.columns, names, definition.name.last)
    parent, columns, keys = _parent(definition, constraint)
    referenced = _referenced(constraint, parent, columns, keys)
    if len(referenced) != len(own):
        message = f"FOREIGN KEY has {len(own)} columns and refers to {len(referenced)}"
        raise place(BindFault(message), constraint)
    mine, theirs = {c.id: c for c in definition.columns}, {c.id: c for c in columns}
    for child_id, parent_id in zip(own, referenced, strict=True):
        _check_types(constraint, mine[child_id], theirs[parent_id])
    for action in (constraint.on_delete, constraint.on_update):
        _check_action(constraint, action, [mine[i] for i in own])
    shown = f"FK_{definition.name.last}_{constraint.references.last}"
    return ForeignKeyEntry(
        id=definition.take_id(),
        name=definition.constraint_name(constraint, shown),
        columns=own,
        table=0 if parent is None else parent.id,
        referenced=referenced,
        on_delete=constraint.on_delete or NO_ACTION,
        on_update=constraint.on_update or NO_ACTION,
    )


def _parent(
    definition: Definition, constraint: parts.Constraint
) -> tuple[TableEntry | None, Sequence[ColumnEntry], Sequence[KeyEntry]]:
    """The table that is referred to (None: the one that is being defined), its columns and keys."""
    name = constraint.references
    assert name is not None
    if [fold(p) for p in split_name(name)] == [fold(p) for p in split_name(definition.name)]:
        return None, definition.columns, definition.keys
    parent = get_table(definition.context, name, change="indexes", rights=("SELECT",))
    if parent.temporary:
        raise place(BindFault("a FOREIGN KEY cannot refer to a #temp table"), name)
    return parent, parent.columns, parent.keys


def _referenced(
    constraint: parts.Constraint,
    parent: TableEntry | None,
    columns: Sequence[ColumnEntry],
    keys: Sequence[KeyEntry],
) -> tuple[int, ...]:
    """The ids of the columns that are referred to: those named, else the primary key's."""
    name = constraint.references
    assert name is not None
    if constraint.referenced:
        ids = key_columns(columns, constraint.referenced, name.last)
        if not any(k.is_unique and sorted(k.columns) == sorted(ids) for k in keys):
            shown = ", ".join(c.text for c in constraint.referenced)
            message = f'"{name.last}" has no PRIMARY KEY or UNIQUE over ({shown})'
            hint = "a foreign key refers to all columns of a key"
            raise place(BindFault(message, hint=hint), name)
        return ids
    primary = next((k for k in keys if k.kind == "PRIMARY KEY"), None)
    if primary is None:
        message = f'"{name.last}" has no PRIMARY KEY'
        raise place(BindFault(message, hint=f"REFERENCES {name} (column, …)"), name)
    return primary.columns


def _check_types(constraint: parts.Constraint, own: ColumnEntry, theirs: ColumnEntry) -> None:
    mine, other = trees.unbounded(make(own.type)), trees.unbounded(make(theirs.type))
    if mine != other or own.collation != theirs.collation:
        shown = [
            f"{c.type} COLLATE {c.collation}" if c.collation else c.type for c in (own, theirs)
        ]
        message = f'"{own.name}" is {shown[0]} and refers to "{theirs.name}", which is {shown[1]}'
        hint = f'make "{own.name}" {shown[1]}'
        raise place(BindFault(message, code="TYPE_MISMATCH", hint=hint), constraint)


def _check_action(
    constraint: parts.Constraint, action: str | None, columns: Sequence[ColumnEntry]
) -> None:
    for column in columns:
        if action not in (None, NO_ACTION) and column.computed is not None:
            message = f'"{column.name}" is computed, and {action} would have to change it'
            raise place(BindFault(message), constraint)
        takes_null = column.nullable
        if action == SET_NULL and not takes_null:
            message = f'SET NULL: "{column.name}" takes no NULL'
            hint = f'let "{column.name}" take NULL, or choose CASCADE or NO ACTION'
            raise place(BindFault(message, hint=hint), constraint)
        if action == SET_DEFAULT and not takes_null and column.default is None:
            message = f'SET DEFAULT: "{column.name}" has no DEFAULT and takes no NULL'
            raise place(BindFault(message, hint=f'give "{column.name}" a DEFAULT'), constraint)
