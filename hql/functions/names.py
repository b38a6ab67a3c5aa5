"""Names and numbers of what the catalog holds, and of the machine: OBJECT_ID, DB_NAME, HOST_NAME.

Numbers are those of sys.tables and its kin, of the statement's catalog. There is one database.
(Who asks is the session's to say: session.py.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.by_value import ByValue
from hartonomous.hql.functions.resolve import P, exactly, scalar, whole
from hartonomous.hql.types import BIGINT, INT, NVARCHAR, Type

if TYPE_CHECKING:
    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.plan import Expr

_PART = re.compile(r'\[((?:[^\]]|\]\])*)\]|"((?:[^"]|"")*)"|([^.\[\]"]*)')


class OfCatalog(ByValue):
    """A kernel over one statement's catalog; equal for equal ones, so that calls compare."""

    def __init__(self, compute: Callable[..., Any], type_: Type, context: BindContext) -> None:
        super().__init__(lambda *values: compute(context, *values), type_)
        self.key = (compute, type_, context.catalog.version, context.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OfCatalog) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _of_catalog(
    name: str,
    parameters: Sequence[P],
    result: Type,
    compute: Callable[..., Any],
    doc: str,
    example: str,
) -> Function:
    def in_catalog(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
        return replace(function, kernel=OfCatalog(compute, result, context))

    made = scalar(name, parameters, result, None, doc, example, kernel=ByValue(compute, result))
    return replace(made, in_catalog=in_catalog)


def _parts(name: str) -> list[str]:
    """The parts of a dotted name without their quotes; none if it is no name."""
    out, at = [], 0
    while True:
        match = _PART.match(name, at)
        assert match is not None
        bracket, quoted, plain = match.groups()
        if bracket is not None:
            out.append(bracket.replace("]]", "]"))
        else:
            out.append(quoted.replace('""', '"') if quoted is not None else plain.strip())
        at = match.end()
        if at == len(name):
            return out
        if name[at] != ".":
            return []
        at += 1


#: T-SQL's short names of kinds of objects
_KINDS: Final = {
    "U": ("table",),
    "V": ("view",),
    "P": ("PROCEDURE",),
    "FN": ("SCALAR FUNCTION",),
    "IF": ("TABLE FUNCTION",),
    "TF": ("TABLE FUNCTION",),
}
_OBJECTS: Final = frozenset(kind for kinds in _KINDS.values() for kind in kinds)


def _kind(entry: Any) -> str:
    return entry.routine if entry.kind == "routine" else entry.kind  # type: ignore[no-any-return]


def _find_object(context: BindContext, name: str) -> Any:
    parts = _parts(name)
    if not parts or not parts[-1]:
        return None
    if parts[-1].startswith("#"):
        return context.temporary(parts[-1]) if context.temporary is not None else None
    schema = parts[-2] if len(parts) > 1 and parts[-2] else context.schema
    return context.catalog.find(schema, parts[-1])


def _object_id(context: BindContext, name: str, kind: str | None = None) -> int | None:
    entry = _find_object(context, name)
    if entry is None or _kind(entry) not in _OBJECTS:
        return None
    if kind is not None and _kind(entry) not in _KINDS.get(kind.strip().upper(), ()):
        return None
    return int(entry.id)


def _object(context: BindContext, number: int) -> Any:
    for entry in context.catalog.entries.values():
        if entry.id == number and _kind(entry) in _OBJECTS:
            return entry
    return None


def _object_name(context: BindContext, number: int) -> str | None:
    entry = _object(context, number)
    return None if entry is None else entry.name


def _object_schema(context: BindContext, number: int) -> str | None:
    entry = _object(context, number)
    return None if entry is None else entry.schema


def _schema_id(context: BindContext, name: str | None = None) -> int | None:
    wanted = (context.schema if name is None else name).lower()
    for entry in context.catalog.entries.values():
        if entry.kind == "schema" and entry.name.lower() == wanted:
            return int(entry.id)
    return None


def _schema_name(context: BindContext, number: int | None = None) -> str | None:
    if number is None:
        return context.schema
    for entry in context.catalog.entries.values():
        if entry.kind == "schema" and entry.id == number:
            return str(entry.name)
    return None


def _column_name(context: BindContext, number: int, place: int) -> str | None:
    entry = _object(context, number)
    if entry is None or entry.kind != "table" or not 1 <= place <= len(entry.columns):
        return None
    return str(entry.columns[place - 1].name)


def database_name(database: Any) -> str:
    """What a database is called where it has a name: its folder's without its ending."""
    path = None if database is None else database.path
    return "memory" if path is None else str(path.stem)


def _database_name(context: BindContext, number: int = 1) -> str | None:
    return database_name(context.database) if number == 1 else None


def _database_id(context: BindContext, name: str | None = None) -> int | None:
    own = _database_name(context)
    return 1 if name is None or (own is not None and own.lower() == name.lower()) else None


def _host() -> str:
    import socket

    return socket.gethostname()


_STRING = exactly(NVARCHAR)
_NUMBER = P("id", whole)


def _who(name: str, compute: Callable[[], str], doc: str) -> Function:
    return scalar(name, (), NVARCHAR, None, doc, f"{name}()", kernel=ByValue(compute, NVARCHAR))


NAMES: tuple[Function, ...] = (
    _of_catalog("OBJECT_ID", (P("name", _STRING), P("kind_of_object", _STRING, optional=True)),
                BIGINT, _object_id,
                "The number of a table ('U'), view ('V'), procedure ('P') or function ('FN', 'IF', "
                "'TF'); NULL if there is none of that name and kind.",
                "ISNULL(OBJECT_ID('dbo.nothing', 'U'), 0)"),
    _of_catalog("OBJECT_NAME", (_NUMBER,), NVARCHAR, _object_name,
                "The name of the object of a number.", "OBJECT_NAME(OBJECT_ID('t'))"),
    _of_catalog("OBJECT_SCHEMA_NAME", (_NUMBER,), NVARCHAR, _object_schema,
                "The schema of the object of a number.", "OBJECT_SCHEMA_NAME(OBJECT_ID('t'))"),
    _of_catalog("COL_NAME", (P("table_id", whole), P("place", whole)), NVARCHAR, _column_name,
                "The name of a table's column by its place.", "COL_NAME(OBJECT_ID('t'), 1)"),
    _of_catalog("SCHEMA_ID", (P("name", _STRING, optional=True),), BIGINT, _schema_id,
                "The number of a schema, the default one unless named.", "SCHEMA_ID('dbo')"),
    _of_catalog("SCHEMA_NAME", (P("id", whole, optional=True),), NVARCHAR, _schema_name,
                "The name of a schema, the default one unless its number is given.",
                "SCHEMA_NAME()"),
    _of_catalog("DB_NAME", (P("id", whole, optional=True),), NVARCHAR, _database_name,
                "The name of the database's folder without its ending; `memory` in memory. There "
                "is one, of number 1.", "DB_NAME()"),
    _of_catalog("DB_ID", (P("name", _STRING, optional=True),), INT, _database_id,
                "1 for the database's name, or without one; else NULL.", "DB_ID()"),
    _who("HOST_NAME", _host, "The name of the machine."),
    _who("APP_NAME", lambda: "hql", "The name of the program: hql."),
)  # fmt: skip
