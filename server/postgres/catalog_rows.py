"""The rows of pg_catalog's tables, made of a snapshot, a function each. Others are empty.

Here are types, routines and what there is one of; `catalog_table_rows.py` has tables and what
belongs to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hartonomous.hql.types import parse_type
from hartonomous.server.postgres.catalog_definitions import METHODS
from hartonomous.server.postgres.catalog_snapshot import (
    CATALOGS,
    DATABASE,
    FIRST_MADE,
    INFORMATION_SCHEMA,
    PG_CATALOG,
    USER,
    Row,
    Snapshot,
)
from hartonomous.server.postgres.catalog_table_rows import (
    COLLATION,
    collation_of,
    pg_attrdef,
    pg_attribute,
    pg_class,
    pg_constraint,
    pg_index,
    pg_indexes,
    pg_namespace,
    pg_sequence,
    pg_tables,
    pg_views,
)
from hartonomous.server.postgres.types import BY_NAME, KINDS, kind_of


def pg_type(at: Snapshot) -> Iterator[Row]:
    for kind in KINDS:
        is_array = kind.category == "A"
        yield {
            "oid": kind.oid,
            "typname": kind.name,
            "typnamespace": PG_CATALOG,
            "typowner": USER,
            "typlen": kind.size,
            "typbyval": 0 < kind.size <= 8,
            "typtype": "p" if kind.category in "PX" else "b",
            "typcategory": kind.category,
            "typispreferred": kind.name in ("bool", "text", "float8", "oid", "timestamptz"),
            "typisdefined": True,
            "typdelim": ",",
            "typrelid": 0,
            "typsubscript": "array_subscript_handler" if is_array else "-",
            "typelem": kind.element,
            "typarray": kind.array,
            "typinput": "array_in" if is_array else f"{kind.name}in",
            "typoutput": "array_out" if is_array else f"{kind.name}out",
            "typreceive": "array_recv" if is_array else f"{kind.name}recv",
            "typsend": "array_send" if is_array else f"{kind.name}send",
            "typalign": "i",
            "typstorage": "p" if kind.size > 0 else "x",
            "typnotnull": False,
            "typbasetype": 0,
            "typtypmod": -1,
            "typndims": 0,
            "typcollation": collation_of(kind),
        }


def pg_proc(at: Snapshot) -> Iterator[Row]:
    for routine in at.routines:
        kinds = [kind_of(parse_type(part["type"]))[0].oid for part in routine["parts"]]
        yield {
            "oid": routine["oid"],
            "proname": routine["name"],
            "pronamespace": at.namespace(routine["schema_name"]),
            "proowner": USER,
            "prolang": 14,
            "procost": 100.0,
            "prorows": 0.0,
            "provariadic": 0,
            "prokind": routine["prokind"],
            "prosecdef": False,
            "proleakproof": False,
            "proisstrict": False,
            "proretset": routine.get("kind") == "table",
            "provolatile": "v",
            "proparallel": "u",
            "pronargs": len(kinds),
            "pronargdefaults": 0,
            "prorettype": BY_NAME["void" if routine["prokind"] == "p" else "text"].oid,
            "proargtypes": kinds,
            "proargnames": [part["name"].lstrip("@") for part in routine["parts"]],
            "prosrc": routine["definition"],
        }


def pg_database(at: Snapshot) -> Iterator[Row]:
    yield {
        "oid": DATABASE,
        "datname": at.about["database"],
        "datdba": USER,
        "encoding": 6,
        "datlocprovider": "c",
        "datistemplate": False,
        "datallowconn": True,
        "datconnlimit": -1,
        "datfrozenxid": 0,
        "datminmxid": 0,
        "dattablespace": 1663,
        "datcollate": "C.UTF-8",
        "datctype": "C.UTF-8",
    }


def pg_roles(at: Snapshot) -> Iterator[Row]:
    """Who asks; others are in HQL's sys.users."""
    name = at.about["user"]
    flags = dict.fromkeys(("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication"), False)
    yield flags | {
        "oid": USER,
        "rolname": name,
        "rolinherit": True,
        "rolcanlogin": True,
        "rolbypassrls": False,
        "rolconnlimit": -1,
    }


def pg_user(at: Snapshot) -> Iterator[Row]:
    yield {"usename": at.about["user"], "usesysid": USER, "usecreatedb": False, "usesuper": False}


def pg_settings(at: Snapshot) -> Iterator[Row]:
    for name, value, about in at.about["settings"].all():
        yield {
            "name": name,
            "setting": value,
            "category": "Settings",
            "short_desc": about,
            "context": "user",
            "vartype": "string",
            "source": "session",
            "boot_val": value,
            "reset_val": value,
            "pending_restart": False,
        }


def pg_am(at: Snapshot) -> Iterator[Row]:
    for name, oid in METHODS.items():
        yield {"oid": oid, "amname": name, "amtype": "t" if name == "heap" else "i"}


def pg_collation(at: Snapshot) -> Iterator[Row]:
    for oid, name in ((COLLATION, "default"), (950, "C")):
        yield {
            "oid": oid,
            "collname": name,
            "collnamespace": PG_CATALOG,
            "collowner": USER,
            "collprovider": "d" if name == "default" else "c",
            "collisdeterministic": True,
            "collencoding": -1,
        }


def pg_language(at: Snapshot) -> Iterator[Row]:
    yield {"oid": 14, "lanname": "hql", "lanowner": USER, "lanispl": False, "lanpltrusted": True}


def pg_tablespace(at: Snapshot) -> Iterator[Row]:
    yield {"oid": 1663, "spcname": "pg_default", "spcowner": USER}


# --- names ---------------------------------------------------------------------------------------


def names(at: Snapshot) -> Iterator[Row]:
    """Names by kind and number, for regclass, regtype and their kin."""
    for name, oid in CATALOGS.items():
        yield {"kind": "class", "oid": oid, "schema": "pg_catalog", "text": name}
    schemas = {row["oid"]: row["nspname"] for row in pg_namespace(at)}
    for row in pg_class(at):
        schema = schemas.get(row["relnamespace"], "pg_catalog")
        yield {"kind": "class", "oid": row["oid"], "schema": schema, "text": row["relname"]}
    for oid, schema in schemas.items():
        yield {"kind": "namespace", "oid": oid, "schema": None, "text": schema}
    for kind in KINDS:
        yield {"kind": "type", "oid": kind.oid, "schema": "pg_catalog", "text": kind.shown}
        if kind.name != kind.shown:
            yield {"kind": "type name", "oid": kind.oid, "schema": "pg_catalog", "text": kind.name}
    for routine in at.routines:
        schema = routine["schema_name"]
        yield {"kind": "proc", "oid": routine["oid"], "schema": schema, "text": routine["name"]}
    yield {"kind": "role", "oid": USER, "schema": None, "text": at.about["user"]}


assert max(CATALOGS.values()) < INFORMATION_SCHEMA < FIRST_MADE

ROWS: dict[str, Callable[[Snapshot], Iterator[Row]]] = {
    "pg_am": pg_am,
    "pg_attrdef": pg_attrdef,
    "pg_attribute": pg_attribute,
    "pg_authid": pg_roles,
    "pg_class": pg_class,
    "pg_collation": pg_collation,
    "pg_constraint": pg_constraint,
    "pg_database": pg_database,
    "pg_index": pg_index,
    "pg_indexes": pg_indexes,
    "pg_language": pg_language,
    "pg_namespace": pg_namespace,
    "pg_proc": pg_proc,
    "pg_roles": pg_roles,
    "pg_sequence": pg_sequence,
    "pg_settings": pg_settings,
    "pg_tables": pg_tables,
    "pg_tablespace": pg_tablespace,
    "pg_type": pg_type,
    "pg_user": pg_user,
    "pg_views": pg_views,
}
