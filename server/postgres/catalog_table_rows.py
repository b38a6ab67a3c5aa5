"""The rows of pg_catalog's tables that say what there is in a database: schemas, tables and views,
columns, indexes, constraints."""

from __future__ import annotations

from collections.abc import Iterator

from hartonomous.hql.types import parse_type
from hartonomous.server.postgres.catalog_definitions import METHODS, index_text, method_of
from hartonomous.server.postgres.catalog_snapshot import USER, Row, Snapshot
from hartonomous.server.postgres.types import Kind, kind_of

ACTIONS = {"NO ACTION": "a", "CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d"}
COLLATION = 100  # "default"


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
        "attcollation": collation_of(kind),
    }


def collation_of(kind: Kind) -> int:
    """The number of the collation that values of a type have."""
    return COLLATION if kind.category == "S" else 0


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
