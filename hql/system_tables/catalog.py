"""What the catalog holds: sys.tables, sys.columns, sys.indexes, sys.check_constraints, sys.views,
sys.schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.models.relations.tables import is_atoms, view_of
from hartonomous.hql.system_schema import TABLES as STORED
from hartonomous.hql.system_schema import definition_of, template
from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.types import BIGINT, BIT, INT, NVARCHAR
from hartonomous.storage.access.search import Search
from hartonomous.storage.catalog import IndexEntry, SchemaEntry, TableEntry, ViewEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def sorted_tables(context: Context) -> list[TableEntry]:
    """All stored tables. System tables that are not in the catalog yet have id 0, and are shown
    without one."""
    tables = list(context.catalog.tables())
    tables += [template(name) for name in STORED if context.catalog.find("dbo", name) is None]
    return sorted(tables, key=lambda t: (fold(t.schema), fold(t.name)))


def _tables(context: Context) -> list[Row]:
    rows = []
    for t in sorted_tables(context):
        count = _count(context, t) if t.id else 0
        is_system = definition_of(t) is not None or is_atoms(t)
        rows.append((t.id or None, t.schema, t.name, count, t.temporary, is_system))
    return rows


def _count(context: Context, table: TableEntry) -> int | None:
    """How many rows it has; NULL where the account does not see all."""
    if context.account is not None:
        from hartonomous.hql.security.rows import policies_for

        if policies_for(context.account, table) is not None:
            return None
    return view_of(table, context.transaction).row_count


def _columns(context: Context) -> list[Row]:
    return [
        (
            t.id or None,
            t.schema,
            t.name,
            number,
            c.name,
            c.type,
            c.nullable,
            c.identity is not None,
            c.computed is not None,
            c.default,
            c.computed,
            c.persisted,
            *(c.identity or (None, None)),
            c.collation,
        )
        for t in sorted_tables(context)
        for number, c in enumerate(t.columns, 1)
    ]


def _indexes(context: Context) -> list[Row]:
    """Keys, and indexes by access methods with their size in memory or mapped, and how often they
    were searched since the database was opened (both NULL for keys)."""
    rows: list[Row] = []
    for table in sorted_tables(context):
        names = {c.id: c.name for c in table.columns}
        place = (table.id or None, table.schema, table.name)
        for key in table.keys:
            columns = ", ".join(names[i] for i in key.columns)
            kind = key.kind if key.is_unique else "HASH"
            rows.append((*place, key.name, kind, key.is_unique, columns, None, None))
        for index in table.indexes:
            size = _index_bytes(context, table, index) if table.id else 0
            columns = ", ".join(names[i] for i in index.columns)
            used = index.searches[0]
            rows.append((*place, index.name, index.method, False, columns, size, used))
    return rows


def _index_bytes(context: Context, table: TableEntry, index: IndexEntry) -> int:
    view = view_of(table, context.transaction)
    return sum(part.bytes for _, _, part in Search(view, index).parts)


def _checks(context: Context) -> list[Row]:
    return [
        (t.id, t.schema, t.name, check.name, check.text)
        for t in sorted_tables(context)
        for check in t.checks
    ]


def _views(context: Context) -> list[Row]:
    entries = [e for e in context.catalog.entries.values() if isinstance(e, ViewEntry)]
    entries.sort(key=lambda e: (e.schema, e.name))
    return [(e.id, e.schema, e.name, e.text) for e in entries]


def _schemas(context: Context) -> list[Row]:
    entries = [e for e in context.catalog.entries.values() if isinstance(e, SchemaEntry)]
    return sorted((e.id, e.name) for e in entries)


TABLES = of_tuples(
    _tables,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    name=NVARCHAR,
    row_count=BIGINT,
    is_temporary=BIT,
    is_system=BIT,
)

COLUMNS = of_tuples(
    _columns,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    column_id=INT,
    name=NVARCHAR,
    type=NVARCHAR,
    is_nullable=BIT,
    is_identity=BIT,
    is_computed=BIT,
    default_definition=NVARCHAR,
    computed_definition=NVARCHAR,
    is_persisted=BIT,
    identity_seed=BIGINT,
    identity_increment=BIGINT,
    collation_name=NVARCHAR,
)

INDEXES = of_tuples(
    _indexes,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    name=NVARCHAR,
    kind=NVARCHAR,
    is_unique=BIT,
    columns=NVARCHAR,
    bytes=BIGINT,
    searches=BIGINT,
)

CHECKS = of_tuples(
    _checks,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    name=NVARCHAR,
    definition=NVARCHAR,
)

VIEWS = of_tuples(
    _views, object_id=BIGINT, schema_name=NVARCHAR, name=NVARCHAR, definition=NVARCHAR
)

SCHEMAS = of_tuples(_schemas, schema_id=BIGINT, name=NVARCHAR)
