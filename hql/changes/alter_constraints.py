"""ALTER TABLE … DROP CONSTRAINT, and the defaults of columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hartonomous.hql.changes.alter_add import definition_of
from hartonomous.hql.changes.assigning import find_column
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.statements.alter_table import AlterTable, Drop, SetDefault
from hartonomous.hql.statements.parts import ColumnDefinition
from hartonomous.hql.types import parse_type
from hartonomous.storage.catalog import TableEntry, fold
from hartonomous.storage.errors import NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def run_drop_constraints(action: Drop, table: TableEntry, context: Context) -> None:
    """Takes keys, checks and foreign keys off; FOREIGN_KEY_VIOLATION for a key that others refer
    to. The columns of a primary key go on taking no NULL."""
    for name in action.names:
        wanted = fold(name.text)
        keys = tuple(k for k in table.keys if fold(k.name) != wanted or k.kind == "INDEX")
        checks = tuple(c for c in table.checks if fold(c.name) != wanted)
        foreign = tuple(f for f in table.foreign_keys if fold(f.name) != wanted)
        smaller = replace(table, keys=keys, checks=checks, foreign_keys=foreign)
        if smaller == table:
            if action.if_exists:
                continue
            known = [k.name for k in table.keys] + [c.name for c in table.checks]
            shown = ", ".join([*known, *(f.name for f in table.foreign_keys)])
            message = f'"{table.name}" has no constraint "{name.text}"'
            raise place(NotFound(message, hint=f"it has {shown}" if shown else None), name)
        context.transaction.replace(smaller)
        table = smaller


def run_set_default(
    statement: AlterTable, action: SetDefault, table: TableEntry, context: Context
) -> None:
    """SET DEFAULT, DROP DEFAULT: for rows to come."""
    column = find_column(table, action.name)
    if column.identity is not None:
        raise place(BindFault("an IDENTITY column has no DEFAULT"), action.name)
    text = None
    if action.value is not None:
        definition = definition_of(context, statement.table, table)
        said = ColumnDefinition(action.name, None, default=action.value, span=action.span)
        text = definition.default_text(said, parse_type(column.type))
    columns = tuple(replace(c, default=text) if c is column else c for c in table.columns)
    context.transaction.replace(replace(table, columns=columns))
