"""System tables: what can be asked about a database with SELECT.

Those of this file are computed from the snapshot; those of system_schema/ are stored. Their names
are taken: no table or view of a user's may have one, also those not built yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.errors import NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.system_schema import TABLES as STORED
from hartonomous.hql.system_schema import definition_of, fields_of, singular, template
from hartonomous.hql.types import (
    BIGINT,
    BIT,
    DATETIMEOFFSET,
    FLOAT,
    GEOMETRY,
    INT,
    JSON,
    NVARCHAR,
    VARBINARY,
    Type,
)
from hartonomous.storage.access.search import Search
from hartonomous.storage.catalog import IndexEntry, SchemaEntry, TableEntry, ViewEntry, fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


@frozen
class SystemTable:
    """Columns, and what computes the rows."""

    fields: tuple[Field, ...]
    rows: Callable[[Context], pa.Table]


def _fields(**types: Type) -> tuple[Field, ...]:
    return tuple(Field(name, type_) for name, type_ in types.items())


#: HQL.md section 5: there, and not built yet
LATER = (
    "Models",
    "ModelLayers",
    "TensorAtoms",
    "TensorAtomCoefficients",
    "ModelVersions",
    "InferenceRequests",
    "InferenceFeedback",
    "QueryLog",
    "Observations",
    "Hypotheses",
    "PendingActions",
    "ImprovementHistory",
    "AutonomousComputeJobs",
    "ProvenanceNodes",
    "ProvenanceEdges",
    "sys.procedures",
    "sys.queues",
    "sys.schedules",
)


# --- rows ----------------------------------------------------------------------------------------

TABLES = _fields(
    object_id=BIGINT,
    schema_name=NVARCHAR,
    name=NVARCHAR,
    row_count=BIGINT,
    is_temporary=BIT,
    is_system=BIT,
)


def _tables(context: Context) -> pa.Table:
    rows = []
    for t in _sorted_tables(context):
        count = context.transaction.view(t.id).row_count if t.id else 0
        is_system = definition_of(t) is not None
        rows.append((t.id or None, t.schema, t.name, count, t.temporary, is_system))
    return _table(TABLES, rows)


COLUMNS = _fields(
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
)


def _columns(context: Context) -> pa.Table:
    rows = [
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
        )
        for t in _sorted_tables(context)
        for number, c in enumerate(t.columns, 1)
    ]
    return _table(COLUMNS, rows)


INDEXES = _fields(
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


def _indexes(context: Context) -> pa.Table:
    """Keys, and indexes by access methods with their size in memory or mapped, and how often they
    were searched since the database was opened (both NULL for keys)."""
    rows: list[tuple[Any, ...]] = []
    for table in _sorted_tables(context):
        names = {c.id: c.name for c in table.columns}
        place = (table.id or None, table.schema, table.name)
        for key in table.keys:
            columns = ", ".join(names[i] for i in key.columns)
            rows.append((*place, key.name, key.kind, key.is_unique, columns, None, None))
        for index in table.indexes:
            size = _index_bytes(context, table, index) if table.id else 0
            columns = ", ".join(names[i] for i in index.columns)
            used = index.searches[0]
            rows.append((*place, index.name, index.method, False, columns, size, used))
    return _table(INDEXES, rows)


def _index_bytes(context: Context, table: TableEntry, index: IndexEntry) -> int:
    view = context.transaction.view(table.id)
    return sum(part.bytes for _, _, part in Search(view, index).parts())


CHECKS = _fields(
    object_id=BIGINT,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    name=NVARCHAR,
    definition=NVARCHAR,
)


def _checks(context: Context) -> pa.Table:
    rows = [
        (t.id, t.schema, t.name, check.name, check.text)
        for t in _sorted_tables(context)
        for check in t.checks
    ]
    return _table(CHECKS, rows)


VIEWS = _fields(object_id=BIGINT, schema_name=NVARCHAR, name=NVARCHAR, definition=NVARCHAR)


def _views(context: Context) -> pa.Table:
    entries = [e for e in context.catalog.entries.values() if isinstance(e, ViewEntry)]
    rows = [(e.id, e.schema, e.name, e.text) for e in entries]
    return _table(VIEWS, sorted(rows, key=lambda row: (row[1], row[2])))


SCHEMAS = _fields(schema_id=BIGINT, name=NVARCHAR)


def _schemas(context: Context) -> pa.Table:
    entries = [e for e in context.catalog.entries.values() if isinstance(e, SchemaEntry)]
    return _table(SCHEMAS, sorted((e.id, e.name) for e in entries))


FUNCTIONS = _fields(name=NVARCHAR, kind=NVARCHAR, doc=NVARCHAR, example=NVARCHAR)


def _functions(context: Context) -> pa.Table:
    from hartonomous.hql.functions import FUNCTIONS as registry

    rows = {(f.name, f.kind, f.doc, f.example) for f in registry.values()}
    return _table(FUNCTIONS, sorted(rows))


SETTINGS = _fields(name=NVARCHAR, value=NVARCHAR, description=NVARCHAR)


def _settings(context: Context) -> pa.Table:
    session = context.session
    timeout = None if session.timeout is None else f"{session.timeout:g}"
    memory = None if session.memory is None else str(session.memory)
    rows = [
        ("author", session.author, "who this session's commits are by"),
        ("autocommit", "ON" if session.autocommit else "OFF", "whether statements commit alone"),
        ("memory", memory, "memory limit of a statement in bytes; NULL is none"),
        ("path", str(session.database.path or ":memory:"), "the database's folder"),
        ("read_only", "ON" if session.read_only else "OFF", "whether this session may change it"),
        ("timeout", timeout, "time limit of a statement in seconds; NULL is none"),
    ]
    return _table(SETTINGS, rows)


COMMITS = _fields(
    Sequence=BIGINT,
    Hash=VARBINARY,
    Parent=VARBINARY,
    At=DATETIMEOFFSET,
    Author=NVARCHAR,
    Statement=NVARCHAR,
    Root=VARBINARY,
)


def commits(context: Context) -> pa.Table:
    """The database's commits, the newest first."""
    from hartonomous.hql.arrow_tables import conform

    table = context.session.database.commits()
    return conform(table.select([f.name for f in COMMITS]), COMMITS)


SPACES = _fields(
    SpaceName=NVARCHAR,
    SRID=INT,
    Encoders=JSON,
    Dimensions=INT,
    LandmarkCount=INT,
    Method=NVARCHAR,
    Seed=BIGINT,
    ProjectionHash=VARBINARY,
    Box=GEOMETRY,
    NeighbourhoodPreservation=FLOAT,
    SampleRows=INT,
)


def _spaces(context: Context) -> pa.Table:
    from hartonomous.hql.spaces.showing import space_rows

    return space_rows(context, SPACES)


SYSTEM_TABLES: dict[str, SystemTable] = {
    "sys.tables": SystemTable(TABLES, _tables),
    "sys.columns": SystemTable(COLUMNS, _columns),
    "sys.indexes": SystemTable(INDEXES, _indexes),
    "sys.check_constraints": SystemTable(CHECKS, _checks),
    "sys.views": SystemTable(VIEWS, _views),
    "sys.schemas": SystemTable(SCHEMAS, _schemas),
    "sys.functions": SystemTable(FUNCTIONS, _functions),
    "sys.settings": SystemTable(SETTINGS, _settings),
    "commits": SystemTable(COMMITS, commits),
    "spaces": SystemTable(SPACES, _spaces),
}


class SystemFields(Mapping[str, "tuple[Field, ...]"]):
    """The columns of every system table, by folded name; those of stored ones are parsed when they
    are asked for."""

    def __getitem__(self, name: str) -> tuple[Field, ...]:
        computed = SYSTEM_TABLES.get(name)
        if computed is not None:
            return computed.fields
        if name in STORED:
            return fields_of(name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in SYSTEM_TABLES or name in STORED

    def __iter__(self) -> Iterator[str]:
        yield from SYSTEM_TABLES
        yield from STORED

    def __len__(self) -> int:
        return len(SYSTEM_TABLES) + len(STORED)


#: what the binder needs to know of them; a stored one is looked for in the catalog first
SYSTEM_FIELDS = SystemFields()


def row_sources(context: Context) -> dict[str, Callable[[], pa.Table]]:
    """What computes each table's rows. A stored one that is not in the catalog has none."""
    sources: dict[str, Callable[[], pa.Table]] = dict(_EMPTY)
    for name, system in SYSTEM_TABLES.items():
        sources[name] = partial(system.rows, context)
    return sources


def _no_rows(name: str) -> pa.Table:
    return schema_of(SYSTEM_FIELDS[name]).empty_table()


_EMPTY = {name: partial(_no_rows, name) for name in STORED}


def _sorted_tables(context: Context) -> list[TableEntry]:
    """All stored tables. System tables that are not in the catalog yet have id 0, and are shown
    without one."""
    tables = list(context.catalog.tables())
    tables += [template(name) for name in STORED if context.catalog.find("dbo", name) is None]
    return sorted(tables, key=lambda t: (fold(t.schema), fold(t.name)))


def _table(fields: tuple[Field, ...], rows: Any) -> pa.Table:
    schema = schema_of(fields)
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    arrays = [pa.array(list(c), f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


# --- names ---------------------------------------------------------------------------------------


_RESERVED = {fold(n) for n in (*LATER, *SYSTEM_TABLES, *STORED)}
_RESERVED |= {singular(n) for n in _RESERVED}
_LATER = {form: name for name in LATER for form in (fold(name), singular(name))}


def _full(schema: str, name: str) -> str:
    return fold(name) if fold(schema) == "dbo" else f"{fold(schema)}.{fold(name)}"


def is_reserved(schema: str, name: str) -> bool:
    """Whether a name is a system table's, in the plural or the singular."""
    return _full(schema, name) in _RESERVED


def explain_unknown(error: Error, query: ast.Query) -> Error:
    """UNKNOWN_TABLE for a system table that is not built yet is said to be that."""
    from hartonomous.hql.changes.targets import place, split_name
    from hartonomous.hql.syntax.trees import walk

    for node in walk(query):
        if isinstance(node, ast.TableName) and len(node.name.parts) <= 2:
            later = _LATER.get(_full(*split_name(node.name)))
            if later is not None and (node.span.line, node.span.column) == (
                error.line,
                error.column,
            ):
                return place(NotSupported(f"not supported yet: the system table {later}"), node)
    return error
