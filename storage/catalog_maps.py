"""Catalog entries as plain values, which msgpack encodes canonically (docs/FORMAT.md), and back;
the hash of a catalog."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgpack
import pyarrow as pa

from hartonomous.storage.catalog import (
    Catalog,
    CheckEntry,
    ColumnEntry,
    Entry,
    ForeignKeyEntry,
    IndexEntry,
    KeyEntry,
    ModelEntry,
    RoutineEntry,
    SchemaEntry,
    SpaceEntry,
    TableEntry,
    VersionEntry,
    ViewEntry,
)


def catalog_hash(catalog: Catalog) -> bytes:
    """SHA-256 of the entries in order of their ids, as canonical msgpack."""
    entries = sorted(catalog.entries.values(), key=lambda e: e.id)
    return hashlib.sha256(msgpack.packb([entry_to_map(e) for e in entries])).digest()


def entry_to_map(entry: Entry) -> dict[str, Any]:
    """Plain values for msgpack; Arrow types as IPC schema bytes."""
    out: dict[str, Any] = asdict(entry)
    for column in (*out.get("columns", ()), *out.get("dropped", ())):
        if isinstance(column, dict):
            column["arrow"] = pa.schema([("x", column["arrow"])]).serialize().to_pybytes()
            if column["collation"] is None:  # hashes of catalogs from before it stay what they are
                del column["collation"]
    for name in ("indexes", "dropped", "foreign_keys", "definer"):  # likewise
        if not out.get(name, True):
            del out[name]
    for index in out.get("indexes", ()):
        del index["searches"]
    return out


def entry_from_map(data: Mapping[str, Any]) -> Entry:
    """The inverse of entry_to_map."""
    fields = {k: v for k, v in data.items() if k != "kind"}
    if data["kind"] == "schema":
        return SchemaEntry(**fields)
    if data["kind"] == "space":
        return SpaceEntry(**fields)
    if data["kind"] == "model":
        versions = tuple(
            VersionEntry(**{**v, "parents": tuple(v["parents"])}) for v in fields.pop("versions")
        )
        return ModelEntry(versions=versions, **fields)
    if data["kind"] == "routine":
        return RoutineEntry(**fields)
    if data["kind"] == "view":
        return ViewEntry(**{**fields, "columns": tuple(fields["columns"])})
    columns = tuple(_column(c) for c in fields.pop("columns"))
    keys = tuple(KeyEntry(**{**k, "columns": tuple(k["columns"])}) for k in fields.pop("keys"))
    checks = tuple(CheckEntry(**c) for c in fields.pop("checks"))
    indexes = tuple(
        IndexEntry(**{**i, "columns": tuple(i["columns"])}) for i in fields.pop("indexes", ())
    )
    dropped = tuple(_column(c) for c in fields.pop("dropped", ()))
    foreign_keys = tuple(
        ForeignKeyEntry(
            **{**f, "columns": tuple(f["columns"]), "referenced": tuple(f["referenced"])}
        )
        for f in fields.pop("foreign_keys", ())
    )
    return TableEntry(
        columns=columns,
        keys=keys,
        checks=checks,
        indexes=indexes,
        dropped=dropped,
        foreign_keys=foreign_keys,
        **fields,
    )


def _column(data: Mapping[str, Any]) -> ColumnEntry:
    arrow = pa.ipc.read_schema(pa.py_buffer(data["arrow"])).field(0).type
    identity = tuple(data["identity"]) if data["identity"] else None
    return ColumnEntry(**{**data, "arrow": arrow, "identity": identity})
