"""What the catalog is made of: the session's tables, columns, keys and routines at one moment.

It is read through HQL's own system tables, which show what the session's account may see, so
PostgreSQL's catalog shows no more. Things that have no number in HQL (indexes, constraints) get one
made of their names, the same from query to query.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.session import Session

Row = dict[str, Any]
#: OIDs that every PostgreSQL has, which clients compare with
CATALOGS = {
    "pg_aggregate": 2600,
    "pg_am": 2601,
    "pg_attrdef": 2604,
    "pg_attribute": 1249,
    "pg_authid": 1260,
    "pg_cast": 2605,
    "pg_class": 1259,
    "pg_collation": 3456,
    "pg_constraint": 2606,
    "pg_conversion": 2607,
    "pg_database": 1262,
    "pg_description": 2609,
    "pg_enum": 3501,
    "pg_event_trigger": 3466,
    "pg_extension": 3079,
    "pg_index": 2610,
    "pg_language": 2612,
    "pg_namespace": 2615,
    "pg_opclass": 2616,
    "pg_operator": 2617,
    "pg_opfamily": 2753,
    "pg_proc": 1255,
    "pg_publication": 6104,
    "pg_rewrite": 2618,
    "pg_roles": 12000,
    "pg_sequence": 2224,
    "pg_statistic_ext": 3381,
    "pg_subscription": 6100,
    "pg_tablespace": 1213,
    "pg_trigger": 2620,
    "pg_type": 1247,
}
PG_CATALOG, INFORMATION_SCHEMA, USER, DATABASE = 11, 13_000, 10, 5
#: HQL's own ids begin here: below are PostgreSQL's
FIRST_ID = 1_000_000
#: and numbers made of names here
FIRST_MADE = 1 << 30
DEFAULT_SCHEMA = "dbo"


@dataclass
class Snapshot:
    """Rows of HQL's system tables by name, and what the connection is."""

    about: Mapping[str, Any]
    rows_of: Callable[[str], list[Row]]
    _made: dict[str, int] = field(default_factory=dict)
    _taken: set[int] = field(default_factory=set)

    def made(self, *names: str) -> int:
        """The number of something that has none in HQL."""
        key = "\0".join(names)
        found = self._made.get(key)
        if found is None:
            found = FIRST_MADE | zlib.crc32(key.encode()) & (FIRST_MADE - 1)
            while found in self._taken:
                found = FIRST_MADE | (found + 1) & (FIRST_MADE - 1)
            self._made[key] = found
            self._taken.add(found)
        return found

    def relation(self, schema: str, name: str, object_id: int | None) -> int:
        """The OID of a table or view."""
        if object_id is not None:
            return FIRST_ID + object_id
        return self.made("relation", schema.lower(), name.lower())

    def namespace(self, schema: str) -> int:
        """The OID of a schema."""
        known = {"pg_catalog": PG_CATALOG, "information_schema": INFORMATION_SCHEMA}
        if schema.lower() in known:
            return known[schema.lower()]
        ids = self._schema_ids
        number = ids.get(schema.lower())
        return FIRST_ID + number if number is not None else self.made("schema", schema.lower())

    @cached_property
    def _schema_ids(self) -> dict[str, int | None]:
        return {row["name"].lower(): row["schema_id"] for row in self.rows_of("sys.schemas")}

    @cached_property
    def schemas(self) -> list[str]:
        """The user's schemas."""
        names = {row["name"] for row in self.rows_of("sys.schemas")} | {DEFAULT_SCHEMA}
        return sorted(n for n in names if n.lower() not in ("information_schema", "pg_catalog"))

    @cached_property
    def tables(self) -> list[Row]:
        """sys.tables, with `oid` and `namespace`: that of HQL's own tables is pg_catalog."""
        rows = self.rows_of("sys.tables")
        for row in rows:
            row["oid"] = self.relation(row["schema_name"], row["name"], row["object_id"])
            place = "pg_catalog" if row["is_system"] else row["schema_name"]
            row["namespace"] = self.namespace(place)
        return rows

    @cached_property
    def views(self) -> list[Row]:
        rows = self.rows_of("sys.views")
        for row in rows:
            row["oid"] = self.relation(row["schema_name"], row["name"], row["object_id"])
            row["namespace"] = self.namespace(row["schema_name"])
        return rows

    @cached_property
    def oids(self) -> dict[tuple[str, str], int]:
        """Tables and views by schema and name."""
        return {(r["schema_name"], r["name"]): r["oid"] for r in [*self.tables, *self.views]}

    @cached_property
    def columns(self) -> list[Row]:
        """sys.columns of tables and views, with `oid` of what they belong to."""
        rows = [*self.rows_of("sys.columns"), *self.rows_of("view columns")]
        for row in rows:
            row["oid"] = self.relation(row["schema_name"], row["table_name"], row["object_id"])
        return rows

    @cached_property
    def numbers(self) -> dict[tuple[int, str], int]:
        """The numbers of columns, by their table's OID and their folded names."""
        return {(row["oid"], row["name"].lower()): row["column_id"] for row in self.columns}

    @cached_property
    def indexes(self) -> list[Row]:
        """sys.indexes with `oid`, `table` (its table's OID) and `keys` (columns' numbers)."""
        keys: dict[tuple[str, str, str], list[str]] = {}
        for row in self.rows_of("sys.index_columns"):
            place = (row["schema_name"], row["table_name"], row["index_name"])
            keys.setdefault(place, []).append(row["column_name"])
        rows = self.rows_of("sys.indexes")
        for row in rows:
            place = (row["schema_name"], row["table_name"], row["name"])
            row["names"] = keys.get(place, [])
            row["table"] = self.relation(*place[:2], row["object_id"])
            row["keys"] = [self.numbers[row["table"], name.lower()] for name in row["names"]]
            row["oid"] = self.made("index", *place)
            row["is_constraint"] = row["kind"] in ("PRIMARY KEY", "UNIQUE")
        return rows

    @cached_property
    def foreign_keys(self) -> list[Row]:
        """sys.foreign_keys with `table`, `referenced` (OIDs), `keys` and `referenced_keys`."""
        columns: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.rows_of("sys.foreign_key_columns"):
            place = (row["schema_name"], row["table_name"], row["foreign_key_name"])
            columns.setdefault(place, []).append(row)
        rows = self.rows_of("sys.foreign_keys")
        for row in rows:
            parts = columns.get((row["schema_name"], row["table_name"], row["name"]), [])
            row["names"] = [part["column_name"] for part in parts]
            row["referenced_names"] = [part["referenced_column_name"] for part in parts]
            row["table"] = self.relation(row["schema_name"], row["table_name"], row["object_id"])
            row["referenced"] = self.relation(
                row["referenced_schema_name"],
                row["referenced_table_name"],
                row["referenced_object_id"],
            )
            row["keys"] = [self.numbers[row["table"], n.lower()] for n in row["names"]]
            row["referenced_keys"] = [
                self.numbers[row["referenced"], n.lower()]
                for n in row["referenced_names"]
                if (row["referenced"], n.lower()) in self.numbers
            ]
        return rows

    @cached_property
    def checks(self) -> list[Row]:
        rows = self.rows_of("sys.check_constraints")
        for row in rows:
            row["table"] = self.relation(row["schema_name"], row["table_name"], row["object_id"])
        return rows

    @cached_property
    def routines(self) -> list[Row]:
        """Procedures and functions of the user's, with `oid`, `kind` (p, f) and `types`."""
        parameters: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows_of("sys.parameters"):
            place = (row["schema_name"], row["routine_name"])
            parameters.setdefault(place, []).append(row)
        rows = [{**row, "prokind": "p"} for row in self.rows_of("sys.procedures")]
        rows += [
            {**row, "prokind": "f"}
            for row in self.rows_of("sys.functions")
            if row["object_id"] is not None
        ]
        for row in rows:
            row["oid"] = FIRST_ID + row["object_id"] if row["object_id"] is not None else 0
            row["oid"] = row["oid"] or self.made("routine", row["schema_name"], row["name"])
            row["parts"] = parameters.get((row["schema_name"], row["name"]), [])
        return rows


def quoted(name: str) -> str:
    """A name that HQL and PostgreSQL read as it is."""
    return '"' + name.replace('"', '""') + '"'


def take(session: Session, about: Mapping[str, Any], work: Callable[[Snapshot], Any]) -> Any:
    """What `work` makes of a snapshot of the session."""
    from hartonomous.hql.parameters import ParameterSet
    from hartonomous.hql.run import Guard
    from hartonomous.hql.scripts.frame import Frame

    session.check_open()
    with Guard(session):
        prepared = session.prepare("SELECT 1")[0]
        limits = session.new_limits(prepared)
        try:
            return session.read(
                prepared,
                Frame(ParameterSet()),
                [],
                limits,
                lambda context: work(Snapshot(about, lambda name: _rows(context, name))),
            )
        finally:
            limits.stop()


def _rows(context: Context, name: str) -> list[Row]:
    from hartonomous.hql.system_tables import SYSTEM_TABLES

    if name == "view columns":
        return _view_columns(context)
    rows: list[Row] = SYSTEM_TABLES[name].rows(context).to_pylist()
    return rows


def _view_columns(context: Context) -> list[Row]:
    """The columns of views, which HQL knows once it has bound them. One that cannot be bound any
    more, as its table is gone, has none."""
    from hartonomous.hql.syntax.parse import parse_query
    from hartonomous.hql.system_tables import SYSTEM_TABLES

    out: list[Row] = []
    for view in SYSTEM_TABLES["sys.views"].rows(context).to_pylist():
        place = {"schema_name": view["schema_name"], "table_name": view["name"]}
        try:
            query = parse_query(
                f"SELECT * FROM {quoted(view['schema_name'])}.{quoted(view['name'])}"
            )
            fields = context.bind(query).plan.fields
        except Error:
            continue
        out += [
            {
                **place,
                "object_id": view["object_id"],
                "column_id": number,
                "name": found.name,
                "type": str(found.type),
                "is_nullable": True,
                "is_identity": False,
                "is_computed": False,
                "default_definition": None,
                "computed_definition": None,
                "collation_name": None,
            }
            for number, found in enumerate(fields, 1)
        ]
    return out
