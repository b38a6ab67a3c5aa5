"""CREATE INDEX, DROP INDEX: keys of a table that are no constraints of its definition.

A key's order does not matter to equality look-ups, so DESC is accepted and says nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.definitions import check_word, key_columns
from hartonomous.hql.changes.targets import get_table, place
from hartonomous.hql.errors import BindFault, NotSupported
from hartonomous.hql.result import Result
from hartonomous.storage.catalog import KeyEntry, TableEntry, fold
from hartonomous.storage.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.create_index import CreateIndex
    from hartonomous.hql.statements.drop_index import DropIndex


def run_create_index(statement: CreateIndex, context: Context) -> Result:
    """Adds the key; index names are unique within their table."""
    if statement.method is not None:
        raise place(
            NotSupported(
                f"not supported yet: CREATE INDEX … USING {statement.method}",
                hint="leave USING out",
            ),
            statement,
        )
    if statement.options:
        raise place(NotSupported("not supported yet: CREATE INDEX … WITH"), statement.options[0])
    table = get_table(context, statement.table, change="indexes")
    check_word(statement.name)
    if any(fold(k.name) == fold(statement.name.text) for k in table.keys):
        if statement.if_not_exists:
            return Result()
        raise place(
            AlreadyExists(f'"{table.name}" already has an index "{statement.name.text}"'),
            statement.name,
        )
    columns = key_columns(table.columns, [_column(o) for o in statement.columns], table.name)
    if statement.unique and any(c.collation is not None for c in table.columns if c.id in columns):
        message = "not supported yet: UNIQUE on a column with COLLATE NOCASE"
        raise place(NotSupported(message), statement)
    kind = "UNIQUE" if statement.unique else "INDEX"
    key = KeyEntry(table.next_id, statement.name.text, columns, kind)
    context.transaction.replace(replace(table, keys=(*table.keys, key), next_id=table.next_id + 1))
    return Result()


def _column(item: ast.OrderItem) -> ast.Identifier:
    if not isinstance(item.expression, ast.ColumnName) or len(item.expression.parts) != 1:
        raise place(NotSupported("not supported yet: an index over an expression"), item)
    return item.expression.parts[0]


def run_drop_index(statement: DropIndex, context: Context) -> Result:
    """Takes the key off its table. `DROP INDEX ix` finds the table by the index's name."""
    name = statement.name.last
    if statement.table is not None:
        tables = [get_table(context, statement.table, change="indexes")]
    else:
        tables = list(_tables_with(context, name))
    found = [(t, k) for t in tables for k in t.keys if fold(k.name) == fold(name)]
    if not found:
        if statement.if_exists:
            return Result()
        raise place(NotFound(f'there is no index "{name}"'), statement.name)
    if len(found) > 1:
        names = ", ".join(t.name for t, _ in found)
        raise place(
            BindFault(
                f'several tables have an index "{name}": {names}',
                code="AMBIGUOUS",
                hint=f"DROP INDEX {name} ON {found[0][0].name}",
            ),
            statement.name,
        )
    table, key = found[0]
    if key.kind == "PRIMARY KEY":
        raise place(BindFault(f'"{name}" is the PRIMARY KEY of "{table.name}"'), statement.name)
    context.transaction.replace(replace(table, keys=tuple(k for k in table.keys if k is not key)))
    return Result()


def _tables_with(context: Context, name: str) -> list[TableEntry]:
    return [
        e
        for e in context.catalog.entries.values()
        if isinstance(e, TableEntry) and any(fold(k.name) == fold(name) for k in e.keys)
    ]
