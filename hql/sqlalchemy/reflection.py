"""What tables a database has, for SQLAlchemy's Inspector: from HQL's system tables.

Names are found without case and given as they were first written. A UNIQUE constraint and a unique
index are one thing in HQL, so each is reflected as both, the index saying that it repeats the
constraint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exc
from sqlalchemy.engine import reflection

from hartonomous.hql.sqlalchemy.types import type_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

DEFAULT_SCHEMA = "dbo"

_OF_TABLE = (
    " WHERE schema_name COLLATE NOCASE = :schema COLLATE NOCASE"
    " AND table_name COLLATE NOCASE = :name COLLATE NOCASE"
)
_OF_OBJECT = _OF_TABLE.replace("table_name", "name")
_COLUMNS = (
    "SELECT name, type, is_nullable, default_definition, computed_definition, is_persisted,"
    f" identity_seed, identity_increment, collation_name FROM sys.columns{_OF_TABLE}"
    " ORDER BY column_id"
)
_INDEXES = f"SELECT name, kind FROM sys.indexes{_OF_TABLE} ORDER BY name"
_INDEX_COLUMNS = (
    f"SELECT index_name, column_name FROM sys.index_columns{_OF_TABLE}"
    " ORDER BY index_name, key_ordinal"
)
_CHECKS = f"SELECT name, definition FROM sys.check_constraints{_OF_TABLE} ORDER BY name"
_FOREIGN_KEYS = (
    "SELECT k.name, c.column_name, k.referenced_schema_name, k.referenced_table_name,"
    " c.referenced_column_name, k.delete_action, k.update_action"
    " FROM sys.foreign_keys AS k JOIN sys.foreign_key_columns AS c"
    " ON c.object_id = k.object_id AND c.foreign_key_name = k.name"
    f"{_OF_TABLE.replace('schema_name', 'k.schema_name').replace('table_name', 'k.table_name')}"
    " ORDER BY k.name, c.key_ordinal"
)
#: kinds of sys.indexes that CREATE INDEX makes without USING; the others name an access method
_PLAIN = ("UNIQUE", "BTREE")


class Reflection:
    """The part of the dialect that reads the catalog. A schema of None is dbo."""

    def _rows(
        self, connection: Connection, query: str, schema: str | None, name: str = ""
    ) -> list[Any]:
        given = {"schema": schema or DEFAULT_SCHEMA, "name": name}
        parameters = {key: value for key, value in given.items() if f":{key}" in query}
        return list(connection.exec_driver_sql(query, parameters))

    def _names(self, connection: Connection, query: str, schema: str | None) -> list[str]:
        return [row[0] for row in self._rows(connection, query, schema)]

    def _check_there(self, connection: Connection, name: str, schema: str | None) -> None:
        """Raises NoSuchTableError unless there is a table or view of the name."""
        if not self._is_there(connection, name, schema):
            raise exc.NoSuchTableError(f"{schema}.{name}" if schema else name)

    def _is_there(self, connection: Connection, name: str, schema: str | None) -> bool:
        for kind in ("tables", "views"):
            query = f"SELECT name FROM sys.{kind}{_OF_OBJECT}"
            if self._rows(connection, query, schema, name):
                return True
        return False

    # --- names ------------------------------------------------------------------------------------

    @reflection.cache
    def has_table(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> bool:
        return self._is_there(connection, table_name, schema)

    @reflection.cache
    def has_schema(self, connection: Connection, schema_name: str, **kw: Any) -> bool:
        query = "SELECT name FROM sys.schemas WHERE name COLLATE NOCASE = :schema COLLATE NOCASE"
        return bool(self._rows(connection, query, schema_name))

    @reflection.cache
    def get_schema_names(self, connection: Connection, **kw: Any) -> list[str]:
        return self._names(connection, "SELECT name FROM sys.schemas ORDER BY name", None)

    @reflection.cache
    def get_table_names(
        self, connection: Connection, schema: str | None = None, **kw: Any
    ) -> list[str]:
        """Tables of users; system tables can be reflected by their names."""
        query = (
            "SELECT name FROM sys.tables WHERE is_temporary = 0 AND is_system = 0"
            " AND schema_name COLLATE NOCASE = :schema COLLATE NOCASE ORDER BY name"
        )
        return self._names(connection, query, schema)

    @reflection.cache
    def get_temp_table_names(
        self, connection: Connection, schema: str | None = None, **kw: Any
    ) -> list[str]:
        query = "SELECT name FROM sys.tables WHERE is_temporary = 1 ORDER BY name"
        return self._names(connection, query, None)

    @reflection.cache
    def get_view_names(
        self, connection: Connection, schema: str | None = None, **kw: Any
    ) -> list[str]:
        query = (
            "SELECT name FROM sys.views"
            " WHERE schema_name COLLATE NOCASE = :schema COLLATE NOCASE ORDER BY name"
        )
        return self._names(connection, query, schema)

    @reflection.cache
    def get_view_definition(
        self, connection: Connection, view_name: str, schema: str | None = None, **kw: Any
    ) -> str:
        query = f"SELECT definition FROM sys.views{_OF_OBJECT}"
        for row in self._rows(connection, query, schema, view_name):
            return str(row[0])
        raise exc.NoSuchTableError(f"{schema}.{view_name}" if schema else view_name)

    # --- a table ----------------------------------------------------------------------------------

    @reflection.cache
    def get_columns(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        rows = self._rows(connection, _COLUMNS, schema, table_name)
        if rows:
            return [_column(row) for row in rows]
        self._check_there(connection, table_name, schema)
        return self._view_columns(connection, table_name, schema)

    def _view_columns(
        self, connection: Connection, name: str, schema: str | None
    ) -> list[dict[str, Any]]:
        """What a query of the view says that it gives."""
        quoted = ".".join(
            '"' + part.replace('"', '""') + '"' for part in (schema or DEFAULT_SCHEMA, name)
        )
        result = connection.exec_driver_sql(f"SELECT TOP (0) * FROM {quoted}")
        described = result.cursor.description if result.cursor is not None else None
        columns = [
            {"name": field[0], "type": type_of(str(field[1])), "nullable": True, "default": None}
            for field in described or ()
        ]
        result.close()
        return columns

    @reflection.cache
    def get_pk_constraint(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        for name, kind, columns in self._indexes(connection, table_name, schema, **kw):
            if kind == "PRIMARY KEY":
                return {"name": name, "constrained_columns": columns}
        return {"name": None, "constrained_columns": []}

    @reflection.cache
    def get_unique_constraints(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        return [
            {"name": name, "column_names": columns}
            for name, kind, columns in self._indexes(connection, table_name, schema, **kw)
            if kind == "UNIQUE"
        ]

    @reflection.cache
    def get_indexes(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        found = []
        for name, kind, columns in self._indexes(connection, table_name, schema, **kw):
            if kind == "PRIMARY KEY":
                continue
            index: dict[str, Any] = {"name": name, "column_names": columns}
            index["unique"] = kind == "UNIQUE"
            if kind == "UNIQUE":
                index["duplicates_constraint"] = name
            if kind not in _PLAIN:
                index["dialect_options"] = {"hql_using": kind}
            found.append(index)
        return found

    @reflection.cache
    def _indexes(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[tuple[str, str, list[str]]]:
        """(name, kind, columns) of each key and index."""
        kinds = self._rows(connection, _INDEXES, schema, table_name)
        if not kinds:
            self._check_there(connection, table_name, schema)
            return []
        columns: dict[str, list[str]] = {}
        for index, column in self._rows(connection, _INDEX_COLUMNS, schema, table_name):
            columns.setdefault(index, []).append(column)
        return [(name, kind, columns[name]) for name, kind in kinds]

    @reflection.cache
    def get_check_constraints(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        rows = self._rows(connection, _CHECKS, schema, table_name)
        if not rows:
            self._check_there(connection, table_name, schema)
        return [{"name": name, "sqltext": text} for name, text in rows]

    @reflection.cache
    def get_foreign_keys(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        rows = self._rows(connection, _FOREIGN_KEYS, schema, table_name)
        if not rows:
            self._check_there(connection, table_name, schema)
            return []
        found: dict[str, dict[str, Any]] = {}
        for row in rows:
            is_default = schema is None and row.referenced_schema_name == DEFAULT_SCHEMA
            actions = (("ondelete", row.delete_action), ("onupdate", row.update_action))
            key = found.setdefault(
                row.name,
                {
                    "name": row.name,
                    "constrained_columns": [],
                    "referred_schema": None if is_default else row.referenced_schema_name,
                    "referred_table": row.referenced_table_name,
                    "referred_columns": [],
                    "options": {name: action for name, action in actions if action != "NO ACTION"},
                },
            )
            key["constrained_columns"].append(row.column_name)
            key["referred_columns"].append(row.referenced_column_name)
        return list(found.values())


def _column(row: Row[Any]) -> dict[str, Any]:
    column: dict[str, Any] = {
        "name": row.name,
        "type": type_of(row.type, row.collation_name),
        "nullable": bool(row.is_nullable),
        "default": row.default_definition,
        "autoincrement": row.identity_seed is not None,
    }
    if row.identity_seed is not None:
        column["identity"] = {"start": row.identity_seed, "increment": row.identity_increment}
    if row.computed_definition is not None:
        column["computed"] = {
            "sqltext": row.computed_definition,
            "persisted": bool(row.is_persisted),
        }
    return column
