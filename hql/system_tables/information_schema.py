"""INFORMATION_SCHEMA: what the catalog holds in the words of the SQL standard, for programs that
ask every database the same.

Users' tables, views and routines; system tables are in sys.tables. Types have their names of HQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hartonomous.hql.functions.names import database_name
from hartonomous.hql.models.relations.tables import is_atoms
from hartonomous.hql.system_schema import definition_of
from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.types import BIGINT, BITS, INT, NVARCHAR, Type, parse_type
from hartonomous.storage.catalog import ColumnEntry, SchemaEntry, TableEntry, ViewEntry, fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

#: decimal digits of whole numbers, by bits; binary digits of FLOAT and REAL
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
_BINARY_DIGITS = {"FLOAT": 53, "REAL": 24}
#: digits of the seconds
_SECOND_DIGITS = {"DATE": 0, "TIME": 6, "DATETIME2": 6, "DATETIMEOFFSET": 6}


def _tables_of(context: Context) -> list[TableEntry]:
    found = [
        table
        for table in context.catalog.tables()
        if not table.temporary and definition_of(table) is None and not is_atoms(table)
    ]
    return sorted(found, key=lambda t: (fold(t.schema), fold(t.name)))


def _views_of(context: Context) -> list[ViewEntry]:
    views = [e for e in context.catalog.entries.values() if isinstance(e, ViewEntry)]
    return sorted(views, key=lambda v: (fold(v.schema), fold(v.name)))


def _place(context: Context, entry: Any) -> Row:
    """Catalog, schema and name."""
    return (database_name(context.session.database), entry.schema, entry.name)


def _schemata(context: Context) -> list[Row]:
    name = database_name(context.session.database)
    entries = [e for e in context.catalog.entries.values() if isinstance(e, SchemaEntry)]
    return sorted((name, entry.name, "dbo") for entry in entries)


def _tables(context: Context) -> list[Row]:
    rows = [(*_place(context, t), "BASE TABLE") for t in _tables_of(context)]
    return rows + [(*_place(context, v), "VIEW") for v in _views_of(context)]


def _views(context: Context) -> list[Row]:
    return [(*_place(context, v), v.text, "NONE", "NO") for v in _views_of(context)]


# --- columns -------------------------------------------------------------------------------------


def _columns(context: Context) -> list[Row]:
    rows: list[Row] = []
    for table in _tables_of(context):
        for number, column in enumerate(table.columns, 1):
            nullable = "YES" if column.nullable else "NO"
            described = _described(parse_type(column.type), column)
            row = (column.name, number, column.default, nullable, *described)
            rows.append((*_place(context, table), *row))
    for view in _views_of(context):
        for number, (name, type_) in enumerate(_view_fields(context, view), 1):
            row = (name, number, None, "YES", *_described(type_))
            rows.append((*_place(context, view), *row))
    return rows


def _view_fields(context: Context, view: ViewEntry) -> list[tuple[str, Type | None]]:
    """A view's columns; their types are not known if what it reads is gone."""
    from hartonomous.hql import ast
    from hartonomous.hql.syntax import trees

    name = ast.ObjectName((trees.word(view.schema), trees.word(view.name)))
    query = trees.select([ast.SelectItem(ast.Star())], ast.TableName(name))
    try:
        return [(field.name, field.type) for field in context.bind(query).plan.fields]
    except Error:
        return [(name, None) for name in view.columns]


def _described(type_: Type | None, column: ColumnEntry | None = None) -> Row:
    """Name of the type, length in characters and in bytes (-1: no bound), digits, their radix,
    digits behind the point and of seconds, collation."""
    if type_ is None:
        return (None,) * 8
    kind, bound = type_.kind, -1 if type_.a is None else type_.a
    is_long = kind in ("NVARCHAR", "JSON", "VARBINARY")
    digits = radix = scale = None
    if kind in BITS:
        digits, radix, scale = _DIGITS[BITS[kind]], 10, 0
    elif kind == "DECIMAL":
        digits, radix, scale = type_.a, 10, type_.b
    elif kind in _BINARY_DIGITS:
        digits, radix = _BINARY_DIGITS[kind], 2
    characters = bound if is_long else None
    seconds, collation = _SECOND_DIGITS.get(kind), None if column is None else column.collation
    return (kind, characters, digits, radix, scale, seconds, type_.a if kind == "VECTOR" else None,
            collation)  # fmt: skip


# --- constraints ---------------------------------------------------------------------------------


def _constraints(context: Context) -> Iterator[tuple[TableEntry, str, str]]:
    """Table, name and kind of every constraint."""
    for table in _tables_of(context):
        for key in table.keys:
            if key.is_unique:
                yield table, key.name, key.kind
        for foreign in table.foreign_keys:
            yield table, foreign.name, "FOREIGN KEY"
        for check in table.checks:
            yield table, check.name, "CHECK"


def _table_constraints(context: Context) -> list[Row]:
    return [
        (*_place(context, table)[:2], name, *_place(context, table), kind, "NO", "NO")
        for table, name, kind in _constraints(context)
    ]


def _key_columns(context: Context) -> list[Row]:
    rows: list[Row] = []
    for table in _tables_of(context):
        names, place = {c.id: c.name for c in table.columns}, _place(context, table)
        keys = [(key.name, key.columns) for key in table.keys if key.is_unique]
        keys += [(key.name, key.columns) for key in table.foreign_keys]
        for name, columns in keys:
            rows += [(*place[:2], name, *place, names[c], n) for n, c in enumerate(columns, 1)]
    return rows


def _references(context: Context) -> list[Row]:
    rows: list[Row] = []
    seen = {table.id: table for table in context.catalog.tables()}
    for table in _tables_of(context):
        for foreign in table.foreign_keys:
            other = seen.get(foreign.table) if foreign.table else table
            if other is None:  # a table that the account does not see
                continue
            wanted = set(foreign.referenced)
            keys = (k.name for k in other.keys if k.is_unique and set(k.columns) == wanted)
            own, its = _place(context, table)[:2], _place(context, other)[:2]
            acts = (foreign.on_update, foreign.on_delete)
            rows.append((*own, foreign.name, *its, next(keys, None), "SIMPLE", *acts))
    return rows


def _checks(context: Context) -> list[Row]:
    return [
        (*_place(context, table)[:2], check.name, check.text)
        for table in _tables_of(context)
        for check in table.checks
    ]


# --- routines ------------------------------------------------------------------------------------


def _routines(context: Context) -> list[Row]:
    from hartonomous.hql.scripts.routines import read_routine

    rows: list[Row] = []
    for entry in context.catalog.routines():
        routine = read_routine(entry)
        returns = "TABLE" if routine.query is not None or routine.variable is not None else None
        if routine.returns is not None:
            returns = routine.returns.kind
        kind, place = routine.noun.upper(), _place(context, entry)
        rows.append((*place, *place, kind, returns, "SQL", entry.text))
    return rows


def _parameters(context: Context) -> list[Row]:
    from hartonomous.hql.scripts.routines import read_routine

    return [
        (
            *_place(context, entry),
            number,
            "INOUT" if parameter.output else "IN",
            f"@{parameter.name}",
            *_described(parse_type(str(parameter.type)))[:6],
        )
        for entry in context.catalog.routines()
        for number, parameter in enumerate(read_routine(entry).parameters, 1)
    ]


_TABLE = {"TABLE_CATALOG": NVARCHAR, "TABLE_SCHEMA": NVARCHAR, "TABLE_NAME": NVARCHAR}
_CONSTRAINT = {
    "CONSTRAINT_CATALOG": NVARCHAR,
    "CONSTRAINT_SCHEMA": NVARCHAR,
    "CONSTRAINT_NAME": NVARCHAR,
}
_SPECIFIC = {"SPECIFIC_CATALOG": NVARCHAR, "SPECIFIC_SCHEMA": NVARCHAR, "SPECIFIC_NAME": NVARCHAR}
_ROUTINE = {"ROUTINE_CATALOG": NVARCHAR, "ROUTINE_SCHEMA": NVARCHAR, "ROUTINE_NAME": NVARCHAR}
_DESCRIBED = {
    "DATA_TYPE": NVARCHAR,
    "CHARACTER_MAXIMUM_LENGTH": BIGINT,
    "NUMERIC_PRECISION": INT,
    "NUMERIC_PRECISION_RADIX": INT,
    "NUMERIC_SCALE": INT,
    "DATETIME_PRECISION": INT,
}

#: by name, as it is written behind INFORMATION_SCHEMA
VIEWS = {
    "SCHEMATA": of_tuples(
        _schemata, CATALOG_NAME=NVARCHAR, SCHEMA_NAME=NVARCHAR, SCHEMA_OWNER=NVARCHAR
    ),
    "TABLES": of_tuples(_tables, **_TABLE, TABLE_TYPE=NVARCHAR),
    "VIEWS": of_tuples(
        _views, **_TABLE, VIEW_DEFINITION=NVARCHAR, CHECK_OPTION=NVARCHAR, IS_UPDATABLE=NVARCHAR
    ),
    "COLUMNS": of_tuples(
        _columns,
        **_TABLE,
        COLUMN_NAME=NVARCHAR,
        ORDINAL_POSITION=INT,
        COLUMN_DEFAULT=NVARCHAR,
        IS_NULLABLE=NVARCHAR,
        **_DESCRIBED,
        VECTOR_DIMENSIONS=INT,
        COLLATION_NAME=NVARCHAR,
    ),
    "TABLE_CONSTRAINTS": of_tuples(
        _table_constraints,
        **_CONSTRAINT,
        **_TABLE,
        CONSTRAINT_TYPE=NVARCHAR,
        IS_DEFERRABLE=NVARCHAR,
        INITIALLY_DEFERRED=NVARCHAR,
    ),
    "KEY_COLUMN_USAGE": of_tuples(
        _key_columns, **_CONSTRAINT, **_TABLE, COLUMN_NAME=NVARCHAR, ORDINAL_POSITION=INT
    ),
    "REFERENTIAL_CONSTRAINTS": of_tuples(
        _references,
        **_CONSTRAINT,
        UNIQUE_CONSTRAINT_CATALOG=NVARCHAR,
        UNIQUE_CONSTRAINT_SCHEMA=NVARCHAR,
        UNIQUE_CONSTRAINT_NAME=NVARCHAR,
        MATCH_OPTION=NVARCHAR,
        UPDATE_RULE=NVARCHAR,
        DELETE_RULE=NVARCHAR,
    ),
    "CHECK_CONSTRAINTS": of_tuples(_checks, **_CONSTRAINT, CHECK_CLAUSE=NVARCHAR),
    "ROUTINES": of_tuples(
        _routines,
        **_SPECIFIC,
        **_ROUTINE,
        ROUTINE_TYPE=NVARCHAR,
        DATA_TYPE=NVARCHAR,
        ROUTINE_BODY=NVARCHAR,
        ROUTINE_DEFINITION=NVARCHAR,
    ),
    "PARAMETERS": of_tuples(
        _parameters,
        **_SPECIFIC,
        ORDINAL_POSITION=INT,
        PARAMETER_MODE=NVARCHAR,
        PARAMETER_NAME=NVARCHAR,
        **_DESCRIBED,
    ),
}
