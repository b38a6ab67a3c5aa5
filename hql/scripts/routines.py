"""Routines: what the text of a procedure or function says, read once.

A catalog entry keeps the statement that made a routine as it was written. Places in a routine
(errors, the call chain) are those of this text: line 1 is the line of CREATE.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql import ast
from hartonomous.hql.frozen import frozen
from hartonomous.hql.types import Type, make_type
from hartonomous.storage.catalog import Catalog, RoutineEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.statements.base import Statement
    from hartonomous.hql.statements.create_function import CreateFunction
    from hartonomous.hql.statements.create_procedure import CreateProcedure
    from hartonomous.hql.statements.parts import ColumnDefinition

PROCEDURE: Final = "PROCEDURE"
SCALAR: Final = "SCALAR FUNCTION"
TABLE: Final = "TABLE FUNCTION"

#: texts of routines that are kept as trees
ROUTINES_MAX = 512


@frozen
class Parameter:
    """A parameter; `name` has no mark. `default` is a constant expression, or None: there is
    none."""

    name: str
    type: Type
    default: ast.Expression | None
    output: bool

    def __str__(self) -> str:
        default = "" if self.default is None else f" = {self.default}"
        return f"@{self.name} {self.type}{default}{' OUTPUT' if self.output else ''}"


@frozen
class Routine:
    """A procedure, a scalar function or a table function.

    A procedure has `body`; a scalar function `returns` and `body`, and `value` if the body is one
    RETURN; a table function `query`, or `columns`, those of the table variable `variable` that its
    `body` fills. `title` is its full name, `dbo.f`.
    """

    title: str
    routine: str
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    text: str
    returns: Type | None = None
    value: ast.Expression | None = None
    query: ast.Query | None = None
    variable: str | None = None
    columns: tuple[tuple[str, Type], ...] = ()
    definer: str = ""  # see RoutineEntry

    @property
    def noun(self) -> str:
        return noun(self.routine)

    def find_parameter(self, name: str) -> Parameter | None:
        folded = fold(name)
        return next((p for p in self.parameters if fold(p.name) == folded), None)


def noun(routine: str) -> str:
    """What people call it."""
    return "procedure" if routine == PROCEDURE else "function"


def find_routine(catalog: Catalog, name: ast.ObjectName, schema: str = "dbo") -> Any:
    """The RoutineEntry of a name of one or two parts, or None."""
    parts = name.parts
    if len(parts) > 2:
        return None
    entry = catalog.find(parts[0].text if len(parts) == 2 else schema, parts[-1].text)
    return entry if isinstance(entry, RoutineEntry) else None


@lru_cache(ROUTINES_MAX)
def read_routine(entry: RoutineEntry) -> Routine:
    """The routine of a catalog entry, whose text was read before it was kept."""
    from hartonomous.hql.syntax.parse import parse_batch

    (statement,) = parse_batch(entry.text)
    routine = routine_of(statement, f"{entry.schema}.{entry.name}", entry.text)  # type: ignore[arg-type]
    return replace(routine, definer=entry.definer) if entry.definer else routine


def routine_of(statement: CreateProcedure | CreateFunction, title: str, text: str) -> Routine:
    """What a statement defines. Raises UNKNOWN_TYPE and what else a type's name may be."""
    from hartonomous.hql.statements.create_procedure import CreateProcedure

    parameters = tuple(
        Parameter(p.name, type_named(p.type), p.default, p.output) for p in statement.parameters
    )
    if isinstance(statement, CreateProcedure):
        return Routine(title, PROCEDURE, parameters, statement.body, text)
    if statement.query is not None:
        return Routine(title, TABLE, parameters, (), text, query=statement.query)
    if statement.rows is not None:
        (rows,) = statement.rows.variables
        columns = tuple([_column(c) for c in rows.columns])
        return Routine(
            title, TABLE, parameters, statement.body, text, variable=rows.name, columns=columns
        )
    assert statement.returns is not None, statement
    body, returns = statement.body, type_named(statement.returns)
    return Routine(title, SCALAR, parameters, body, text, returns, _only_value(body))


def _column(definition: ColumnDefinition) -> tuple[str, Type]:
    """Name and type of a column that a function's table has."""
    from hartonomous.hql.bind.context import not_supported

    if definition.type is None:
        raise not_supported(definition.span, "computed columns of a function's table")
    type_ = type_named(definition.type)
    if type_.is_wide:
        hint = "RETURNS TABLE AS RETURN SELECT … may give one"
        raise not_supported(definition.span, f"{type_} in a table that a function fills", hint)
    return definition.name.text, type_


def type_named(name: ast.TypeName) -> Type:
    """The type that a name means; its errors have their place."""
    from hartonomous.hql.bind.context import locate
    from hartonomous.storage.errors import Error

    try:
        return make_type(name.name, *name.arguments)
    except Error as error:
        locate(error, name.span)


def _only_value(body: tuple[Statement, ...]) -> ast.Expression | None:
    """The expression of a body that is one RETURN."""
    from hartonomous.hql.statements.block import Block
    from hartonomous.hql.statements.return_value import ReturnValue

    while len(body) == 1 and isinstance(body[0], Block):
        body = body[0].body
    if len(body) == 1 and isinstance(body[0], ReturnValue):
        return body[0].value
    return None
