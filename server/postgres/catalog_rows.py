"""The rows of pg_catalog's tables, made of a snapshot, a function each. Others are empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hartonomous.hql.types import parse_type
from hartonomous.server.postgres.catalog_definitions import METHODS, index_text, method_of
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
from hartonomous.server.postgres.types import BY_NAME, KINDS, Kind, kind_of

ACTIONS = {"NO ACTION": "a", "CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d"}
_COLLATION = 100  # "default"


# --- relations -----------------------------------------------------------------------------------


def pg_namespace(at: Snapshot) -> Iterator[Row]:
    for name in ("pg_catalog", "information_schema", *at.schemas):
        yield {"oid": at.namespace(name), "nspname": name, "nspowner": USER}


def pg_class(at: Snapshot) -> Iterator[Row]:
    counts: dict[int, int] = {}
    for column in at.columns:
        counts[column["oid"]] = counts.get(column["oid"], 0) + 1
    checked = {row["table"] for row in at.checks}
    indexed = {row["table"] for row in at.indexes}
    referring = {row["table"] for row in at.foreign_keys}
    referring |= {row["referenced"] for row in at.foreign_keys}
    for table in at.tables:
        oid = table["oid"]
        yield _relation(oid, table["name"], table["namespace"], "r", METHODS["heap"]) | {
            # a policy hides how many there are
            "reltuples": -1.0 if table["row_count"] is None else float(table["row_count"]),
            "relnatts": counts.get(oid, 0),
            "relchecks": sum(1 for row in at.checks if row["table"] == oid)
            if oid in checked
            else 0,
            "relhasindex": oid in indexed,
            "relhastriggers": oid in referring,
            "relpersistence": "t" if table["is_temporary"] else "p",
        }
    for view in at.views:
        yield _relation(view["oid"], view["name"], view["namespace"], "v", 0) | {
            "relnatts": counts.get(view["oid"], 0)
        }
    spaces = {row["oid"]: row["namespace"] for row in at.tables}
    for index in at.indexes:
        method = METHODS[method_of(index["kind"])]
        yield _relation(index["oid"], index["name"], spaces[index["table"]], "i", method) | {
            "relnatts": len(index["keys"])
        }
    for sequence in _identities(at):
        yield _relation(sequence["oid"], sequence["sequence"], sequence["namespace"], "S", 0)


def _relation(oid: int, name: str, namespace: int, kind: str, method: int) -> Row:
    return {
        "oid": oid,
        "relname": name,
        "relnamespace": namespace,
        "reltype": 0,
        "reloftype": 0,
        "relowner": USER,
        "relam": method,
        "relfilenode": oid,
        "reltablespace": 0,
        "relpages": 0,
        "reltuples": -1.0,
        "relallvisible": 0,
        "reltoastrelid": 0,
        "relhasindex": False,
        "relisshared": False,
        "relpersistence": "p",
        "relkind": kind,
        "relnatts": 0,
        "relchecks": 0,
        "relhasrules": False,
        "relhastriggers": False,
        "relhassubclass": False,
        "relrowsecurity": False,
        "relforcerowsecurity": False,
        "relispopulated": True,
        "relreplident": "d",
        "relispartition": False,
        "relrewrite": 0,
        "relfrozenxid": 0,
        "relminmxid": 0,
    }


def pg_attribute(at: Snapshot) -> Iterator[Row]:
    places: dict[tuple[int, int], Row] = {}
    for column in at.columns:
        row = _attribute(column)
        places[column["oid"], column["column_id"]] = row
        yield row
    for index in at.indexes:
        for number, key in enumerate(index["keys"], 1):
            yield places[index["table"], key] | {
                "attrelid": index["oid"],
                "attnum": number,
                "attnotnull": False,
                "atthasdef": False,
                "attidentity": "",
                "attgenerated": "",
            }


def _attribute(column: Row) -> Row:
    kind, modifier = kind_of(parse_type(column["type"]))
    return {
        "attrelid": column["oid"],
        "attname": column["name"],
        "atttypid": kind.oid,
        "attlen": kind.size,
        "attnum": column["column_id"],
        "attcacheoff": -1,
        "atttypmod": modifier,
        "attndims": 1 if kind.category == "A" else 0,
        "attbyval": 0 < kind.size <= 8,
        "attalign": "i",
        "attstorage": "p" if kind.size > 0 else "x",
        "attcompression": "",
        "attnotnull": not column["is_nullable"],
        "atthasdef": _default_of(column) is not None,
        "atthasmissing": False,
        "attidentity": "a" if column["is_identity"] else "",
        "attgenerated": "s" if column["is_computed"] else "",
        "attisdropped": False,
        "attislocal": True,
        "attinhcount": 0,
        "attstattarget": -1,
        "attcollation": _collation_of(kind),
    }


def _collation_of(kind: Kind) -> int:
    return _COLLATION if kind.category == "S" else 0


def _default_of(column: Row) -> str | None:
    text: str | None = column["computed_definition"] or column["default_definition"]
    return text


def pg_attrdef(at: Snapshot) -> Iterator[Row]:
    for column in at.columns:
        text = _default_of(column)
        if text is not None:
            yield {
                "oid": at.made("default", str(column["oid"]), column["name"]),
                "adrelid": column["oid"],
                "adnum": column["column_id"],
                "adbin": text,
            }


def _identities(at: Snapshot) -> Iterator[Row]:
    """Columns with IDENTITY, as if each had a sequence."""
    spaces = {row["oid"]: row["namespace"] for row in at.tables}
    for column in at.columns:
        if column["is_identity"]:
            name = f"{column['table_name']}_{column['name']}_seq"
            yield {
                **column,
                "table": column["oid"],
                "oid": at.made("sequence", column["schema_name"], name),
                "sequence": name,
                "namespace": spaces[column["oid"]],
            }


def pg_sequence(at: Snapshot) -> Iterator[Row]:
    for column in _identities(at):
        bits = {"TINYINT": 7, "SMALLINT": 15, "INT": 31}.get(column["type"], 63)
        yield {
            "seqrelid": column["oid"],
            "seqtypid": kind_of(parse_type(column["type"]))[0].oid,
            "seqstart": column["identity_seed"],
            "seqincrement": column["identity_increment"],
            "seqmax": (1 << bits) - 1,
            "seqmin": 1,
            "seqcache": 1,
            "seqcycle": False,
        }


def pg_index(at: Snapshot) -> Iterator[Row]:
    for index in at.indexes:
        count = len(index["keys"])
        yield {
            "indexrelid": index["oid"],
            "indrelid": index["table"],
            "indnatts": count,
            "indnkeyatts": count,
            "indisunique": index["is_unique"],
            "indnullsnotdistinct": False,
            "indisprimary": index["kind"] == "PRIMARY KEY",
            "indisexclusion": False,
            "indimmediate": True,
            "indisclustered": False,
            "indisvalid": True,
            "indcheckxmin": False,
            "indisready": True,
            "indislive": True,
            "indisreplident": False,
            "indkey": index["keys"],
            "indcollation": [0] * count,
            "indclass": [0] * count,
            "indoption": [0] * count,
        }


def pg_constraint(at: Snapshot) -> Iterator[Row]:
    spaces = {row["oid"]: row["namespace"] for row in at.tables}
    for index in at.indexes:
        if index["is_constraint"]:
            kind = "p" if index["kind"] == "PRIMARY KEY" else "u"
            yield _constraint(at, index, kind, spaces) | {
                "conindid": index["oid"],
                "conkey": index["keys"],
            }
    for check in at.checks:
        yield _constraint(at, check, "c", spaces) | {"conbin": check["definition"]}
    for reference in at.foreign_keys:
        yield _constraint(at, reference, "f", spaces) | {
            "confrelid": reference["referenced"],
            "confupdtype": ACTIONS[reference["update_action"]],
            "confdeltype": ACTIONS[reference["delete_action"]],
            "confmatchtype": "s",
            "conkey": reference["keys"],
            "confkey": reference["referenced_keys"],
        }


def _constraint(at: Snapshot, row: Row, kind: str, spaces: dict[int, int]) -> Row:
    return {
        "oid": at.made("constraint", str(row["table"]), row["name"]),
        "conname": row["name"],
        "connamespace": spaces[row["table"]],
        "contype": kind,
        "condeferrable": False,
        "condeferred": False,
        "convalidated": True,
        "conrelid": row["table"],
        "contypid": 0,
        "conindid": 0,
        "conparentid": 0,
        "confrelid": 0,
        "confupdtype": " ",
        "confdeltype": " ",
        "confmatchtype": " ",
        "conislocal": True,
        "coninhcount": 0,
        "connoinherit": True,
    }


# --- types, routines, the database ---------------------------------------------------------------


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
            "typcollation": _collation_of(kind),
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
    for oid, name in ((_COLLATION, "default"), (950, "C")):
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


# --- views of pg_catalog's -----------------------------------------------------------------------


def pg_tables(at: Snapshot) -> Iterator[Row]:
    for table in at.tables:
        yield {
            "schemaname": "pg_catalog" if table["is_system"] else table["schema_name"],
            "tablename": table["name"],
            "tableowner": at.about["user"],
            "hasindexes": any(index["table"] == table["oid"] for index in at.indexes),
            "hasrules": False,
            "hastriggers": False,
            "rowsecurity": False,
        }


def pg_views(at: Snapshot) -> Iterator[Row]:
    for view in at.views:
        yield {
            "schemaname": view["schema_name"],
            "viewname": view["name"],
            "viewowner": at.about["user"],
            "definition": view["definition"],
        }


def pg_indexes(at: Snapshot) -> Iterator[Row]:
    for index in at.indexes:
        yield {
            "schemaname": index["schema_name"],
            "tablename": index["table_name"],
            "indexname": index["name"],
            "indexdef": index_text(index),
        }


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
