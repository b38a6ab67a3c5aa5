"""Small pieces of syntax tree that statements build their queries from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hartonomous.hql import ast
from hartonomous.hql.types import Type


def word(text: str) -> ast.Identifier:
    """A name as a quoted identifier, so that no word can be mistaken for a keyword."""
    return ast.Identifier(text, quoted=True)


def column(*parts: str, span: ast.Span = ast.NOWHERE) -> ast.ColumnName:
    """A column by its (qualified) name."""
    return ast.ColumnName(tuple(word(part) for part in parts), span=span)


def item(expression: ast.Expression, name: str) -> ast.SelectItem:
    """`expression AS name`."""
    return ast.SelectItem(expression, word(name), span=expression.span)


def select(
    items: Sequence[ast.SelectItem],
    source: ast.Relation | None = None,
    where: ast.Expression | None = None,
) -> ast.Query:
    """`SELECT items FROM source WHERE where`."""
    return ast.Query(ast.Select(tuple(items), source=source, where=where))


def derived(query: ast.Query, alias: str) -> ast.Derived:
    """`(query) AS alias`."""
    return ast.Derived(query, word(alias))


def rows(name: str, alias: str) -> ast.VariableTable:
    """`@name AS alias`, an Arrow table that the statement hands over itself."""
    return ast.VariableTable(name, word(alias))


def cast(expression: ast.Expression, type_: Type) -> ast.Cast:
    """The conversion of an assigned value to its column's type. The bounds of NVARCHAR(n) and
    VARBINARY(n) are left out: a CAST would cut what is too long, an assignment is an error."""
    return ast.Cast(expression, type_name(unbounded(type_)), span=expression.span)


def unbounded(type_: Type) -> Type:
    """The type without a bound on its length."""
    return Type(type_.kind) if type_.kind in ("NVARCHAR", "VARBINARY") else type_


def type_name(type_: Type) -> ast.TypeName:
    """A type as it is written."""
    arguments = tuple(str(n) for n in (type_.a, type_.b) if n is not None)
    return ast.TypeName(type_.kind, arguments)


def is_null(expression: ast.Expression | None) -> bool:
    """Whether this is the word NULL."""
    return isinstance(expression, ast.Literal) and expression.value is None


def walk(value: object) -> Iterator[ast.Node]:
    """Every node of a tree, from the root down."""
    if isinstance(value, ast.Node):
        yield value
        for _, part in parts(value):
            yield from walk(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from walk(part)


def with_columns(value: Any, change: Callable[[ast.ColumnName], ast.Expression]) -> Any:
    """A tree whose column names are what `change` makes of them."""
    if isinstance(value, ast.ColumnName):
        return change(value)
    if isinstance(value, tuple):
        return tuple(with_columns(part, change) for part in value)
    if not isinstance(value, ast.Node):
        return value
    return replace(value, **{n: with_columns(v, change) for n, v in parts(value)})


def parts(node: ast.Node) -> Iterator[tuple[str, Any]]:
    """The fields of a node but its place, by name."""
    return ((n, getattr(node, n)) for n in node.__dataclass_fields__ if n != "span")
