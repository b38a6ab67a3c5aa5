"""Settings in CREATE MODEL and EXPORT MODEL: their values as plain ones, and which there are."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault, FileFault
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def read_options(
    options: Iterable[ast.Option], context: Context, known: Iterable[str] | None, what: str
) -> dict[str, tuple[Any, ast.Option]]:
    """Upper-case name -> (value, its option); BIND for one that is given twice, or is not `known`
    (None: all are)."""
    allowed = None if known is None else list(known)
    found: dict[str, tuple[Any, ast.Option]] = {}
    for option in options:
        name = option.name.upper()
        if allowed is not None and name not in allowed:
            hint = "there are: " + ", ".join(allowed) if allowed else None
            raise place(BindFault(f"{option.name} is no setting of {what}", hint=hint), option)
        if name in found:
            raise place(BindFault(f"{option.name} is given twice"), option)
        found[name] = plain_value(option, context), option
    return found


def located(error: Error, node: ast.Node) -> Error:
    """The error, with the node's place if it has none yet."""
    return error if error.line is not None else place(error, node)


def plain_value(option: ast.Option, context: Context) -> Any:
    """A constant, a parameter's value, a list of numbers, or a word as text; a name alone is
    True."""
    value = option.value
    if value is None:
        return True
    if isinstance(value, ast.Literal):
        return float(value.value) if isinstance(value.value, Decimal) else value.value
    if isinstance(value, ast.Unary):
        return str(value)  # a sign before a number: no setting takes one
    if isinstance(value, ast.Identifier):
        return value.text
    if isinstance(value, ast.ColumnName) and len(value.parts) == 1:
        return value.parts[0].text
    if isinstance(value, ast.VectorLiteral):
        return list(value.values)
    if isinstance(value, (ast.Variable, ast.Placeholder)):
        return parameter(value, context)
    fault = BindFault(f"{option.name} is a constant, a word or a variable")
    raise place(fault, option)


def path_at(node: ast.Expression, context: Context, *, to_write: bool = False) -> str:
    """A path of files as given. FILE at its place for none: an empty one would be the current
    folder, and a zero character ends a name."""
    from hartonomous.hql.copying.copying import path_of

    path = path_of(node, context, to_write=to_write)
    if not path.strip():
        hint = "'.' is the current folder"
        raise place(FileFault("the path is empty", hint=hint), node)
    if "\0" in path:
        raise place(FileFault(f"{path!r} is no path"), node)
    return path


def named(node: ast.Identifier | ast.Literal | ast.Variable, context: Context) -> Any:
    """What a statement calls a model by: a name, an id, or a variable's value."""
    if isinstance(node, ast.Variable):
        return parameter(node, context)
    return node.text if isinstance(node, ast.Identifier) else node.value


def parameter(node: ast.Variable | ast.Placeholder, context: Context) -> Any:
    """The value of a variable or parameter."""
    from hartonomous.storage.catalog import fold

    if isinstance(node, ast.Variable):
        name = fold(node.name)
    else:
        name = fold(node.name) if node.name is not None else f"?{node.index}"
    if name not in context.parameters.raw:
        fault = BindFault(f"there is no parameter {node}", code="UNKNOWN_VARIABLE")
        raise place(fault, node)
    return context.parameters.raw[name]
