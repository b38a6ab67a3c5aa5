"""Bound expressions as the relational engine's SQL.

The binder has made every conversion explicit, so rendering never guesses a type: constants and
parameters are cast to exactly theirs (the engine's literals would adapt to what stands beside
them). Every rendered expression can stand as an operand: it is a name, a call or parenthesised.

What is not rendered here: columns (`names`, as the lowering chose aliases), subqueries (`plans`)
and native calls (`native`, which registers the call and the values it needs). A wide value is a
handle; where handles are compared, `native` is asked for `__intern` of them first, and for
`__wide` of a constant or a parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from hartonomous.hql import plan
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.casts import cast_sql
from hartonomous.hql.functions.native_form import native_form
from hartonomous.hql.functions.resolve import quote
from hartonomous.hql.functions.vectors import INTERN, WIDE
from hartonomous.hql.rules.simple import is_known
from hartonomous.hql.types import BIT, Type

Names = Callable[[plan.Column], str]
Plans = Callable[[plan.Plan], str]
Native = Callable[[plan.Call, list[str]], str]


def render(expr: plan.Expr, names: Names, plans: Plans, native: Native) -> str:
    """SQL of one expression. `native` gets a call and the SQL of its arguments (none if its value
    is known beforehand); for an argument that is a wide constant or parameter that SQL is NULL, and
    the value is in the call."""
    return Renderer(names, plans, native).render(expr)


@frozen
class Renderer:
    """The three callbacks, and the methods by class of expression."""

    names: Names
    plans: Plans
    native: Native

    def render(self, expr: plan.Expr) -> str:
        method = _METHODS.get(expr.__class__)
        assert method is not None, f"{type(expr).__name__} is no scalar expression"
        return method(self, expr)

    def all(self, exprs: Sequence[plan.Expr]) -> list[str]:
        return [self.render(e) for e in exprs]

    # --- values ----------------------------------------------------------------------------------

    def column(self, expr: plan.Column) -> str:
        return self.names(expr)

    def constant(self, expr: plan.Constant) -> str:
        if expr.type.is_wide and expr.value is not None:
            return self.wide(expr)
        return constant_sql(expr.value, expr.type)

    def parameter(self, expr: plan.Parameter) -> str:
        if expr.type.is_wide:
            return self.wide(expr)
        return f"CAST(${parameter_name(expr.name)} AS {expr.type.relational})"

    def wide(self, expr: plan.Expr) -> str:
        """The handle of a constant or parameter."""
        call = plan.Call(type=expr.type, span=expr.span, function=WIDE, arguments=(expr,))
        return self.native(call, ["NULL"])

    # --- calls -----------------------------------------------------------------------------------

    def call(self, expr: plan.Call) -> str:
        function = expr.function
        if function.render is None or expr.type.is_wide:
            if function.is_native:
                return self.native_call(expr)
            native = native_form(expr)
            if native is not None:
                return self.render(native)
        arguments = self.all(expr.arguments)
        types = [a.type for a in expr.arguments]
        if expr.type == BIT and function.name in _COMPARISONS and types[0].is_wide:
            arguments = [self.interned(a) for a in expr.arguments]
        assert function.render is not None, f"{function.name} cannot be rendered"

        def rendered(given: Sequence[str]) -> str:
            assert function.render is not None
            return function.render(given, types, expr.type, expr.span)

        return _once(rendered, arguments, expr.arguments)

    def native_call(self, expr: plan.Call) -> str:
        if is_known(expr):
            return self.native(expr, [])  # computed once, arguments and all
        arguments = [
            "NULL"
            if a.type.is_wide and isinstance(a, (plan.Constant, plan.Parameter))
            else self.render(a)
            for a in expr.arguments
        ]
        return self.native(expr, arguments)

    def interned(self, expr: plan.Expr) -> str:
        """SQL of a handle that is equal for equal values."""
        call = plan.Call(type=expr.type, span=expr.span, function=INTERN, arguments=(expr,))
        return self.native(call, [self.render(expr)])

    def cast(self, expr: plan.Cast) -> str:
        source, target = expr.operand.type, expr.type
        if source == target:
            return self.render(expr.operand)
        if target.is_wide or source.is_wide:
            native = native_form(expr)
            assert native is not None, f"no cast from {source} to {target}"
            return self.render(native)

        def rendered(given: Sequence[str]) -> str:
            return cast_sql(given[0], source, target, expr.try_, expr.span)

        return _once(rendered, [self.render(expr.operand)], (expr.operand,))

    # --- choices and membership ------------------------------------------------------------------

    def case(self, expr: plan.Case) -> str:
        whens = " ".join(
            f"WHEN {self.render(when)} THEN {self.render(then)}" for when, then in expr.whens
        )
        otherwise = "NULL" if expr.otherwise is None else self.render(expr.otherwise)
        # NULL branches alone would have the engine's null type
        typed = expr.otherwise if expr.otherwise is not None else expr.whens[0][1]
        sql = f"CASE {whens} ELSE {otherwise} END"
        return f"({sql})" if typed.type == expr.type else f"CAST({sql} AS {expr.type.relational})"

    def in_list(self, expr: plan.InList) -> str:
        exprs = (expr.operand, *expr.values)
        wide = expr.operand.type.is_wide
        operand, *values = [self.interned(e) for e in exprs] if wide else self.all(exprs)
        return f"({operand} {_not(expr.negated)}IN ({', '.join(values)}))"

    def in_query(self, expr: plan.InQuery) -> str:
        operand = expr.operand
        left = self.interned(operand) if operand.type.is_wide else self.render(operand)
        return f"({left} {_not(expr.negated)}IN ({self.plans(expr.query)}))"

    def quantified(self, expr: plan.Quantified) -> str:
        left = self.interned(expr.left) if expr.left.type.is_wide else self.render(expr.left)
        return f"({left} {expr.op} {expr.quantifier} ({self.plans(expr.query)}))"

    def exists(self, expr: plan.Exists) -> str:
        return f"EXISTS ({self.plans(expr.query)})"

    def scalar_query(self, expr: plan.ScalarQuery) -> str:
        return f"({self.plans(expr.query)})"

    # --- aggregates and windows ------------------------------------------------------------------

    def aggregate(self, expr: plan.Aggregate) -> str:
        inside = f" ORDER BY {self.orders(expr.order_by)}" if expr.order_by else ""
        return self.aggregated(expr, inside, self.filtered(expr.filter))

    def window(self, expr: plan.Window) -> str:
        parts = []
        if expr.partition_by:
            parts.append("PARTITION BY " + ", ".join(map(self.key, expr.partition_by)))
        if expr.order_by:
            parts.append("ORDER BY " + self.orders(expr.order_by))
        if expr.frame is not None:
            parts.append(self.frame(expr))
        over = f" OVER ({' '.join(parts)})"
        return self.aggregated(expr, "", self.filtered(expr.filter) + over)

    def aggregated(self, expr: plan.Aggregate | plan.Window, inside: str, behind: str) -> str:
        function = expr.function
        assert function.render is not None, f"{function.name} is cut out before rendering"
        arguments = self.all(expr.arguments)
        if expr.distinct and arguments:
            first = expr.arguments[0]
            value = self.interned(first) if first.type.is_wide else arguments[0]
            arguments[0] = f"DISTINCT {value}"
        types = [a.type for a in expr.arguments]
        return function.render([*arguments, inside, behind], types, expr.type, expr.span)

    def filtered(self, condition: plan.Expr | None) -> str:
        return "" if condition is None else f" FILTER (WHERE {self.render(condition)})"

    def key(self, expr: plan.Expr) -> str:
        """A grouping key: wide values by what they are equal to."""
        return self.interned(expr) if expr.type.is_wide else self.render(expr)

    def orders(self, orders: Sequence[plan.Order]) -> str:
        return ", ".join(self.order(o) for o in orders)

    def order(self, order: plan.Order) -> str:
        direction = "DESC" if order.descending else "ASC"
        nulls = "FIRST" if order.nulls_first else "LAST"
        return f"{self.render(order.expr)} {direction} NULLS {nulls}"

    def frame(self, expr: plan.Window) -> str:
        assert expr.frame is not None
        unit, start, end, exclude = expr.frame
        bounds = self.edge(start)
        if end is not None:
            bounds = f"BETWEEN {bounds} AND {self.edge(end)}"
        return f"{unit} {bounds}" + (f" EXCLUDE {exclude}" if exclude else "")

    def edge(self, edge: plan.FrameEdge) -> str:
        return f"{self.render(edge.offset)} {edge.kind}" if edge.offset is not None else edge.kind


#: characters of SQL that may say an argument twice
_REPEATED_MAX = 1000

_COMPARISONS = frozenset(("=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"))

_METHODS: dict[type, Callable[[Renderer, Any], str]] = {
    plan.Column: Renderer.column,
    plan.Constant: Renderer.constant,
    plan.Parameter: Renderer.parameter,
    plan.Call: Renderer.call,
    plan.Cast: Renderer.cast,
    plan.Case: Renderer.case,
    plan.InList: Renderer.in_list,
    plan.InQuery: Renderer.in_query,
    plan.Quantified: Renderer.quantified,
    plan.Exists: Renderer.exists,
    plan.ScalarQuery: Renderer.scalar_query,
    plan.Aggregate: Renderer.aggregate,
    plan.Window: Renderer.window,
}


def _once(
    rendered: Callable[[Sequence[str]], str], arguments: list[str], exprs: Sequence[plan.Expr]
) -> str:
    """SQL over its arguments' SQL. Where it says long ones several times, they are computed once,
    as a struct that a lambda takes: functions inside functions would double the text, and the
    engine's time, at each level."""
    sql = rendered(arguments)
    if len(sql) <= _REPEATED_MAX or len(sql) < 2 * sum(map(len, arguments)):
        return sql
    bound = [i for i, e in enumerate(exprs) if not isinstance(e, plan.Constant)]
    row = ", ".join(f"'a{i}': {arguments[i]}" for i in bound)
    given = [f"__given.a{i}" if i in bound else a for i, a in enumerate(arguments)]
    return f"list_transform([{{{row}}}], lambda __given: {rendered(given)})[1]"


def _not(negated: bool) -> str:
    return "NOT " if negated else ""


def parameter_name(name: str) -> str:
    """A parameter's name in the engine's text: letters, digits and underscores."""
    if name.isidentifier() and name.isascii():
        return name
    return "p_" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in name)


def identifier(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'


def constant_sql(value: Any, type_: Type) -> str:
    """A constant that the engine reads as exactly `type_`."""
    name = type_.relational
    if value is None:
        return f"CAST(NULL AS {name})"
    match type_.kind:
        case "BIT":
            return "true" if value else "false"
        case "TINYINT" | "SMALLINT" | "INT" | "BIGINT" | "DECIMAL":
            return f"CAST({_digits(value)} AS {name})"
        case "REAL" | "FLOAT":
            return f"CAST({_float(float(value))} AS {name})"
        case "NVARCHAR" | "JSON":
            return quote(value)
        case "VARBINARY" | "UNIQUEIDENTIFIER":
            return f"from_hex('{bytes(value).hex()}')"
        case "DATE":
            return f"DATE '{value.isoformat()}'"
        case "TIME":
            return f"TIME '{value.isoformat()}'"
        case "DATETIME2" | "DATETIMEOFFSET":
            return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(' ')}'"
    raise AssertionError(f"a constant of type {type_}")


def _digits(value: Any) -> str:
    """An exact number as the engine's text; the quotes keep it from becoming a FLOAT."""
    if isinstance(value, int):
        return str(value)
    return f"'{value:f}'"


def _float(value: float) -> str:
    if not math.isfinite(value):
        return f"'{value}'"
    text = repr(value)
    return text if "e" in text else text + "e0"
