"""Random valid HQL as syntax trees: strategies for expressions and queries; statements are in
generate_statements.py.

The trees are ones that the parser can make: what printing and parsing again must give back. The
fuzz tests run their text. Sizes are bounded so that one tree prints to some hundred characters.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from hartonomous.hql import ast

Strategy = st.SearchStrategy[Any]

#: names that exist in the fuzz tests' tables, keywords, reserved words, and odd ones
ORDINARY = ("a", "b", "c", "t", "u", "dbo", "Total", "x1")
KEYWORDS = (
    "first",
    "rows",
    "next",
    "row",
    "json",
    "path",
    "percent",
    "type",
    "column",
    "statistics",
)
KEYWORDS += ("target", "source", "table", "view", "cast", "any", "rollup", "model", "train", "go")
ODD = (
    "two words",
    'q"uote',
    "br]acket",
    "1st",
    "é",
    "#temp",
    "select",
    "Order",
    "a.b",
    "[",
    "日本",
)


def one_of(*values: Any) -> Strategy:
    return st.sampled_from(values)


def several(strategy: Strategy, least: int = 1, most: int = 3) -> Strategy:
    return st.lists(strategy, min_size=least, max_size=most).map(tuple)


def maybe(strategy: Strategy) -> Strategy:
    return st.none() | strategy


def weighted(*choices: tuple[int, Strategy]) -> Strategy:
    """One of the strategies, in this proportion (`one_of` would count their parts)."""
    whole = [strategy.map(lambda value: value) for n, strategy in choices for _ in range(n)]
    return st.one_of(*whole)


# --- names and constants -------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
words = st.one_of(
    one_of(*ORDINARY), one_of(*ORDINARY), one_of(*KEYWORDS), one_of(*ODD), texts.filter(bool)
)
names = st.builds(ast.Identifier, words)
plain = one_of(*ORDINARY).map(ast.Identifier)
objects = st.builds(ast.ObjectName, several(names, 1, 2))
variables = st.builds(ast.Variable, one_of("v", "Name", "@ROWCOUNT", "x1"))
variable_names = one_of("v", "w", "x1")
types = st.one_of(
    one_of("INT", "BIGINT", "NVARCHAR", "DATE", "DOUBLE PRECISION", "geometry").map(ast.TypeName),
    st.builds(ast.TypeName, one_of("NVARCHAR", "VARBINARY"), one_of(("10",), ("MAX",))),
    st.builds(ast.TypeName, st.just("DECIMAL"), one_of(("10", "2"), ("5",))),
)
integers = st.builds(ast.Literal, st.integers(0, 10**25), st.just("INTEGER"))
numbers = st.one_of(
    integers,
    st.builds(
        lambda digits, scale: ast.Literal(Decimal(digits).scaleb(-scale), "DECIMAL"),
        st.integers(0, 10**12),
        st.integers(0, 15),
    ),
    st.builds(ast.Literal, st.floats(0, allow_nan=False, allow_infinity=False), st.just("FLOAT")),
)
strings = st.builds(ast.Literal, texts, st.just("STRING"))
literals = st.one_of(
    numbers,
    strings,
    st.builds(ast.Literal, st.binary(max_size=4), st.just("BINARY")),
    st.just(ast.Literal(None)),
)
vectors = st.builds(
    ast.VectorLiteral, several(st.floats(allow_nan=False, allow_infinity=False), 0, 3)
)
columns = st.builds(ast.ColumnName, several(names, 1, 3))
leaves = st.one_of(
    literals, columns, variables, vectors, st.builds(ast.Placeholder, one_of("p", "q"), st.none())
)

# --- expressions ---------------------------------------------------------------------------------

expressions: Strategy = st.deferred(
    lambda: weighted((6, leaves), (2, _arithmetic), (1, _operators), (1, _calls))
)
queries: Strategy = st.deferred(lambda: weighted((4, _small_queries), (1, _queries)))
value_lists = several(expressions)
flags = st.booleans()
_compared = one_of("=", "<>", "<", "<=", ">", ">=")
orders = several(
    st.builds(ast.OrderItem, expressions, flags, one_of(None, None, "FIRST", "LAST")), 1, 2
)


def _in_list(operand: Any, values: Any, negated: bool) -> Any:
    if len(values) == 1 and isinstance(values[0], ast.Subquery):
        return ast.InQuery(operand, values[0].query, negated)  # what IN ((SELECT …)) is
    return ast.InList(operand, values, negated)


_arithmetic = st.one_of(
    st.builds(ast.Unary, one_of("-", "+", "~", "NOT"), expressions),
    st.builds(
        ast.Binary,
        one_of(*"+-*/%&|^", "||", "AND", "OR", "=", "<>", "<", "<=", ">", ">="),
        expressions,
        expressions,
    ),
)
_operators = st.one_of(
    st.builds(ast.IsNull, expressions, flags),
    st.builds(ast.IsDistinct, expressions, expressions, flags),
    st.builds(ast.Between, expressions, expressions, expressions, flags),
    st.builds(ast.Like, expressions, expressions, maybe(strings), flags),
    st.builds(_in_list, expressions, value_lists, flags),
    st.builds(ast.InQuery, expressions, queries, flags),
    st.builds(ast.Quantified, _compared, expressions, one_of("ANY", "ALL"), queries),
    st.builds(ast.Exists, queries),
    st.builds(ast.Subquery, queries),
    st.builds(
        ast.Case,
        maybe(expressions),
        several(st.tuples(expressions, expressions), 1, 2),
        maybe(expressions),
    ),
    st.builds(ast.Cast, expressions, types, flags, st.none() | integers),
    st.builds(ast.Collate, expressions, one_of("NOCASE", "odd one")),
)
_arguments = several(
    st.one_of(expressions, st.builds(ast.NamedArgument, variable_names, expressions)), 0, 3
)
_function_names = st.one_of(
    objects,
    one_of("COUNT", "LEFT", "SUM", "VECTOR").map(lambda w: ast.ObjectName((ast.Identifier(w),))),
)
plain_calls = st.builds(ast.FunctionCall, _function_names, _arguments)
_bounds = st.one_of(
    one_of("UNBOUNDED PRECEDING", "CURRENT ROW", "UNBOUNDED FOLLOWING").map(ast.FrameBound),
    st.builds(ast.FrameBound, one_of("PRECEDING", "FOLLOWING"), expressions),
)
_frames = st.builds(
    ast.Frame,
    one_of("ROWS", "RANGE", "GROUPS"),
    _bounds,
    maybe(_bounds),
    one_of(None, "CURRENT ROW", "GROUP", "TIES", "NO OTHERS"),
)
_windows = st.builds(
    ast.WindowSpec, several(expressions, 0, 2), st.just(()) | orders, maybe(_frames)
)
_calls = st.one_of(
    plain_calls,
    st.builds(ast.FunctionCall, _function_names, st.just((ast.Star(),))),
    st.builds(
        ast.FunctionCall,
        _function_names,
        value_lists,
        flags,
        st.just(()) | orders,
        maybe(expressions),
        maybe(_windows),
    ),
    st.builds(ast.MethodCall, expressions, names, _arguments),
    st.builds(ast.StaticCall, words, names, _arguments),
)

#: operators over names and numbers only: where parentheses go wrong first
operator_trees = st.recursive(
    st.one_of(one_of(*"abc").map(lambda n: ast.ColumnName((ast.Identifier(n),))), integers),
    lambda tree: weighted(
        (3, st.builds(ast.Binary, one_of(*"+-*/|", "AND", "OR", "=", "<"), tree, tree)),
        (2, st.builds(ast.Unary, one_of("-", "+", "~", "NOT"), tree)),
        (1, st.builds(ast.IsNull, tree, flags)),
        (1, st.builds(ast.Between, tree, tree, tree, flags)),
        (1, st.builds(ast.Collate, tree, st.just("NOCASE"))),
        (1, st.builds(ast.MethodCall, tree, st.just(ast.Identifier("m")))),
    ),
    max_leaves=6,
)

# --- relations and queries -----------------------------------------------------------------------

aliases = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"alias": names}),
    st.fixed_dictionaries({"alias": names, "columns": several(names)}),
)


def _aliased(make: Any, *parts: Strategy) -> Strategy:
    return st.builds(lambda alias, *given: make(*given, **alias), aliases, *parts)


_times = st.builds(
    ast.SystemTime, one_of("COMMIT", "BRANCH", "TIME"), st.one_of(strings, variables)
)
_schemas = st.just(()) | several(st.tuples(names, types, one_of(None, "$.a", "")), 1, 2)
sources = st.one_of(
    _aliased(ast.TableName, objects),
    st.builds(ast.TableName, objects, maybe(names)),
    st.builds(
        lambda alias, name, time: ast.TableName(name, as_of=time, **alias),
        aliases,
        objects,
        _times,
    ),
    _aliased(ast.VariableTable, variable_names),
    _aliased(ast.Derived, queries),
    st.builds(
        lambda alias, call, schema: ast.FunctionTable(call, schema=schema, **alias),
        aliases,
        plain_calls,
        _schemas,
    ),
)
relations: Strategy = st.deferred(lambda: weighted((4, sources), (1, _joins)))
_joins = st.one_of(
    st.builds(
        ast.Join, one_of("INNER", "LEFT", "RIGHT", "FULL"), relations, relations, expressions
    ),
    st.builds(ast.Join, one_of("CROSS", "CROSS APPLY", "OUTER APPLY"), relations, relations),
)
items = several(
    st.one_of(
        st.builds(ast.SelectItem, expressions, maybe(names)),
        st.builds(ast.SelectItem, expressions, st.none(), variable_names),
        st.builds(ast.SelectItem, st.builds(ast.Star, several(names, 0, 2))),
    )
)
_groupings = st.one_of(
    st.builds(lambda e: ast.GroupingElement("PLAIN", ((e,),)), expressions),
    st.builds(
        ast.GroupingElement, one_of("SETS", "ROLLUP", "CUBE"), several(several(expressions, 0, 2))
    ),
)
_tops = st.builds(ast.Top, expressions, flags, flags)
_selects = st.builds(
    ast.Select,
    items,
    flags,
    maybe(_tops),
    st.none(),
    maybe(relations),
    maybe(expressions),
    st.just(()) | several(_groupings, 1, 2),
    maybe(expressions),
)
_small_selects = st.builds(ast.Select, several(st.builds(ast.SelectItem, leaves), 1, 2))
cells = st.one_of(expressions, st.just(ast.Default()))
rows = st.builds(ast.Values, several(several(cells, 1, 2), 1, 2))
_hints = st.one_of(
    st.builds(ast.Option, one_of("RECALL", "TIMEOUT"), maybe(st.one_of(numbers, strings))),
    st.builds(ast.Option, st.just("USE INDEX"), names),
    st.just(ast.Option("NO INDEX")),
)
_clauses = {
    "order_by": orders,
    "limit": expressions,
    "offset": expressions,
    "for_json": st.builds(
        ast.ForJson, one_of("PATH", "AUTO"), maybe(texts.filter(bool)), flags, flags
    ),
    "options": several(_hints, 1, 2),
}
_nested = st.builds(
    lambda body, order: ast.Query(body, order_by=order), _small_selects, orders
)  # a query that keeps its parentheses
_bodies: Strategy = st.deferred(
    lambda: st.one_of(
        _selects,
        rows,
        st.builds(ast.SetOperation, one_of("UNION", "INTERSECT", "EXCEPT"), flags, _sides, _sides),
    )
)
_sides = st.one_of(_small_selects, _small_selects, _nested, _bodies)
tables = several(
    st.builds(ast.CommonTable, names, st.just(()) | several(names, 1, 2), queries), 1, 2
)
_small_queries = st.builds(ast.Query, _small_selects)
_queries = st.builds(
    lambda body, clauses, ctes: ast.Query(body, **clauses, **ctes),
    st.one_of(_bodies, _selects),
    st.fixed_dictionaries({}, optional=_clauses),
    st.just({}) | st.fixed_dictionaries({"ctes": tables, "recursive": flags}),
)
