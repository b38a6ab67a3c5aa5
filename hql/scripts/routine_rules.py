"""What a routine may say, found when it is made.

A function computes a value: it may steer, hold variables and read, and changes nothing but its own
table variables (T-SQL's rule). One that is a single expression or query must bind; other bodies,
and those of procedures, name things that need not be there before they run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.scripts.checking import check_places
from hartonomous.hql.scripts.routines import Routine
from hartonomous.hql.syntax import trees
from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements import parts
    from hartonomous.hql.statements.base import Statement
    from hartonomous.hql.statements.create_function import CreateFunction

#: as many as T-SQL takes in a function
PARAMETERS_MAX: Final = 1_024

#: titles of the statements that a function may hold, whatever they say
_STEERING: Final = frozenset(["BEGIN", "IF", "WHILE", "BREAK", "CONTINUE", "RETURN", "DECLARE"])

_IN_ROUTINE: Final = frozenset(["ROUTINE"])


def check_parameters(
    definitions: Sequence[parts.ParameterDefinition], routine: Routine, context: Context
) -> None:
    """Names are different, defaults are constants of their types."""
    if len(definitions) > PARAMETERS_MAX:
        message = f"a {routine.noun} has at most {PARAMETERS_MAX:,} parameters"
        raise place(BindFault(message), definitions[PARAMETERS_MAX])
    seen: set[str] = set()
    for definition, parameter in zip(definitions, routine.parameters, strict=True):
        shown = f"@{definition.name}"
        if definition.name.startswith("@"):
            raise place(BindFault(f"{shown}: names with two marks are the system's"), definition)
        if fold(definition.name) in seen:
            raise place(
                BindFault(f"the parameter {shown} is there twice", code="AMBIGUOUS"), definition
            )
        seen.add(fold(definition.name))
        if definition.output and routine.noun == "function":
            message = "a function has no OUTPUT parameters; it gives one value or one table"
            raise place(BindFault(message), definition)
        if definition.default is not None:
            _check_default(definition.default, shown)
            value = trees.cast(definition.default, parameter.type)
            context.table(trees.select([trees.item(value, "value")]))


def _check_default(default: ast.Expression, shown: str) -> None:
    inner = default
    while isinstance(inner, ast.Unary) and inner.op in ("+", "-"):
        inner = inner.operand
    if not isinstance(inner, ast.Literal | ast.VectorLiteral):
        raise place(BindFault(f"the default of {shown} must be a constant"), default)


def check_procedure(body: Sequence[Statement]) -> None:
    """A procedure's body sees its parameters, and none of the caller's values."""
    check_places(body, _IN_ROUTINE)
    _refuse_placeholders(tuple(body), "procedure")


def check_function(routine: Routine, statement: CreateFunction, context: Context) -> None:
    """A function's body only computes; one that is an expression or a query binds."""
    check_places(statement.body, _IN_ROUTINE)
    inside: object = statement.query or statement.body
    _refuse_placeholders(inside, "function")
    _refuse_temporary(inside)
    if routine.query is None:
        _check_computes(statement)
    if statement.rows is not None:
        _check_names([name for name, _ in routine.columns], statement.rows)
    if routine.value is not None or routine.query is not None:
        from hartonomous.hql.bind.routines import check_bound
        from hartonomous.hql.queries import bind_context

        names = check_bound(routine, bind_context(context))
        if routine.query is not None:
            _check_columns(names, routine.query)


def _refuse_placeholders(body: object, what: str) -> None:
    for node in trees.walk(body):
        if isinstance(node, ast.Placeholder):
            message = f"a {what} has no {node}: it sees only its own parameters"
            raise place(BindFault(message, hint="declare them: @name type, …"), node)


def _refuse_temporary(body: object) -> None:
    for node in trees.walk(body):
        if isinstance(node, ast.TableName) and node.name.last.startswith("#"):
            message = f'a function cannot stand on "{node.name}", which ends with the session'
            raise place(BindFault(message), node)


def _check_columns(names: Sequence[str], query: ast.Query) -> None:
    """A table function's columns are all named and all different; nor does it set limits."""
    _check_names(names, query)
    for node in trees.walk(query):
        if isinstance(node, ast.VariableTable):
            message = f"there is no table @{node.name}: parameters are values"
            raise place(BindFault(message, code="UNKNOWN_VARIABLE"), node)
        if isinstance(node, ast.Select) and node.into is not None:
            raise place(BindFault("a function changes nothing, and INTO makes a table"), node)


def _check_names(names: Sequence[str], node: ast.Node) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            message = f"column {number} of the function's table has no name"
            raise place(BindFault(message, hint="give it one with AS"), node)
        if fold(name) in seen:
            message = f'the function\'s table has two columns "{name}"'
            raise place(BindFault(message, code="AMBIGUOUS"), node)
        seen.add(fold(name))


def _check_computes(statement: CreateFunction) -> None:
    """Every statement of a scalar function's body may stand there, and its last one is RETURN."""
    from hartonomous.hql.statements.return_value import ReturnValue

    for inner in _statements(statement.body):
        _check_statement(inner)
        if isinstance(inner, ReturnValue) and (inner.value is None) != (statement.rows is not None):
            message = "RETURN in a function gives a value"
            if statement.rows is not None:
                message = f"the function gives @{statement.rows.variables[0].name}: RETURN alone"
            raise place(BindFault(message), inner)
    last = _last(statement.body)
    if not isinstance(last, ReturnValue):
        message = "the last statement of a function must be RETURN"
        hint = "… RETURN END" if statement.rows is not None else "… RETURN @result END"
        raise place(BindFault(message, hint=hint), last or statement)


def _statements(body: object) -> Iterator[Statement]:
    from hartonomous.hql.statements.base import Statement

    return (n for n in trees.walk(body) if isinstance(n, Statement))


def _last(body: Sequence[Statement]) -> Statement | None:
    from hartonomous.hql.statements.block import Block

    last = body[-1] if body else None
    while isinstance(last, Block):
        last = last.body[-1] if last.body else None
    return last


def _check_statement(statement: Statement) -> None:
    from hartonomous.hql.statements.query import QueryStatement, assigns, find_into
    from hartonomous.hql.statements.set_variable import SetVariable

    if statement.title in _STEERING or isinstance(statement, SetVariable):
        return
    if isinstance(statement, QueryStatement):
        if find_into(statement.query) is not None:
            message = "a function changes nothing, and SELECT … INTO makes a table"
            raise place(BindFault(message), statement)
        if not assigns(statement.query):
            message = "a SELECT in a function cannot give rows to the caller"
            hint = "SELECT @v = … assigns; RETURNS TABLE AS RETURN SELECT … gives a table"
            raise place(BindFault(message, hint=hint), statement)
        return
    changes_variable = isinstance(getattr(statement, "table", None), ast.Variable)
    if changes_variable and statement.usual_effect != "scripts":  # not INSERT @t EXEC p
        output = getattr(statement, "output", None)
        if output is None or isinstance(output.into, ast.Variable):
            return  # INSERT, UPDATE, DELETE, MERGE of a table variable
    message = f"a function changes nothing but its own variables: no {statement.title} in it"
    raise place(BindFault(message, hint="use a procedure"), statement)
