"""Bound expressions of the logical plan, frozen: each has a type, and every column names the
relation it comes from. plan.py says what a plan is."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from hartonomous.hql.ast import NOWHERE, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.types import Type

if TYPE_CHECKING:
    from hartonomous.hql.functions.base import Function
    from hartonomous.hql.plan import Plan


@frozen(kw_only=True)
class Expr:
    """A bound scalar expression."""

    type: Type
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@frozen
class Column(Expr):
    """A column of relation number `relation` (of this block or, if correlated, an outer one)."""

    relation: int
    name: str


@frozen
class Constant(Expr):
    """A value known now, in Python's form: None, bool, int, float, Decimal, str, bytes (VARBINARY
    and, 16 of them, UNIQUEIDENTIFIER), date, time, datetime (naive, UTC), numpy float32[n].
    Equal are constants of one type and the same bits (arrays compare as bytes, 0.0 is not -0.0)."""

    value: Any

    def _identity(self) -> tuple[Any, ...]:
        value = self.value
        if isinstance(value, float):
            value = value.hex()
        elif hasattr(value, "tobytes"):
            value = value.tobytes()
        return self.type, value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


@frozen
class Parameter(Expr):
    """A parameter or variable: its type is known at planning, its value at execution."""

    name: str


@frozen
class Call(Expr):
    """A scalar function or operator of the registry; operators are functions named by their sign
    (`+`, `=`, `AND`, `IS NULL` …)."""

    function: Function
    arguments: tuple[Expr, ...]


@frozen
class Cast(Expr):
    """Conversion of `operand` to `type`; `try_` gives NULL for a value that has no counterpart."""

    operand: Expr
    try_: bool = False


@frozen
class Case(Expr):
    """Searched CASE (the simple form has become comparisons)."""

    whens: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr | None = None


@frozen
class InList(Expr):
    operand: Expr
    values: tuple[Expr, ...]
    negated: bool = False


@frozen
class InQuery(Expr):
    operand: Expr
    query: Plan
    negated: bool = False


@frozen
class Quantified(Expr):
    """op: = <> < <= > >=; quantifier: ANY, ALL."""

    op: str
    left: Expr
    quantifier: str
    query: Plan


@frozen
class Exists(Expr):
    query: Plan


@frozen
class ScalarQuery(Expr):
    query: Plan


@frozen
class Order:
    """Sort key. nulls_first is always decided (NULLs are lowest unless the text says otherwise)."""

    expr: Expr
    descending: bool = False
    nulls_first: bool = True


@frozen
class Aggregate(Expr):
    function: Function
    arguments: tuple[Expr, ...]
    distinct: bool = False
    filter: Expr | None = None
    order_by: tuple[Order, ...] = ()


@frozen
class FrameEdge:
    """kind as in ast.FrameBound."""

    kind: str
    offset: Expr | None = None


@frozen
class Window(Expr):
    """A ranking function, or an aggregate, over a window. frame: (unit, start, end, exclude)."""

    function: Function
    arguments: tuple[Expr, ...]
    partition_by: tuple[Expr, ...] = ()
    order_by: tuple[Order, ...] = ()
    frame: tuple[str, FrameEdge, FrameEdge | None, str | None] | None = None
    distinct: bool = False
    filter: Expr | None = None


@frozen
class OutputColumn(Expr):
    """In ORDER BY: the block's output number `index`."""

    index: int
