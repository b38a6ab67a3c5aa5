"""The rows of information_schema's views, made of a snapshot, in PostgreSQL's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hartonomous.hql.types import BITS, parse_type
from hartonomous.server.postgres.catalog_snapshot import Row, Snapshot
from hartonomous.server.postgres.types import kind_of


def _place(at: Snapshot, row: Row, prefix: str = "table") -> Row:
    return {
        f"{prefix}_catalog": at.about["database"],
        f"{prefix}_schema": "pg_catalog" if row.get("is_system") else row["schema_name"],
        f"{prefix}_name": row["table_name"] if "table_name" in row else row["name"],
    }


def _constraint(at: Snapshot, row: Row) -> Row:
    return {
        "constraint_catalog": at.about["database"],
        "constraint_schema": row["schema_name"],
        "constraint_name": row["name"],
    }


def schemata(at: Snapshot) -> Iterator[Row]:
    for name in ("pg_catalog", "information_schema", *at.schemas):
        yield {
            "catalog_name": at.about["database"],
            "schema_name": name,
            "schema_owner": at.about["user"],
        }


def tables(at: Snapshot) -> Iterator[Row]:
    for table in at.tables:
        kind = "LOCAL TEMPORARY" if table["is_temporary"] else "BASE TABLE"
        yield _place(at, table) | _kind(kind, "YES")
    for view in at.views:
        yield _place(at, view) | _kind("VIEW", "NO")


def _kind(kind: str, insertable: str) -> Row:
    return {"table_type": kind, "is_insertable_into": insertable, "is_typed": "NO"}


def views(at: Snapshot) -> Iterator[Row]:
    for view in at.views:
        yield _place(at, view) | {
            "view_definition": view["definition"],
            "check_option": "NONE",
            "is_updatable": "NO",
            "is_insertable_into": "NO",
        }


def columns(at: Snapshot) -> Iterator[Row]:
    system = {row["oid"] for row in at.tables if row["is_system"]}
    for column in at.columns:
        type_ = parse_type(column["type"])
        kind, _ = kind_of(type_)
        is_generated = column["is_computed"]
        numeric = {
            "numeric_precision": type_.a if type_.kind == "DECIMAL" else BITS.get(type_.kind),
            "numeric_precision_radix": 10 if type_.kind == "DECIMAL" else 2,
            "numeric_scale": type_.b if type_.kind == "DECIMAL" else 0,
        }
        yield _place(at, {**column, "is_system": column["oid"] in system}) | {
            "column_name": column["name"],
            "ordinal_position": column["column_id"],
            "column_default": column["default_definition"],
            "is_nullable": "YES" if column["is_nullable"] else "NO",
            "data_type": "ARRAY" if kind.category == "A" else kind.shown,
            "character_maximum_length": type_.a if type_.kind == "NVARCHAR" else None,
            "datetime_precision": 6 if type_.is_temporal and type_.kind != "DATE" else None,
            "udt_catalog": at.about["database"],
            "udt_schema": "pg_catalog",
            "udt_name": kind.name,
            "dtd_identifier": str(column["column_id"]),
            "is_self_referencing": "NO",
            "is_identity": "YES" if column["is_identity"] else "NO",
            "identity_generation": "ALWAYS" if column["is_identity"] else None,
            "identity_cycle": "NO",
            "is_generated": "ALWAYS" if is_generated else "NEVER",
            "generation_expression": column["computed_definition"],
            "is_updatable": "NO" if is_generated else "YES",
            **(numeric if type_.is_exact else {}),
        }


def table_constraints(at: Snapshot) -> Iterator[Row]:
    found = [(row, row["kind"]) for row in at.indexes if row["is_constraint"]]
    found += [(row, "CHECK") for row in at.checks]
    found += [(row, "FOREIGN KEY") for row in at.foreign_keys]
    for row, kind in found:
        yield (
            _constraint(at, row)
            | _place(at, row)
            | {
                "constraint_type": kind,
                "is_deferrable": "NO",
                "initially_deferred": "NO",
                "enforced": "YES",
            }
        )


def key_column_usage(at: Snapshot) -> Iterator[Row]:
    for row in [row for row in at.indexes if row["is_constraint"]] + at.foreign_keys:
        for number, name in enumerate(row["names"], 1):
            yield (
                _constraint(at, row)
                | _place(at, row)
                | {
                    "column_name": name,
                    "ordinal_position": number,
                    "position_in_unique_constraint": number if "referenced" in row else None,
                }
            )


def constraint_column_usage(at: Snapshot) -> Iterator[Row]:
    for row in [row for row in at.indexes if row["is_constraint"]]:
        for name in row["names"]:
            yield _constraint(at, row) | _place(at, row) | {"column_name": name}
    for row in at.foreign_keys:
        for name in row["referenced_names"]:
            yield _constraint(at, row) | {
                "table_catalog": at.about["database"],
                "table_schema": row["referenced_schema_name"],
                "table_name": row["referenced_table_name"],
                "column_name": name,
            }


def referential_constraints(at: Snapshot) -> Iterator[Row]:
    for row in at.foreign_keys:
        unique = next(
            (
                index
                for index in at.indexes
                if index["table"] == row["referenced"]
                and index["is_constraint"]
                and sorted(index["keys"]) == sorted(row["referenced_keys"])
            ),
            None,
        )
        yield _constraint(at, row) | {
            "unique_constraint_catalog": at.about["database"],
            "unique_constraint_schema": row["referenced_schema_name"],
            "unique_constraint_name": unique["name"] if unique is not None else None,
            "match_option": "NONE",
            "update_rule": row["update_action"],
            "delete_rule": row["delete_action"],
        }


def check_constraints(at: Snapshot) -> Iterator[Row]:
    for row in at.checks:
        yield _constraint(at, row) | {"check_clause": row["definition"]}


def routines(at: Snapshot) -> Iterator[Row]:
    for row in at.routines:
        kind = "PROCEDURE" if row["prokind"] == "p" else "FUNCTION"
        yield (
            _place(at, row, "routine")
            | _place(at, row, "specific")
            | {
                "routine_type": kind,
                "routine_body": "SQL",
                "routine_definition": row["definition"],
                "external_language": "HQL",
            }
        )


def information_schema_catalog_name(at: Snapshot) -> Iterator[Row]:
    yield {"catalog_name": at.about["database"]}


ROWS: dict[str, Callable[[Snapshot], Iterator[Row]]] = {
    "check_constraints": check_constraints,
    "columns": columns,
    "constraint_column_usage": constraint_column_usage,
    "information_schema_catalog_name": information_schema_catalog_name,
    "key_column_usage": key_column_usage,
    "referential_constraints": referential_constraints,
    "routines": routines,
    "schemata": schemata,
    "table_constraints": table_constraints,
    "tables": tables,
    "views": views,
}
