"""The syntax tree's nodes, names and expressions. To be imported from ast.py, which says more."""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.ast import Query


class Span(NamedTuple):
    """A stretch of the statement's text: 1-based line and column, 0-based offsets [start, end)."""

    line: int
    column: int
    start: int
    end: int


NOWHERE = Span(1, 1, 0, 0)


@frozen(kw_only=True)
class Node:
    """Anything that can stand in a tree."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        from hartonomous.hql.syntax.printer import print_node

        return print_node(self)


# --- names ---------------------------------------------------------------------------------------


@frozen
class Identifier(Node):
    """One word of a name; `quoted` only says how it was written (names ignore case anyhow)."""

    text: str
    quoted: bool = field(default=False, compare=False)


@frozen
class ObjectName(Node):
    """A table, view, function … : one part, or schema and part; `#temp` keeps its mark."""

    parts: tuple[Identifier, ...]

    @property
    def last(self) -> str:
        return self.parts[-1].text


@frozen
class TypeName(Node):
    """A type as written, e.g. ("NVARCHAR", ("MAX",)); types.make_type gives its meaning."""

    name: str
    arguments: tuple[str, ...] = ()


# --- expressions ---------------------------------------------------------------------------------


class Expression(Node):
    """A scalar value."""

    __slots__ = ()


@frozen
class Literal(Expression):
    """A constant: None, int (decimal digits only), Decimal (`1.5`), float (`1e0`), str, bytes."""

    value: int | Decimal | float | str | bytes | None
    # 1 == 1.0 == Decimal(1) in Python; the kind keeps such literals apart in comparisons
    kind: str = "NULL"  # NULL, INTEGER, DECIMAL, FLOAT, STRING, BINARY


@frozen
class VectorLiteral(Expression):
    """`[0.1, 0.2]`: numeric constants only."""

    values: tuple[float, ...]


@frozen
class Default(Expression):
    """DEFAULT as a value in INSERT … VALUES and UPDATE … SET."""


@frozen
class ColumnName(Expression):
    """`a`, `t.a`, `s.t.a`; the last part is the column."""

    parts: tuple[Identifier, ...]


@frozen
class Star(Expression):
    """`*`, `t.*`; also `inserted.*`. Only in select lists, OUTPUT and COUNT(*)."""

    qualifier: tuple[Identifier, ...] = ()


@frozen
class Variable(Expression):
    """`@name`, a variable or a parameter; `@@name` keeps both marks. `name` has no first mark."""

    name: str


@frozen
class Placeholder(Expression):
    """`:name`, or `?` with its 0-based place among the question marks of the text."""

    name: str | None
    index: int | None


@frozen
class Unary(Expression):
    """op: "-", "+", "NOT", "~"."""

    op: str
    operand: Expression


@frozen
class Binary(Expression):
    """op: + - * / % & | ^ || = <> < <= > >= AND OR (`!=` is read as `<>`)."""

    op: str
    left: Expression
    right: Expression


@frozen
class IsNull(Expression):
    operand: Expression
    negated: bool = False


@frozen
class IsDistinct(Expression):
    """IS [NOT] DISTINCT FROM."""

    left: Expression
    right: Expression
    negated: bool = False


@frozen
class Between(Expression):
    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False


@frozen
class Like(Expression):
    operand: Expression
    pattern: Expression
    escape: Expression | None = None
    negated: bool = False


@frozen
class InList(Expression):
    operand: Expression
    values: tuple[Expression, ...]
    negated: bool = False


@frozen
class InQuery(Expression):
    operand: Expression
    query: Query
    negated: bool = False


@frozen
class Quantified(Expression):
    """`a < ALL (query)`; quantifier: ANY (SOME) or ALL."""

    op: str
    left: Expression
    quantifier: str
    query: Query


@frozen
class Exists(Expression):
    query: Query


@frozen
class Subquery(Expression):
    """A query in parentheses as a scalar value."""

    query: Query


@frozen
class Case(Expression):
    """CASE [operand] WHEN … THEN … [ELSE …] END; IIF is a function."""

    operand: Expression | None
    whens: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None


@frozen
class Cast(Expression):
    """CAST, TRY_CAST, CONVERT, TRY_CONVERT (the last two with an optional style)."""

    operand: Expression
    type: TypeName
    try_: bool = False
    style: Expression | None = None


@frozen
class Collate(Expression):
    operand: Expression
    collation: str


@frozen
class NamedArgument(Expression):
    """`@name = value` in an argument list; the binder decides whether it is one or a comparison."""

    name: str
    value: Expression


@frozen
class FrameBound(Node):
    """kind: UNBOUNDED PRECEDING, PRECEDING, CURRENT ROW, FOLLOWING, UNBOUNDED FOLLOWING."""

    kind: str
    offset: Expression | None = None


@frozen
class Frame(Node):
    """unit: ROWS, RANGE, GROUPS; exclude: None, CURRENT ROW, GROUP, TIES, NO OTHERS."""

    unit: str
    start: FrameBound
    end: FrameBound | None = None
    exclude: str | None = None


@frozen
class OrderItem(Node):
    """nulls: None (NULLs are lowest), FIRST or LAST."""

    expression: Expression
    descending: bool = False
    nulls: str | None = None


@frozen
class WindowSpec(Node):
    partition_by: tuple[Expression, ...] = ()
    order_by: tuple[OrderItem, ...] = ()
    frame: Frame | None = None


@frozen
class FunctionCall(Expression):
    """`f(a, b)`, `dbo.f(a)`, `COUNT(*)`, `SUM(DISTINCT x) OVER (…)`, `STRING_AGG(x, ',') WITHIN
    GROUP (ORDER BY y)`. Words without parentheses that are functions (CURRENT_TIMESTAMP) parse to
    ColumnName; the binder knows them."""

    name: ObjectName
    arguments: tuple[Expression, ...] = ()
    distinct: bool = False
    within: tuple[OrderItem, ...] = ()
    filter: Expression | None = None
    over: WindowSpec | None = None


@frozen
class MethodCall(Expression):
    """`x.f(…)`, or `x.f` after a call. A chain that begins with plain names, `t.g.STX()` or
    `dbo.f(1)`, parses to FunctionCall with the dotted name; the binder resolves it."""

    target: Expression
    name: Identifier
    arguments: tuple[Expression, ...] = ()


@frozen
class StaticCall(Expression):
    """`geometry::Point(0, 0)`."""

    type: str
    name: Identifier
    arguments: tuple[Expression, ...] = ()
