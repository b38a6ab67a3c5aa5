"""Variables of a batch: DECLARE, SET, SELECT @v = ….

They stand beside the caller's parameters (`ParameterSet`) with the types they were declared with,
so queries, plans and their cache need not know them apart. A value is converted as an INSERT does
it: by a CAST, but what is too long is an error. A statement that fails changes no variable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.bind.context import fault, locate, nearest
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.scripts.table_variables import declare_table, forget_table
from hartonomous.hql.scripts.values import evaluate, last_row
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import Type, make_type
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.declare import Declare, VariableDefinition
    from hartonomous.hql.statements.parts import Assignment
    from hartonomous.hql.statements.set_variable import SetVariable


def run_declare(statement: Declare, context: Context) -> Result:
    """DECLARE: one variable after the other, so that a value may use those before it. When the
    same DECLARE runs again (in a loop), a variable gets its value again, if one is written, and a
    table keeps its rows."""
    parameters = context.parameters
    declared: list[str] = []
    before: dict[str, Any] = {}
    try:
        for number, variable in enumerate(statement.variables):
            name = fold(variable.name)
            is_known = context.frame.declared.get(name) is variable
            if variable.type is None:
                if not is_known:
                    _check_new(variable, context)
                    declare_table(variable, context, number)
                    context.frame.declared[name] = variable
                    declared.append(name)
                continue
            type_ = parameters.variables[name] if is_known else _declared_type(variable, context)
            value = None
            if variable.value is not None:
                value = _value_of(context, variable.name, variable.value, type_, number)
            if is_known:
                if variable.value is not None:
                    before.setdefault(name, parameters.raw[name])
                    parameters.assign({name: value})
                continue
            parameters.declare(name, type_, value)
            context.frame.declared[name] = variable
            declared.append(name)
    except BaseException:
        parameters.assign(before)
        for name in declared:
            del context.frame.declared[name]
            if name in context.frame.tables:
                forget_table(context.frame, name)
            else:
                parameters.forget([name])
        raise
    return Result()


def run_set(statement: SetVariable, context: Context) -> Result:
    """SET @v = expression."""
    type_ = get_variable_type(context, statement.name, statement.span)
    value = _value_of(context, statement.name, statement.value, type_, 0)
    context.parameters.assign({fold(statement.name): value})
    return Result(rows_read=1)


def run_select(query: ast.Query, context: Context) -> Result:
    """SELECT @a = e, @b = f FROM …: the values of the last row; without a row nothing changes.
    Every row is converted, and sees the variables as they were before the statement."""
    select = query.body
    assert isinstance(select, ast.Select)
    items, names, types = [], [], []
    for item in select.items:
        if item.assign_to is not None:
            names.append(item.assign_to)
            types.append(get_variable_type(context, item.assign_to, item.span))
            item = replace(item, expression=trees.cast(item.expression, types[-1]))
        items.append(item)
    if query.for_json is not None:
        message = "a SELECT that assigns to variables gives no rows for FOR JSON"
        raise fault(query.span, message, "BIND", "SET @text = (SELECT … FOR JSON PATH)")
    assigning = replace(query, body=replace(select, items=tuple(items)))
    rows = context.query(assigning, key="assign", assigning=True)
    spans = [item.expression.span for item in select.items]
    last, count = last_row(rows, [f"@{name}" for name in names], types, spans)
    if last is not None:
        context.parameters.assign(dict(zip(map(fold, names), last, strict=True)))
    return Result(rows_read=count)


# --- UPDATE … SET @v = e -------------------------------------------------------------------------


def variable_items(assignments: Sequence[Assignment], context: Context) -> list[ast.SelectItem]:
    """What an UPDATE's query has for the variables that it sets, from the rows as they were."""
    return [
        trees.item(
            trees.cast(a.value, get_variable_type(context, a.variable, a.span)), f"__set_{number}"
        )
        for number, a in enumerate(assignments)
        if a.variable is not None
    ]


def assign_last(
    assignments: Sequence[Assignment], fields: Sequence[Field], rows: pa.Table, context: Context
) -> None:
    """The variables get the values of the last row; without a row nothing changes."""
    if context.transaction.broken:  # a statement that fails changes no variable
        from hartonomous.hql.changes.references import settle

        settle(context)
    chosen = {f"__set_{i}": a for i, a in enumerate(assignments) if a.variable is not None}
    kept = tuple(f for f in fields if f.name in chosen)
    set_by = [chosen[f.name] for f in kept]
    names = [str(a.variable) for a in set_by]
    types = [get_variable_type(context, a.variable or "", a.span) for a in set_by]
    result = Result.of_table(kept, rows.select([f.name for f in kept]))
    last, _ = last_row(result, [f"@{n}" for n in names], types, [a.value.span for a in set_by])
    if last is not None:
        context.parameters.assign(dict(zip(map(fold, names), last, strict=True)))


def _value_of(
    context: Context, name: str, expression: ast.Expression, type_: Type, number: int
) -> Any:
    """What an expression gives; `number` tells a statement's variables apart."""
    return evaluate(context, expression, type_, key=("value", number), name=f"@{name}")


# --- names and types -----------------------------------------------------------------------------


def _check_new(variable: VariableDefinition, context: Context) -> None:
    """BIND unless the name of a declared variable is new."""
    span, shown = variable.span, f"@{variable.name}"
    if variable.name.startswith("@"):
        message = f"{shown}: names with two marks are the system's"
        raise fault(span, message, "BIND", f"DECLARE {shown[1:]}")
    name, parameters = fold(variable.name), context.parameters
    if name in context.frame.tables:
        raise fault(span, f"{shown} is declared already", "BIND", f"DELETE FROM {shown} empties it")
    if name in parameters.variables:
        raise fault(span, f"{shown} is declared already", "BIND", f"SET {shown} = … changes it")
    if parameters.is_given(name):
        raise fault(span, f"{shown} is a parameter already", "BIND", "give one another name")


def _declared_type(variable: VariableDefinition, context: Context) -> Type:
    """The type of a new variable, whose name must be new."""
    _check_new(variable, context)
    assert variable.type is not None
    try:
        return make_type(variable.type.name, *variable.type.arguments)
    except Error as error:
        locate(error, variable.type.span)


def get_variable_type(context: Context, name: str, span: ast.Span) -> Type:
    """The type of a variable that is to get a value."""
    parameters, shown = context.parameters, f"@{name}"
    known = parameters.variables
    if fold(name) in known:
        return known[fold(name)]
    if fold(name) in context.frame.tables:
        raise fault(span, f"{shown} is a table, not a value", "TYPE_MISMATCH")
    if parameters.is_given(fold(name)):
        message = f"{shown} is a parameter, and parameters keep their values"
        raise fault(span, message, "BIND", "DECLARE a variable of another name")
    hint = nearest(shown, [f"@{k}" for k in known])
    if hint is None and not name.startswith("@"):
        hint = f"DECLARE {shown} first"
    raise fault(span, f"there is no variable {shown}", "UNKNOWN_VARIABLE", hint)
