"""Queries of PostgreSQL's catalog: translated, and run by the relational engine over tables made of
the session's snapshot.

The engine here is one of its own, in memory, without access to files or network, its configuration
locked; nothing of a database is in it but the rows that a query of the catalog is given.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import types as hql
from hartonomous.server.postgres import catalog_information, catalog_rows
from hartonomous.server.postgres.catalog_definitions import definitions
from hartonomous.server.postgres.catalog_functions import create_macros
from hartonomous.server.postgres.catalog_queries import Watch
from hartonomous.server.postgres.catalog_relations import RELATIONS
from hartonomous.server.postgres.catalog_snapshot import CATALOGS, Row, Snapshot, take
from hartonomous.server.postgres.catalog_translation import Translated, translate
from hartonomous.server.postgres.faults import Refused
from hartonomous.server.postgres.types import BY_NAME, BY_OID, Column
from hartonomous.storage.errors import Cancelled

if TYPE_CHECKING:
    from hartonomous.hql.session import Session

#: seconds that a query of the catalog may take, and rows that it may give
SECONDS_MAX, ROWS_MAX = 30.0, 1_000_000
BATCH_ROWS = 10_000

_ARROW = {
    "oid": pa.int64(),
    "int": pa.int64(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "numeric": pa.float64(),
    "bool": pa.bool_(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}
_lock = threading.Lock()


def run_query(
    session: Session, text: str, parameters: Mapping[str, Any], about: Mapping[str, Any]
) -> tuple[pa.Table, tuple[Column, ...]]:
    """The rows of a query of the catalog, on an engine thread. Raises Error and Refused."""
    translated = translate(text, about)
    values = {str(n): parameters.get(str(n)) for n in translated.parameters}
    return _run(session, translated, values, about)


def foretell_query(
    session: Session, text: str, types: tuple[int, ...], about: Mapping[str, Any]
) -> tuple[tuple[Column, ...] | None, tuple[int, ...]]:
    """The columns and the parameters' types of a query of the catalog. It is run without rows."""
    translated = translate(text, about)
    count = max(len(types), max(translated.parameters, default=0))
    known = [*types, *[0] * (count - len(types))]
    oids = tuple(oid or BY_NAME["text"].oid for oid in known)
    empty = Translated(
        f"SELECT * FROM ({translated.text}) LIMIT 0", translated.relations, translated.parameters
    )
    values = dict.fromkeys(map(str, translated.parameters))
    return _run(session, empty, values, about)[1], oids


@cache
def _engine() -> Any:
    import duckdb

    settings: dict[str, Any] = {
        "threads": 1,
        "python_enable_replacements": False,
        "memory_limit": "256MB",
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("CREATE TEMP TABLE hql_definitions (kind VARCHAR, oid BIGINT, text VARCHAR)")
    connection.execute(
        "CREATE TEMP TABLE hql_names (kind VARCHAR, oid BIGINT, schema VARCHAR, text VARCHAR)"
    )
    connection.execute(create_macros())
    # each query has tables of these names of its own, which only its cursor sees
    connection.execute("DROP TABLE temp.hql_definitions; DROP TABLE temp.hql_names")
    connection.execute("SET GLOBAL enable_external_access = false")
    connection.execute("SET GLOBAL lock_configuration = true")
    return connection


def _run(
    session: Session, query: Translated, parameters: Mapping[str, Any], about: Mapping[str, Any]
) -> tuple[pa.Table, tuple[Column, ...]]:
    import duckdb

    tables: dict[str, pa.Table] = take(session, about, lambda at: _tables(at, query))
    with _lock:
        cursor = _engine().cursor()
    watch: Watch = about["watch"]
    seconds = about["settings"].timeout or SECONDS_MAX
    try:
        for name, table in tables.items():
            cursor.register(name, table)
        with watch.over(cursor.interrupt, min(seconds, SECONDS_MAX)):
            found = cursor.sql(query.text, params=dict(parameters) or None)
            if found is None:
                raise Refused("42601", "a query of the catalog gives rows")
            rows = _bounded(found.to_arrow_reader(BATCH_ROWS))
        return _shown(rows, list(map(str, found.types)))
    except (duckdb.Error, pa.ArrowException, OSError) as fault:
        if watch.reason is not None:
            what = "was cancelled" if watch.reason == "CANCELLED" else "took too long"
            raise Cancelled(f"the query of the catalog {what}", code=watch.reason) from fault
        message = str(fault).split("\n", 1)[0]
        raise Refused("0A000", f"a query of the catalog is not understood: {message}") from fault
    finally:
        cursor.close()


def _bounded(reader: pa.RecordBatchReader) -> pa.Table:
    """All rows, if they are not too many."""
    batches: list[pa.RecordBatch] = []
    count = 0
    for batch in reader:
        batches.append(batch)
        count += batch.num_rows
        if count > ROWS_MAX:
            raise Refused("54000", f"a query of the catalog gives more than {ROWS_MAX:,} rows")
    return pa.Table.from_batches(batches, reader.schema)


def _tables(at: Snapshot, query: Translated) -> dict[str, pa.Table]:
    """What a query reads, under the names that the translation gave."""
    tables = {f"{schema}__{name}": _table(at, schema, name) for schema, name in query.relations}
    if "tableoid" in query.text.lower():  # a column of all, which * leaves out
        for schema, name in query.relations:
            key = f"{schema}__{name}"
            number = pa.repeat(CATALOGS.get(name, 0), tables[key].num_rows)
            tables[key] = tables[key].append_column("tableoid", number)
    if "hql_" in query.text.lower():
        tables["hql_definitions"] = _made(definitions(at), _DEFINITIONS)
        tables["hql_names"] = _made(catalog_rows.names(at), _NAMES)
    return tables


_DEFINITIONS = (("kind", "text"), ("oid", "oid"), ("text", "text"))
_NAMES = (("kind", "text"), ("oid", "oid"), ("schema", "text"), ("text", "text"))


def _table(at: Snapshot, schema: str, name: str) -> pa.Table:
    """A relation's rows, all of its columns, those that nobody fills NULL."""
    made = catalog_rows.ROWS if schema == "pg_catalog" else catalog_information.ROWS
    rows = made[name](at) if name in made else ()
    return _made(rows, RELATIONS[schema, name])


def _made(rows: Any, columns: tuple[tuple[str, str], ...]) -> pa.Table:
    found: list[Row] = list(rows)
    arrays = {name: pa.array([r.get(name) for r in found], _arrow(kind)) for name, kind in columns}
    return pa.table(arrays)


def _arrow(kind: str) -> pa.DataType:
    if kind.endswith("[]"):
        return pa.list_(_ARROW.get(kind[:-2], pa.string()))
    return _ARROW.get(kind, pa.string())


# --- what comes back -----------------------------------------------------------------------------


def _shown(table: pa.Table, types: list[str]) -> tuple[pa.Table, tuple[Column, ...]]:
    """The rows with types that PostgreSQL has; `types` are the engine's."""
    arrays = [_plain(column.combine_chunks()) for column in table.columns]
    columns = tuple(
        _column(name, array.type, type_ == "JSON")
        for name, array, type_ in zip(table.column_names, arrays, types, strict=True)
    )
    schema = pa.schema([(f"c{i}", array.type) for i, array in enumerate(arrays)])
    return pa.Table.from_arrays(arrays, schema=schema), columns


def _plain(array: pa.Array) -> pa.Array:
    """Numbers of widths that PostgreSQL lacks as wider ones, anything odd as text."""
    kind = array.type
    if pa.types.is_unsigned_integer(kind) or pa.types.is_int8(kind):
        return array.cast(pa.int64())
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return array.cast(pa.int64())
    if pa.types.is_list(kind):
        of = pa.int64() if pa.types.is_integer(kind.value_type) else pa.string()
        return array.cast(pa.list_(of))
    if _find(kind) is None:
        return array.cast(pa.string())
    return array


def _find(kind: pa.DataType) -> hql.Type | None:
    return _TYPES.get(str(kind))


def _column(name: str, kind: pa.DataType, is_json: bool) -> Column:
    if is_json:
        return Column(name, BY_NAME["json"], -1, hql.JSON)
    if pa.types.is_list(kind):
        # the two arrays that asyncpg knows before it has asked what others are
        element = BY_NAME["oid" if pa.types.is_integer(kind.value_type) else "text"]
        return Column(name, BY_OID[element.array])
    type_ = _find(kind)
    assert type_ is not None, kind
    return Column(name, BY_NAME[_KINDS[type_.kind]], -1, type_)


_TYPES = {
    "null": hql.NVARCHAR,
    "bool": hql.BIT,
    "int16": hql.SMALLINT,
    "int32": hql.INT,
    "int64": hql.BIGINT,
    "float": hql.REAL,
    "double": hql.FLOAT,
    "string": hql.NVARCHAR,
    "timestamp[us, tz=UTC]": hql.DATETIMEOFFSET,
    "date32[day]": hql.DATE,
}
_KINDS = {
    "NVARCHAR": "text",
    "BIT": "bool",
    "SMALLINT": "int2",
    "INT": "int4",
    "BIGINT": "int8",
    "REAL": "float4",
    "FLOAT": "float8",
    "DATETIMEOFFSET": "timestamptz",
    "DATE": "date",
}
