"""sys.foreign_keys, and sys.foreign_key_columns: their columns one by one, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.system_tables.catalog import sorted_tables
from hartonomous.hql.types import BIGINT, INT, NVARCHAR
from hartonomous.storage.catalog import ForeignKeyEntry, TableEntry

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def _found(context: Context) -> Iterator[tuple[TableEntry, ForeignKeyEntry, TableEntry]]:
    """Every foreign key between its tables, of which the account sees both."""
    tables = sorted_tables(context)
    seen = {table.id: table for table in tables}
    for table in tables:
        for entry in table.foreign_keys:
            parent = seen.get(entry.table) if entry.table else table
            if parent is not None:
                yield table, entry, parent


def _names(table: TableEntry, ids: tuple[int, ...]) -> list[str]:
    names = {column.id: column.name for column in table.columns}
    return [names[i] for i in ids]


def _foreign_keys(context: Context) -> list[Row]:
    return [
        (
            table.id,
            table.schema,
            table.name,
            entry.name,
            ", ".join(_names(table, entry.columns)),
            parent.id,
            parent.schema,
            parent.name,
            ", ".join(_names(parent, entry.referenced)),
            entry.on_delete,
            entry.on_update,
        )
        for table, entry, parent in _found(context)
    ]


def _foreign_key_columns(context: Context) -> list[Row]:
    rows: list[Row] = []
    for table, entry, parent in _found(context):
        own, theirs = _names(table, entry.columns), _names(parent, entry.referenced)
        for number, (column, referenced) in enumerate(zip(own, theirs, strict=True), 1):
            place = (table.id, table.schema, table.name, entry.name, number, column)
            rows.append((*place, parent.id, parent.schema, parent.name, referenced))
    return rows


FOREIGN_KEYS = of_tuples(
    _foreign_keys,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    name=NVARCHAR,
    columns=NVARCHAR,
    referenced_object_id=BIGINT,
    referenced_schema_name=NVARCHAR,
    referenced_table_name=NVARCHAR,
    referenced_columns=NVARCHAR,
    delete_action=NVARCHAR,
    update_action=NVARCHAR,
)

FOREIGN_KEY_COLUMNS = of_tuples(
    _foreign_key_columns,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    foreign_key_name=NVARCHAR,
    key_ordinal=INT,
    column_name=NVARCHAR,
    referenced_object_id=BIGINT,
    referenced_schema_name=NVARCHAR,
    referenced_table_name=NVARCHAR,
    referenced_column_name=NVARCHAR,
)
