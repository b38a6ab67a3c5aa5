"""Functions of JSON texts, and OPENJSON. Numbers come back as the engine writes them (`2.50` as
`2.5`). Paths are T-SQL's: `$.name.other[0]`, `$."a b"`, with an optional `lax` (what is missing is
NULL) or `strict` (it is an error) before them; they may be variables and columns too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function, Resolver
from hartonomous.hql.functions.casts import cast_sql
from hartonomous.hql.functions.resolve import P, exactly, quote, raise_sql, resolver, scalar, text
from hartonomous.hql.types import INT, JSON, NVARCHAR, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

_STEP = r'(?:\.(?:[^\W\d]\w*|"(?:[^"\\]|\\.)*")|\[\d+\])'
_PATH = re.compile(rf"\s*(?:(?:lax|strict)\s+)?(\$(?:{_STEP})*)\s*", re.IGNORECASE)
#: the same for a path that is no constant, as the engine's expressions have it
_PATH_SQL = (
    r"(?is)\s*((lax|strict)\s+)?\$(\.([\pL_][\pL\pN_]*|\"([^\"\\]|\\.)*\")|\[[0-9]{1,9}\])*\s*"
)


def path_of(name: str, constant: Any) -> str:
    """The path in a constant, without its mode; BindFault if it is none."""
    match = _PATH.fullmatch(constant) if isinstance(constant, str) else None
    if match is None:
        raise BindFault(
            f"{name}: '{constant}' is not a path", code="ARGUMENTS", hint="paths look like $.a.b[0]"
        )
    return match[1]


def _with_path(name: str, result: Type, is_needed: bool = False) -> Resolver:
    """A path that is a constant is checked when the call is bound."""
    parameters = (P("json", text), P("path", _STRING, optional=not is_needed))
    plain = resolver(name, parameters, result)

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        resolved = plain(types, constants)
        if len(types) > 1 and constants[1] is not None:
            path_of(name, constants[1])
        return resolved

    return resolve


def _path_sql(sql: str, name: str, span: Span) -> tuple[str, str]:
    """The engine's form of a path, and the condition that its mode is strict, from its SQL."""
    constant = sql.replace("''", "\x00")
    if sql.startswith("'") and constant.count("'") == 2:
        match = _PATH.fullmatch(constant[1:-1].replace("\x00", "'"))
        assert match, sql
        is_strict = constant[1:].lstrip().lower().startswith("strict")
        return quote(match[1]), "true" if is_strict else "false"
    shown = f"left({sql}, 80)"
    wrong = raise_sql("BAD_VALUE", span, f"{name}: this is not a path: ", "VARCHAR", shown)
    is_path = f"regexp_full_match({sql}, {quote(_PATH_SQL)})"
    plain = f"trim(substring({sql}, instr({sql}, '$')), E' \\t\\r\\n')"
    checked = f"(CASE WHEN NOT {is_path} THEN {wrong} ELSE {plain} END)"
    return checked, f"starts_with(lower(ltrim({sql}, E' \\t\\r\\n')), 'strict')"


def _at(name: str, args: Sequence[str], kinds: str, value: str, span: Span) -> str:
    """`value` (of {json} and {path}) where what the path leads to is of these kinds; else NULL, or
    BAD_VALUE in strict mode."""
    path, is_strict = _path_sql(args[1], name, span) if len(args) > 1 else ("'$'", "false")
    found = f"json_type({args[0]}, {path})"
    made = value.format(json=args[0], path=path)
    if is_strict == "false":
        return f"(CASE WHEN {found} {kinds} THEN {made} END)"
    wrong = raise_sql("BAD_VALUE", span, f"{name}: there is no such value at the path", "VARCHAR")
    null = f"{args[0]} IS NULL OR {path} IS NULL OR NOT {is_strict}"
    return f"(CASE WHEN {found} {kinds} THEN {made} WHEN {null} THEN NULL ELSE {wrong} END)"


_STRUCTURES = "IN ('OBJECT', 'ARRAY')"


def _render_value(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    value = "json_extract_string({json}, {path})"
    return _at("JSON_VALUE", args, f"NOT {_STRUCTURES}", value, span)


def _render_query(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    value = "CAST(json_extract({json}, {path}) AS VARCHAR)"
    return _at("JSON_QUERY", args, _STRUCTURES, value, span)


def _render_exists(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    path, _ = _path_sql(args[1], "JSON_PATH_EXISTS", span)
    return f"CAST(json_exists({args[0]}, {path}) AS INTEGER)"


#: what ISJSON can ask for, and the engine's kinds of value
_JSON_KINDS = {
    "value": "IS NOT NULL",
    "array": "= 'ARRAY'",
    "object": "= 'OBJECT'",
    "scalar": "NOT IN ('ARRAY', 'OBJECT', 'BOOLEAN', 'NULL')",
}


def _resolve_is_json(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    resolved = resolver("ISJSON", (_JSON, P("json_kind", _STRING, optional=True)), INT)(
        types, constants
    )
    if len(types) == 2 and str(constants[1]).lower() not in _JSON_KINDS:
        raise BindFault("ISJSON: the kind is VALUE, ARRAY, OBJECT or SCALAR", code="ARGUMENTS")
    return resolved


def _render_is_json(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    kind = _JSON_KINDS[args[1].strip("'").lower()] if len(args) > 1 else _STRUCTURES
    given = f"(CASE WHEN json_valid({args[0]}) THEN json_type({args[0]}) END)"
    is_one = f"coalesce(CAST({given} {kind} AS INTEGER), 0)"
    return f"(CASE WHEN {args[0]} IS NOT NULL THEN {is_one} END)"


# --- OPENJSON ------------------------------------------------------------------------------------

#: T-SQL's numbers for the kinds of JSON values
_KINDS = (
    "CASE type WHEN 'NULL' THEN 0 WHEN 'VARCHAR' THEN 1 WHEN 'BOOLEAN' THEN 3 WHEN 'ARRAY' THEN 4 "
    "WHEN 'OBJECT' THEN 5 ELSE 2 END"
)


def _opened(args: Sequence[str], span: Span) -> str:
    """The object or array to open; anything else opens to nothing, or is BAD_VALUE in strict
    mode."""
    return _at("OPENJSON", args, _STRUCTURES, "CAST(json_extract({json}, {path}) AS VARCHAR)", span)


def _render_open(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    return (
        f"(SELECT key, json_extract_string(value, '$') AS value, CAST({_KINDS} AS INTEGER) AS type "
        f"FROM json_each({_opened(args, span)}))"
    )


def open_with_sql(
    args: Sequence[str], schema: Sequence[tuple[str, Type, str | None]], span: Span
) -> str:
    """OPENJSON … WITH (name type path, …): a relation of those columns, a row for each element of
    an array, one for an object. A column of type JSON takes objects and arrays, others scalars."""
    opened = _opened(args, span)
    items = (
        f"SELECT unnest(CASE json_type({opened}) WHEN 'ARRAY' THEN CAST({opened} AS JSON[]) "
        f"WHEN 'OBJECT' THEN [CAST({opened} AS JSON)] END) AS item"
    )
    columns = ", ".join(
        f"{_column_sql(name, type_, path, span)} AS c{i}"
        for i, (name, type_, path) in enumerate(schema)
    )
    return f"(SELECT {columns} FROM ({items}))"


def _column_sql(name: str, type_: Type, path: str | None, span: Span) -> str:
    step = name.replace("\\", "\\\\").replace('"', '\\"')
    if path is not None:
        path_of("OPENJSON", path)
    place = quote(path if path is not None else f'$."{step}"')
    item = "CAST(item AS VARCHAR)"
    if type_.kind == "JSON":
        return _render_query([item, place], [JSON], JSON, span)
    text_sql = _render_value([item, place], [NVARCHAR], NVARCHAR, span)
    return cast_sql(text_sql, NVARCHAR, type_, False, span)


_STRING = exactly(NVARCHAR)
_JSON = P("json", text)
_PATH_PARAMETER = P("path", _STRING, optional=True)

JSON_FUNCTIONS: tuple[Function, ...] = (
    scalar("JSON_VALUE", (_JSON, _PATH_PARAMETER), NVARCHAR, _render_value,
           "The string, number, true or false at the path, as text; else NULL, or an error after "
           "`strict`.", """JSON_VALUE('{"a": [1, 2]}', '$.a[1]')""",
           resolve=_with_path("JSON_VALUE", NVARCHAR, is_needed=True)),
    scalar("JSON_QUERY", (_JSON, _PATH_PARAMETER), JSON, _render_query,
           "The object or array at the path; else NULL, or an error after `strict`.",
           """JSON_QUERY('{"a": [1, 2]}', '$.a')""", resolve=_with_path("JSON_QUERY", JSON)),
    scalar("JSON_PATH_EXISTS", (_JSON, P("path", _STRING)), INT, _render_exists,
           "1 when there is something at the path, null too.",
           """JSON_PATH_EXISTS('{"a": null}', '$.a')""",
           resolve=_with_path("JSON_PATH_EXISTS", INT, is_needed=True)),
    scalar("ISJSON", (_JSON, P("json_kind", _STRING, optional=True)), INT, _render_is_json,
           "1 when the text is a JSON object or array, or of the kind that is given: VALUE (any), "
           "ARRAY, OBJECT, SCALAR (a string or number).", "ISJSON('[1, 2]')",
           resolve=_resolve_is_json),
)  # fmt: skip


def _open_resolver() -> Resolver:
    plain = resolver("OPENJSON", (P("json", text), P("path", _STRING, optional=True)), NVARCHAR)

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        resolved = plain(types, constants)
        if len(types) > 1 and constants[1] is not None:
            path_of("OPENJSON", constants[1])
        return resolved

    return resolve


JSON_TABLES: tuple[Function, ...] = (
    Function(
        name="OPENJSON",
        kind="table",
        resolve=_open_resolver(),
        render=_render_open,
        parameters=("json", "path"),
        doc="The members of an object, or the elements of an array: key, value, and type (0 null, "
        "1 string, 2 number, 3 true or false, 4 array, 5 object). WITH (name type 'path', …) gives "
        "typed columns instead.",
        example="""SELECT key, value FROM OPENJSON('{"a": 1, "b": "x"}')""",
        columns=(("key", NVARCHAR), ("value", NVARCHAR), ("type", INT)),
    ),
)
