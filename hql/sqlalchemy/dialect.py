"""The dialect: how SQLAlchemy connects to HQL, and what it may expect of it.

    hql:////path/atlas.hdb          a folder (three slashes and a relative path work too)
    hql:////path/atlas.hdb?read_only=true&timeout=5&memory=1000000000&author=me
    hql://                          in memory; the engine's connections share one database
    hql://user:password@host:7433/  a server; hqls:// by TLS

A transaction begins with its first statement (PEP 249), reads one snapshot, and fails with a
Conflict, as an OperationalError, if another changed the same rows first.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sqlalchemy import pool, util
from sqlalchemy.engine import default
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.sql.compiler import AggregateOrderByStyle, InsertmanyvaluesSentinelOpts
from sqlalchemy.sql.schema import Index

from hartonomous.hql.sqlalchemy.compiler import HQLCompiler, HQLIdentifierPreparer
from hartonomous.hql.sqlalchemy.ddl import HQLDDLCompiler
from hartonomous.hql.sqlalchemy.reflection import DEFAULT_SCHEMA, Reflection
from hartonomous.hql.sqlalchemy.types import COLSPECS, HQLTypeCompiler

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

#: what a URL may say after `?` that is no text, and how it is read
_OPTIONS: dict[str, Any] = {
    "memory": util.asint,
    "read_only": util.asbool,
    "timeout": float,
    "connect_timeout": float,
    "read_timeout": float,
    "reconnect": util.asbool,
}


class HQLDialect(Reflection, default.DefaultDialect):
    """`create_engine("hql:////path/atlas.hdb")`."""

    name = "hql"
    driver = "hartonomous"
    default_paramstyle = "named"
    supports_statement_cache = True

    statement_compiler = HQLCompiler
    ddl_compiler = HQLDDLCompiler
    type_compiler_cls = HQLTypeCompiler
    preparer = HQLIdentifierPreparer
    colspecs = COLSPECS
    construct_arguments = [(Index, {"using": None, "with": None})]

    default_schema_name = DEFAULT_SCHEMA
    max_identifier_length = 128
    aggregate_order_by_style = AggregateOrderByStyle.WITHIN_GROUP
    supports_identity_columns = True
    supports_default_values = True
    supports_multivalues_insert = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_native_uuid = True
    returns_native_bytes = True

    insert_returning = True
    update_returning = True
    delete_returning = True
    update_returning_multifrom = True
    delete_returning_multifrom = True
    favor_returning_over_lastrowid = True
    # OUTPUT gives rows in the order of VALUES, which IDENTITY numbers too
    use_insertmanyvalues = True
    insertmanyvalues_implicit_sentinel = InsertmanyvaluesSentinelOpts.ANY_AUTOINCREMENT
    insertmanyvalues_max_parameters = 10_000

    def __init__(
        self,
        json_serializer: Callable[[Any], str] | None = None,
        json_deserializer: Callable[[str], Any] | None = None,
        **kw: Any,
    ) -> None:
        super().__init__(**kw)
        self._json_serializer = json_serializer
        self._json_deserializer = json_deserializer
        self._memory = f":memory:{uuid.uuid4()}"
        self._keeper: Any = None
        self._keeping = threading.Lock()

    # --- connections ------------------------------------------------------------------------------

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        from hartonomous import hql

        return hql

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        return pool.QueuePool

    def create_connect_args(self, url: URL) -> Any:
        options = {
            name: _OPTIONS[name](value) if name in _OPTIONS else value
            for name, value in url.query.items()
        }
        if url.host:
            scheme = "hqls" if url.drivername.startswith("hqls") else "hql"
            plain = url.set(drivername=scheme, query={})
            return [plain.render_as_string(hide_password=False)], options
        return [url.database or ":memory:"], options

    def connect(self, database: str, **options: Any) -> Any:
        """An HQL connection. One database in memory is all connections' of an engine, which keeps
        it for as long as the engine lives."""
        from hartonomous import hql

        if database.startswith(":memory:"):
            database = self._memory if database == ":memory:" else database
            with self._keeping:
                if self._keeper is None:
                    self._keeper = hql.connect(database)
        return hql.connect(database, autocommit=False, **options)

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return connection is not None and bool(connection.session.is_closed)

    def do_ping(self, dbapi_connection: Any) -> bool:
        return bool(dbapi_connection.is_alive(asks=True))

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:
        from importlib.metadata import version

        return tuple(int(part) for part in version("hartonomous").split(".") if part.isdigit())

    def _get_default_schema_name(self, connection: Connection) -> str:
        return DEFAULT_SCHEMA

    # --- transactions -----------------------------------------------------------------------------

    def get_isolation_level_values(self, dbapi_connection: Any) -> list[IsolationLevel]:
        return ["SNAPSHOT", "AUTOCOMMIT"]  # type: ignore[list-item]

    def get_default_isolation_level(self, dbapi_connection: Any) -> IsolationLevel:
        return "SNAPSHOT"  # type: ignore[return-value]

    def get_isolation_level(self, dbapi_connection: Any) -> IsolationLevel:
        return "AUTOCOMMIT" if dbapi_connection.autocommit else "SNAPSHOT"  # type: ignore[return-value]

    def set_isolation_level(self, dbapi_connection: Any, level: IsolationLevel) -> None:
        dbapi_connection.autocommit = level == "AUTOCOMMIT"

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        return bool(dbapi_conn.autocommit)

    def do_savepoint(self, connection: Connection, name: str) -> None:
        """A savepoint may be the first statement of a transaction."""
        raw: Any = connection.connection.dbapi_connection
        if not raw.in_transaction:
            raw.session.begin()
        super().do_savepoint(connection, name)

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        """Nothing: a savepoint ends with its transaction, or when one of its name is set."""
