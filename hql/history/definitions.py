"""Definitions as JSON: what DIFF and conflicts show of tables, views, routines, models …"""

from __future__ import annotations

import json
from typing import Any

from hartonomous.storage.catalog import (
    MODELS,
    SPACES,
    Entry,
    ModelEntry,
    RoutineEntry,
    TableEntry,
    ViewEntry,
)


def full_name(entry: Entry) -> str:
    """How the entry is called: without `dbo` and what is no schema."""
    is_bare = entry.schema in ("", "dbo", SPACES, MODELS)
    return entry.name if is_bare else f"{entry.schema}.{entry.name}"


def definition_json(entry: Entry | None) -> str | None:
    """An entry's definition."""
    return None if entry is None else json.dumps(_definition(entry), ensure_ascii=False)


def _definition(entry: Entry) -> dict[str, Any]:
    match entry:
        case TableEntry():
            return _table(entry)
        case ViewEntry():
            return {"name": full_name(entry), "text": entry.text}
        case RoutineEntry():
            return {"name": full_name(entry), "text": entry.text}
        case ModelEntry():
            versions = [v.number for v in entry.versions]
            return {"name": entry.name, "versions": versions}
    return {"name": full_name(entry)}


def _table(table: TableEntry) -> dict[str, Any]:
    names = {c.id: c.name for c in table.columns}
    columns = []
    for column in table.columns:
        shown: dict[str, Any] = {"name": column.name, "type": column.type}
        if not column.nullable:
            shown["nullable"] = False
        for what in ("default", "computed", "collation"):
            if getattr(column, what) is not None:
                shown[what] = getattr(column, what)
        if column.identity is not None:
            shown["identity"] = list(column.identity)
        columns.append(shown)
    out: dict[str, Any] = {"name": full_name(table), "columns": columns}
    if table.keys:
        out["keys"] = [
            {"name": k.name, "kind": k.kind, "columns": [names[i] for i in k.columns]}
            for k in table.keys
        ]
    if table.indexes:
        out["indexes"] = [
            {"name": i.name, "method": i.method, "columns": [names[c] for c in i.columns]}
            for i in table.indexes
        ]
    if table.checks:
        out["checks"] = [{"name": c.name, "check": c.text} for c in table.checks]
    return out
