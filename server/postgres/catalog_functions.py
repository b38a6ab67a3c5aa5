"""Functions of PostgreSQL's catalog, as macros of the engine that runs catalog queries.

Macros begin with `hql_`, so that nothing of the engine's own is meant by accident: its functions of
the same names tell of itself. `hql_definitions` and `hql_names` are tables of the snapshot.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from hartonomous.server.postgres.commands import VERSION, find_setting
from hartonomous.server.postgres.types import KINDS

_NAMES, _DEFINITIONS = "FROM temp.hql_names n", "FROM temp.hql_definitions d"
_CASES = " ".join(f"WHEN {kind.oid} THEN '{kind.shown}'" for kind in KINDS)
#: the names themselves and no look-up: psql's \gdesc wants the rows in the order that they had
_SHOWN = f"CASE t::BIGINT {_CASES} END"
_TEXT_OF = f"(SELECT any_value(d.text) {_DEFINITIONS} WHERE d.kind = '{{}}' AND d.oid = o)"
_NAME_OF = f"(SELECT any_value(n.text) {_NAMES} WHERE n.kind = '{{}}' AND n.oid = o::BIGINT)"
#: a number as it is, or that of a name, its quotes and schema left out
_FIND = (
    f"coalesce(try_cast(s AS BIGINT), (SELECT min(n.oid) {_NAMES} WHERE n.kind IN ({{}}) AND "
    "lower(n.text) = lower(replace(regexp_replace(s::VARCHAR, "
    "'^\"?(pg_catalog|dbo|public)\"?\\.', ''), '\"', ''))))"
)

#: name → (parameters, body); a name may have several forms, told apart by their parameters
MACROS: dict[str, list[tuple[str, str]]] = {
    # names and numbers
    "to_regclass": [("s", _FIND.format("'class'"))],
    "to_regtype": [("s", _FIND.format("'type', 'type name'"))],
    # functions are named, not numbered, where types speak of them
    "to_proc_oid": [
        (
            "s",
            _FIND.format("'proc'").replace("s::VARCHAR", "regexp_replace(s::VARCHAR, '\\(.*', '')"),
        )
    ],
    "to_regproc": [("s", "regexp_replace(s::VARCHAR, '^pg_catalog\\.', '')")],
    "to_regnamespace": [("s", _FIND.format("'namespace'"))],
    "to_regrole": [("s", _FIND.format("'role'"))],
    "regclass_name": [("o", _NAME_OF.format("class"))],
    "regtype_name": [("o", _NAME_OF.format("type"))],
    "regnamespace_name": [("o", _NAME_OF.format("namespace"))],
    "regrole_name": [("o", _NAME_OF.format("role"))],
    "regproc_name": [("o", "o::VARCHAR")],
    "pg_get_userbyid": [("o", _NAME_OF.format("role"))],
    "format_type": [
        (
            "t, m",
            f"CASE WHEN t::BIGINT = 1043 AND m::BIGINT > 4 "
            f"THEN 'character varying(' || (m::BIGINT - 4) || ')' "
            f"WHEN t::BIGINT = 1700 AND m::BIGINT > 4 THEN 'numeric(' || "
            f"((m::BIGINT - 4) >> 16) || ',' || ((m::BIGINT - 4) & 65535) || ')' "
            f"WHEN t IS NULL THEN NULL WHEN t::BIGINT = 0 THEN '-' "
            f"ELSE coalesce({_SHOWN}, '???') END",
        )
    ],
    # texts
    "pg_get_expr": [("e, o", "e"), ("e, o, p", "e")],
    "pg_get_viewdef": [
        ("o", _TEXT_OF.format("view")),
        ("o, p", _TEXT_OF.format("view")),
    ],
    "pg_get_indexdef": [
        ("o", _TEXT_OF.format("index")),
        ("o, c, p", _TEXT_OF.format("index")),
    ],
    "pg_get_constraintdef": [
        ("o", _TEXT_OF.format("constraint")),
        ("o, p", _TEXT_OF.format("constraint")),
    ],
    "pg_get_functiondef": [("o", _TEXT_OF.format("function"))],
    "pg_get_function_arguments": [("o", _TEXT_OF.format("arguments"))],
    "pg_get_function_identity_arguments": [("o", _TEXT_OF.format("arguments"))],
    "pg_get_function_result": [("o", "NULL::VARCHAR")],
    "pg_get_function_sqlbody": [("o", "NULL::VARCHAR")],
    "pg_get_triggerdef": [("o", "NULL::VARCHAR"), ("o, p", "NULL::VARCHAR")],
    "pg_get_ruledef": [("o", "NULL::VARCHAR"), ("o, p", "NULL::VARCHAR")],
    "pg_get_statisticsobjdef_columns": [("o", "NULL::VARCHAR")],
    "pg_get_partkeydef": [("o", "NULL::VARCHAR")],
    "pg_get_serial_sequence": [("t, c", "t || '_' || c || '_seq'")],
    "obj_description": [("o", "NULL::VARCHAR"), ("o, c", "NULL::VARCHAR")],
    "shobj_description": [("o, c", "NULL::VARCHAR")],
    "col_description": [("o, c", "NULL::VARCHAR")],
    "quote_ident": [
        (
            "s",
            "CASE WHEN regexp_full_match(s, '[a-z_][a-z0-9_]*') THEN s "
            "ELSE '\"' || replace(s, '\"', '\"\"') || '\"' END",
        )
    ],
    "pg_encoding_to_char": [("e", "'UTF8'")],
    "pg_char_to_encoding": [("e", "6")],
    "getdatabaseencoding": [("", "'UTF8'")],
    "pg_tablespace_location": [("o", "''")],
    # what may be seen is in the snapshot: everything else is not there
    **{
        f"pg_{what}_is_visible": [("o", "TRUE")]
        for what in (
            "type",
            "function",
            "collation",
            "conversion",
            "operator",
            "opclass",
            "opfamily",
            "statistics_obj",
            "ts_config",
            "ts_dict",
            "ts_parser",
            "ts_template",
        )
    },
    "pg_table_is_visible": [
        (
            "o",
            "coalesce((SELECT any_value(lower(n.schema) IN ('dbo', 'pg_catalog')) "
            f"{_NAMES} WHERE n.kind = 'class' AND n.oid = o), FALSE)",
        )
    ],
    **{
        f"has_{what}_privilege": [("o, r", "TRUE"), ("u, o, r", "TRUE")]
        for what in ("database", "schema", "table", "any_column", "sequence", "function", "type")
    },
    "has_column_privilege": [("o, c, r", "TRUE"), ("u, o, c, r", "TRUE")],
    "pg_has_role": [("r, p", "TRUE"), ("u, r, p", "TRUE")],
    # figures
    "pg_relation_size": [("o", "0::BIGINT"), ("o, f", "0::BIGINT")],
    "pg_table_size": [("o", "0::BIGINT")],
    "pg_total_relation_size": [("o", "0::BIGINT")],
    "pg_indexes_size": [("o", "0::BIGINT")],
    "pg_database_size": [("o", "0::BIGINT")],
    "pg_tablespace_size": [("o", "0::BIGINT")],
    "pg_size_pretty": [("n", "n || ' bytes'")],
    "pg_partition_ancestors": [("o", "o::BIGINT")],
    "age": [("x", "0")],
    "pg_is_in_recovery": [("", "FALSE")],
    "pg_postmaster_start_time": [("", "NULL::TIMESTAMPTZ")],
    "pg_relation_is_publishable": [("o", "FALSE")],
    "pg_relation_is_updatable": [("o, c", "28")],
    "pg_column_is_updatable": [("o, c, t", "TRUE")],
    "pg_sequence_last_value": [("o", "NULL::BIGINT")],
    "pg_advisory_unlock_all": [("", "NULL::VARCHAR")],
    "txid_current": [("", "0::BIGINT")],
    "pg_stat_get_numscans": [("o", "0::BIGINT")],
    "inet_server_addr": [("", "NULL::VARCHAR")],
    "inet_server_port": [("", "NULL::INTEGER")],
    "inet_client_addr": [("", "NULL::VARCHAR")],
    # arrays and objects
    "array_upper": [("a, d", "len(a)")],
    "array_lower": [("a, d", "CASE WHEN len(a) > 0 THEN 1 END")],
    "array_length": [("a, d", "CASE WHEN len(a) > 0 THEN len(a) END")],
    "cardinality": [("a", "len(a)")],
    "_pg_expandarray": [
        ("a", "unnest(list_transform(range(1, len(a) + 1), lambda i: {'x': a[i], 'n': i}))")
    ],
    "array_remove": [("a, v", "list_filter(a, lambda x: x IS DISTINCT FROM v)")],
    "array_position": [("a, v", "list_position(a, v)")],
}
#: functions of PostgreSQL's that the engine has under another name
RENAMED = {"json_build_object": "json_object", "jsonb_build_object": "json_object"}
#: functions in FROM that have no rows here, with their columns
EMPTY_FUNCTIONS = {
    "pg_options_to_table": ("option_name", "option_value"),
    "aclexplode": ("grantor", "grantee", "privilege_type", "is_grantable"),
    "pg_partition_ancestors": ("relid",),
    "pg_get_publication_tables": ("relid",),
    "pg_get_keywords": ("word", "catcode", "barelabel", "catdesc", "baredesc"),
    "pg_timezone_names": ("name", "abbrev", "utc_offset", "is_dst"),
}


def create_macros() -> str:
    """The statements that make them."""
    out = []
    for name, forms in MACROS.items():
        shown = ", ".join(f"({parameters}) AS ({body})" for parameters, body in forms)
        out.append(f"CREATE MACRO hql_{name} {shown};")
    return "\n".join(out)


def constant_of(name: str, arguments: list[Any], about: Mapping[str, Any]) -> Any:
    """The value of a function that depends on the connection alone; KeyError if it is none.
    `arguments` are constants, None where they are not."""
    settings = about["settings"]
    match name:
        case "version":
            return f"PostgreSQL {VERSION} (Hartonomous: a doorway; statements are HQL)"
        case "current_database" | "current_catalog":
            return about["database"]
        case "current_schema":
            return "dbo"
        case "current_schemas":
            return ["pg_catalog", "dbo"]
        case "current_user" | "session_user" | "user" | "current_role":
            return about["user"]
        case "pg_backend_pid":
            return about["process"]
        case "current_setting":
            setting = find_setting(str(arguments[0]))
            return settings[setting.name] if setting is not None else None
        case "set_config":
            return set_config(settings, *itertools.islice(arguments, 2))
    raise KeyError(name)


def set_config(settings: Any, name: Any, value: Any) -> str:
    """SET by a function. Raises Refused."""
    settings.accept(str(name), f"'{value}'")
    return str(settings[str(name)])
