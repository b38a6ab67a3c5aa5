"""Texts of things in the catalog: what pg_get_indexdef, pg_get_constraintdef and their kin give."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hartonomous.hql.types import parse_type
from hartonomous.server.postgres.catalog_snapshot import Row, Snapshot
from hartonomous.server.postgres.types import kind_of

#: access methods with the OIDs that they have in PostgreSQL
METHODS = {"heap": 2, "btree": 403, "hash": 405, "rtree": 4000, "vector": 4001}
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


def name_of(name: str) -> str:
    """A name as it stands in SQL."""
    return name if _PLAIN.match(name) else '"' + name.replace('"', '""') + '"'


def method_of(kind: str) -> str:
    """The access method of a row of sys.indexes."""
    word = kind.lower()
    return word if word in METHODS else "btree"


def definitions(at: Snapshot) -> Iterator[Row]:
    """Texts by kind and number: what functions of the catalog give."""
    for index in at.indexes:
        yield {"kind": "index", "oid": index["oid"], "text": index_text(index)}
        if index["is_constraint"]:
            text = f"{index['kind']} {_list(index['names'])}"
            oid = at.made("constraint", str(index["table"]), index["name"])
            yield {"kind": "constraint", "oid": oid, "text": text}
    for check in at.checks:
        oid = at.made("constraint", str(check["table"]), check["name"])
        yield {"kind": "constraint", "oid": oid, "text": f"CHECK ({check['definition']})"}
    for reference in at.foreign_keys:
        oid = at.made("constraint", str(reference["table"]), reference["name"])
        yield {"kind": "constraint", "oid": oid, "text": _reference_text(reference)}
    for view in at.views:
        yield {"kind": "view", "oid": view["oid"], "text": view["definition"]}
    for routine in at.routines:
        arguments = ", ".join(
            f"{part['name'].lstrip('@')} {kind_of(parse_type(part['type']))[0].shown}"
            for part in routine["parts"]
        )
        yield {"kind": "arguments", "oid": routine["oid"], "text": arguments}
        yield {"kind": "function", "oid": routine["oid"], "text": routine["definition"]}


def index_text(index: Row) -> str:
    """CREATE INDEX, as PostgreSQL would have it."""
    unique = "UNIQUE " if index["is_unique"] else ""
    table = f"{name_of(index['schema_name'])}.{name_of(index['table_name'])}"
    return (
        f"CREATE {unique}INDEX {name_of(index['name'])} ON {table} "
        f"USING {method_of(index['kind'])} {_list(index['names'])}"
    )


def _reference_text(reference: Row) -> str:
    table = name_of(reference["referenced_table_name"])
    if reference["referenced_schema_name"] != reference["schema_name"]:
        table = f"{name_of(reference['referenced_schema_name'])}.{table}"
    text = (
        f"FOREIGN KEY {_list(reference['names'])} REFERENCES "
        f"{table}{_list(reference['referenced_names'])}"
    )
    for word, action in (("UPDATE", "update_action"), ("DELETE", "delete_action")):
        if reference[action] != "NO ACTION":
            text += f" ON {word} {reference[action]}"
    return text


def _list(names: list[str]) -> str:
    return f"({', '.join(map(name_of, names))})"
