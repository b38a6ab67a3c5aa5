"""Functions of JSON texts. Paths are T-SQL's: `$.name.other[0]`, `$."a b"`, with an optional `lax`
or `strict` before them; both are read as lax (what is missing is NULL)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function, Resolver
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
