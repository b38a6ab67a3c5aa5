"""CREATE INDEX, DROP INDEX: keys of a table that are no constraints of its definition, and indexes
by access methods.

USING BTREE is the default; UNIQUE makes a key of it, which answers the same questions. USING HASH
is a key that forbids nothing and finds equal rows alone: 12 bytes a row whatever its columns, and
no slower for many texts that begin alike. An index is read in both directions, so DESC is accepted
and says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.bind.context import nearest
from hartonomous.hql.changes.definitions import key_columns
from hartonomous.hql.changes.new_names import check_word
from hartonomous.hql.changes.targets import get_table, place
from hartonomous.hql.errors import BindFault, NotSupported
from hartonomous.hql.models.relations.tables import is_atoms, view_of
from hartonomous.hql.result import Result
from hartonomous.hql.security.checking import allow
from hartonomous.storage.catalog import ColumnEntry, IndexEntry, KeyEntry, TableEntry, fold
from hartonomous.storage.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.create_index import CreateIndex
    from hartonomous.hql.statements.drop_index import DropIndex


_DEFAULT, _HASH = "BTREE", "HASH"


def run_create_index(statement: CreateIndex, context: Context) -> Result:
    """Adds a key, or an index by the access method after USING, and builds it; index names are
    unique within their table."""
    table = get_table(context, statement.table, change="indexes")
    check_word(statement.name)
    if any(fold(k.name) == fold(statement.name.text) for k in _indexes(table)):
        if statement.if_not_exists:
            return Result()
        raise place(
            AlreadyExists(f'"{table.name}" already has an index "{statement.name.text}"'),
            statement.name,
        )
    changed, index = with_index(table, statement)
    context.transaction.replace(changed)
    if index is not None:
        _build(index, changed, context)
    return Result()


def with_index(table: TableEntry, statement: CreateIndex) -> tuple[TableEntry, IndexEntry | None]:
    """The table with a key (UNIQUE, USING HASH), or with an index by an access method, which is the
    second value."""
    if statement.options:
        raise place(NotSupported("not supported yet: CREATE INDEX … WITH"), statement.options[0])
    using, name, number = statement.method or _DEFAULT, statement.name.text, table.next_id
    is_ordered = using in (_DEFAULT, _HASH)
    columns = key_columns if is_ordered else _indexed_columns
    ids = columns(table.columns, [_column(o) for o in statement.columns], table.name)
    if is_ordered and is_atoms(table):
        raise place(NotSupported(f"not supported yet: a key of {table.name}"), statement)
    if using == _HASH or (statement.unique and using == _DEFAULT):
        key = KeyEntry(number, name, ids, "UNIQUE" if statement.unique else "INDEX")
        return replace(table, keys=(*table.keys, key), next_id=number + 1), None
    index = IndexEntry(number, name, ids, _method(using, statement, table, ids))
    return replace(table, indexes=(*table.indexes, index), next_id=number + 1), index


def _indexed_columns(
    columns: Sequence[ColumnEntry], names: Sequence[ast.Identifier], table: str
) -> tuple[int, ...]:
    """The ids of an index's columns, which may be of any type."""
    stored = {fold(c.name): c.id for c in columns if c.computed is None or c.persisted}
    for name in names:
        if fold(name.text) not in stored:
            message = f'"{table}" stores no column "{name.text}"'
            hint = nearest(name.text, [c.name for c in columns if fold(c.name) in stored])
            raise place(BindFault(message, code="UNKNOWN_COLUMN", hint=hint), name)
    return tuple(stored[fold(n.text)] for n in names)


def _method(name: str, statement: CreateIndex, table: TableEntry, ids: tuple[int, ...]) -> str:
    """The access method's name, if it takes these columns."""
    from hartonomous.storage.access import METHODS

    method = METHODS.get(name)
    if method is None and name == "VECTOR":
        message = f"not supported yet: CREATE INDEX … USING {name}"
        raise place(NotSupported(message, hint="top k over vectors is exact without it"), statement)
    if method is None:
        known = ", ".join([*METHODS, _HASH])
        fault = BindFault(f"there is no access method {name}", hint=f"known: {known}")
        raise place(fault, statement)
    if statement.unique:
        raise place(BindFault(f"an index USING {name} finds rows, and forbids none"), statement)
    if len(ids) > method.columns_max:
        many = "one column" if method.columns_max == 1 else f"{method.columns_max} columns at most"
        fault = BindFault(f"an index USING {name} is over {many}")
        raise place(fault, statement.columns[method.columns_max])
    columns = {c.id: c for c in table.columns}
    for item, column_id in zip(statement.columns, ids, strict=True):
        column = columns[column_id]
        if not method.accepts(column.arrow):
            message = f'USING {name}: "{column.name}" is {column.type}'
            fault = BindFault(message, code="TYPE_MISMATCH", hint=method.takes)
            raise place(fault, item)
    return name


def _build(index: IndexEntry, table: TableEntry, context: Context) -> None:
    """Builds the parts over the rows that are there, so that the first search need not."""
    from hartonomous.hql.copying.progress import Progress
    from hartonomous.storage.access.parts import chunk_index, indexed_rows

    progress = Progress(f"index {index.name}")
    view, done = view_of(table, context.transaction), 0
    try:
        for _, selection in view.parts:
            context.limits.check()
            chunk_index(selection.chunk, index).part(indexed_rows(table, index, selection.chunk))
            done += selection.chunk.count
            progress.update(done, done / max(view.row_count, done, 1))
    finally:
        progress.close()


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
    found = [(t, k) for t in tables for k in _indexes(t) if fold(k.name) == fold(name)]
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
    allow(context.rights, context.catalog, table, ("ALTER",), statement.name)
    if isinstance(key, KeyEntry) and key.kind == "PRIMARY KEY":
        raise place(BindFault(f'"{name}" is the PRIMARY KEY of "{table.name}"'), statement.name)
    keys = tuple(k for k in table.keys if k is not key)
    indexes = tuple(i for i in table.indexes if i is not key)
    context.transaction.replace(replace(table, keys=keys, indexes=indexes))
    return Result()


def _indexes(table: TableEntry) -> list[KeyEntry | IndexEntry]:
    return [*table.keys, *table.indexes]


def _tables_with(context: Context, name: str) -> list[TableEntry]:
    return [
        e
        for e in context.catalog.entries.values()
        if isinstance(e, TableEntry) and any(fold(k.name) == fold(name) for k in _indexes(e))
    ]
