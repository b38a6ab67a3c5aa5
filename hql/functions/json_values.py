"""The relational engine's SQL of a value as JSON text."""

from __future__ import annotations

from hartonomous.hql.types import Type


def value_sql(sql: str, type_: Type) -> str:
    """`sql`, of a type that is not wide, as JSON text; NULL stays NULL, and what is no number is
    NULL. JSON goes in as it is, bytes as base64, times as ISO 8601 has them."""
    if type_.is_exact or type_.kind in ("BIT", "JSON"):
        return f"CAST({sql} AS VARCHAR)"
    if type_.is_float:
        return f"(CASE WHEN isfinite({sql}) THEN CAST(to_json({sql}) AS VARCHAR) END)"
    if type_.kind == "VARBINARY":
        return f"('\"' || base64({sql}) || '\"')"
    if type_.kind == "UNIQUEIDENTIFIER":
        h = f"lower(hex({sql}))"
        cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        parts = " || '-' || ".join(f"substr({h}, {start}, {size})" for start, size in cuts)
        return f"('\"' || {parts} || '\"')"
    if type_.kind in ("DATETIME2", "DATETIMEOFFSET"):
        zone = "Z" if type_.kind == "DATETIMEOFFSET" else ""
        return f"('\"' || replace(CAST({sql} AS VARCHAR), ' ', 'T') || '{zone}\"')"
    if type_.is_temporal:
        return f"('\"' || CAST({sql} AS VARCHAR) || '\"')"
    if type_.kind == "NULL":
        return "CAST(NULL AS VARCHAR)"
    return f"CAST(to_json({sql}) AS VARCHAR)"
