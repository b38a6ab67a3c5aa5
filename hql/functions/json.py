"""Functions of JSON texts, and OPENJSON. Numbers come back as the engine writes them (`2.50` as
`2.5`). Paths are T-SQL's: `$.name.other[0]`, `$."a b"`, with an optional `lax`
or `strict` before them; both are read as lax (what is missing is NULL)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function, Resolver
from hartonomous.hql.functions.casts import cast_sql
from hartonomous.hql.functions.resolve import P, exactly, quote, resolver, scalar, text
from hartonomous.hql.types import INT, JSON, NVARCHAR, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

_STEP = r'(?:\.(?:[^\W\d]\w*|"(?:[^"\\]|\\.)*")|\[\d+\])'
_PATH = re.compile(rf"\s*(?:(?:lax|strict)\s+)?(\$(?:{_STEP})*)\s*", re.IGNORECASE)


def path_of(name: str, constant: Any) -> str:
    """A checked path; BindFault if it is none, or is not a constant."""
    if not isinstance(constant, str):
        raise BindFault(f"{name}: the path must be a constant, as '$.name'", code="ARGUMENTS")
    match = _PATH.fullmatch(constant)
    if not match:
        raise BindFault(
            f"{name}: '{constant}' is not a path", code="ARGUMENTS", hint="paths look like $.a.b[0]"
        )
    return match[1]


def _with_path(name: str, result: Type) -> Resolver:
    plain = resolver(name, (P("json", text), P("path", _STRING, optional=True)), result)

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        resolved = plain(types, constants)
        if len(types) > 1:
            path_of(name, constants[1])
        elif name == "JSON_VALUE":
            raise BindFault("JSON_VALUE takes (json, path)", code="ARGUMENTS")
        return resolved

    return resolve


def _path_sql(sql: str) -> str:
    """The engine's form of a path constant, from its SQL."""
    match = re.search(r"\$.*", sql[sql.index("'") + 1 : sql.rindex("'")])
    assert match, sql
    return quote(match[0].rstrip().replace("''", "'"))


def _render_value(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    path = _path_sql(args[1])
    return (
        f"(CASE WHEN json_type({args[0]}, {path}) NOT IN ('OBJECT', 'ARRAY') "
        f"THEN json_extract_string({args[0]}, {path}) END)"
    )


def _render_query(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    path = _path_sql(args[1]) if len(args) > 1 else "'$'"
    return (
        f"(CASE WHEN json_type({args[0]}, {path}) IN ('OBJECT', 'ARRAY') "
        f"THEN CAST(json_extract({args[0]}, {path}) AS VARCHAR) END)"
    )


# --- OPENJSON ------------------------------------------------------------------------------------

#: T-SQL's numbers for the kinds of JSON values
_KINDS = (
    "CASE type WHEN 'NULL' THEN 0 WHEN 'VARCHAR' THEN 1 WHEN 'BOOLEAN' THEN 3 WHEN 'ARRAY' THEN 4 "
    "WHEN 'OBJECT' THEN 5 ELSE 2 END"
)


def _opened(args: Sequence[str]) -> str:
    """The object or array to open; anything else opens to nothing."""
    path = _path_sql(args[1]) if len(args) > 1 else "'$'"
    found = f"json_extract({args[0]}, {path})"
    return f"(CASE WHEN json_type({args[0]}, {path}) IN ('OBJECT', 'ARRAY') THEN {found} END)"


def _render_open(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    return (
        f"(SELECT key, json_extract_string(value, '$') AS value, CAST({_KINDS} AS INTEGER) AS type "
        f"FROM json_each({_opened(args)}))"
    )


def open_with_sql(
    args: Sequence[str], schema: Sequence[tuple[str, Type, str | None]], span: Span
) -> str:
    """OPENJSON … WITH (name type path, …): a relation of those columns, a row for each element of
    an array, one for an object. A column of type JSON takes objects and arrays, others scalars."""
    opened = _opened(args)
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
    place = quote(path_of("OPENJSON", path) if path is not None else f'$."{step}"')
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
           "The string, number, true or false at the path, as text; else NULL.",
           """JSON_VALUE('{"a": [1, 2]}', '$.a[1]')""",
           resolve=_with_path("JSON_VALUE", NVARCHAR)),
    scalar("JSON_QUERY", (_JSON, _PATH_PARAMETER), JSON, _render_query,
           "The object or array at the path; else NULL.",
           """JSON_QUERY('{"a": [1, 2]}', '$.a')""", resolve=_with_path("JSON_QUERY", JSON)),
    scalar("ISJSON", (_JSON,), INT, "CAST(json_valid({0}) AS INTEGER)",
           "1 when the text is JSON.", "ISJSON('[1, 2]')"),
)  # fmt: skip


def _open_resolver() -> Resolver:
    plain = resolver("OPENJSON", (P("json", text), P("path", _STRING, optional=True)), NVARCHAR)

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        resolved = plain(types, constants)
        if len(types) > 1:
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
