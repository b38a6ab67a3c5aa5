"""Binding of random queries: a plan whose types and names are in order, or an error with a place.

The queries are grammatical and otherwise careless: columns that are not there, types that do not
meet, aggregates anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bind_world import bind
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.hql import plan
from hartonomous.hql.rules.tree import children
from hartonomous.storage.errors import Error

#: sources under which the columns below can be read
SOURCES = [
    "Items i, Sales s",
    "Items i LEFT JOIN Sales s ON s.ItemId = i.Id",
    "(SELECT *, Id AS id2 FROM Items) i CROSS JOIN Sales s",
    "Items i CROSS APPLY (SELECT * FROM Sales z WHERE z.ItemId = i.Id) s",
    "Items i FULL JOIN (SELECT Id, Quantity, Note FROM Sales UNION ALL "
    "VALUES (1, 2.5, 'a')) s ON s.Id = i.Id",
]


def terms(leaves: list[str], shapes: list[str]) -> st.SearchStrategy[str]:
    """Expressions of one kind: leaves, and shapes whose places take other such expressions."""

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        parts = st.lists(inner, min_size=3, max_size=3)
        return st.tuples(st.sampled_from(shapes), parts).map(
            lambda t: t[0].format(*t[1][: t[0].count("{}")])
        )

    return st.recursive(st.sampled_from(leaves), grow, max_leaves=4)


numbers = terms(
    ["i.Id", "Tiny", "Big", "Price", "Score", "s.Quantity", "Flag", "1", "2.5", "NULL", "@n"],
    ["({} + {})", "({} * 2)", "{} / {}", "-({})", "ABS({})", "COALESCE({}, {})", "CAST({} AS INT)",
     "CASE WHEN {} = {} THEN {} END", "CASE {} WHEN {} THEN 1 ELSE {} END", "IIF({} < {}, 1, 2)",
     "(SELECT MAX({}) FROM Sales z WHERE z.Id = {})", "{} + '7'", "NULLIF({}, {})"],
)  # fmt: skip
texts = terms(
    ["Name", "s.Note", "'a'", "NULL", "CAST(i.Id AS NVARCHAR(9))"],
    ["({} + {})", "UPPER({})", "{} || {}", "COALESCE({}, {})", "({} COLLATE NOCASE)"],
)
days = terms(["Day", "At", "'2024-01-01'", "NULL"], ["COALESCE({}, {})", "CAST({} AS DATE)"])
vectors = terms(["V", "[1, 2, 3]", "@q"], ["({} + {})", "({} * 2)"])
careless = st.sampled_from(["Nope", "q.Id", "Id", "V + Day", "'x'", "COUNT(*)", "0x01", "Doc"])
values = st.one_of(numbers, texts, days, numbers, texts, numbers, vectors, careless)


def pairs(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = ["{} = {}", "{} <> {}", "{} IS DISTINCT FROM {}", "{} IN ({}, NULL)", "{} IS NULL"]
    return shaped(
        [*signs, "{} < {}", "{} BETWEEN {} AND {}", "{} IN (SELECT {} FROM Sales)"], inner
    )


def shaped(shapes: list[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(shapes), inner, inner, inner).map(
        lambda t: t[0].format(*t[1:][: t[0].count("{}")])
    )


plain = st.one_of(
    pairs(numbers), pairs(texts), pairs(days), pairs(values), shaped(["{} = {}"], vectors),
    st.sampled_from(["Flag", "EXISTS (SELECT 1 FROM Sales x WHERE x.Id = i.Id)", "i.Id = '5'"]),
)  # fmt: skip
conditions = st.recursive(
    plain, lambda inner: shaped(["({}) AND {}", "({}) OR (NOT {})"], inner), max_leaves=3
)


def clause(word: str, inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | inner.map(lambda text: f" {word} {text}")


aggregates = shaped(
    ["SUM({})", "COUNT(DISTINCT {})", "MAX({}) FILTER (WHERE Flag = 1)", "SUM(SUM({})) OVER ()"],
    numbers,
)
lists = st.lists(values, min_size=1, max_size=3).map(", ".join)
starts = st.sampled_from(["SELECT ", "SELECT DISTINCT ", "SELECT TOP 3 "])
froms = st.sampled_from([f" FROM {source}" for source in SOURCES])
plain_selects = st.tuples(
    starts,
    lists
    | st.sampled_from(["i.*, *", "i.Id AS k, SUM(Score) OVER (PARTITION BY Name ORDER BY Day)"]),
    froms,
    clause("WHERE", conditions),
    clause("ORDER BY", lists | st.sampled_from(["1", "1 DESC, i.Id"])),
).map("".join)
grouped_selects = st.tuples(starts, values, aggregates, froms, values, clause("HAVING", plain)).map(
    lambda t: f"{t[0]}{t[1]}, {t[2]}{t[3]} GROUP BY CUBE ({t[1]}, {t[4]}){t[5]}"
)
unions = st.tuples(numbers, froms, st.sampled_from(["UNION", "EXCEPT", "UNION ALL"]), values).map(
    lambda t: f"SELECT {t[0]}, 1{t[1]} {t[2]} SELECT {t[3]}, 2.5{t[1]}"
)
recursions = numbers.map(
    lambda e: (
        f"WITH r AS (SELECT 1 AS n UNION ALL SELECT n + {e} FROM r, Items i, Sales s) "
        "SELECT r.n, j.n + 1 FROM r CROSS JOIN r j"
    )
)
queries = st.one_of(plain_selects, grouped_selects, plain_selects, unions, recursions)


@settings(max_examples=300, deadline=None)
@given(queries)
def test_random_queries(text: str) -> None:
    try:
        bound = bind(text)
    except Error as error:
        assert error.line is not None and error.column is not None, (text, error)
        assert error.code != "INTERNAL"
        return
    check(bound.plan, frozenset(), frozenset())


# --- what must hold of every plan ----------------------------------------------------------------

ALIKE = {"=", "<>", "<", "<=", ">", ">=", "BETWEEN", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"}


def check(query: plan.Plan, outer: frozenset[int], ctes: frozenset[int]) -> None:
    """Columns name relations that can be seen; both sides of a comparison, all branches of a
    CASE, the sides of a set operation have one type; fields say what comes out."""
    for cte in query.ctes:
        check(cte.plan, outer, ctes | {cte.number})
        ctes |= {cte.number}
    seen = outer
    body = query.body
    match body:
        case plan.SelectBlock():
            seen = outer | check_source(body.source, outer, ctes)
            assert [o.name for o in body.outputs] == [f.name for f in query.fields]
            assert kinds([o.expr for o in body.outputs]) == [f.type.kind for f in query.fields]
            for part in (body.where, body.having):
                assert part is None or part.type.kind == "BIT"
            for node in children(body):
                if not isinstance(node, plan.Source | plan.Joined):
                    check_node(node, seen, ctes)
        case plan.SetBlock():
            check(body.left, outer, ctes)
            check(body.right, outer, ctes)
            for side in (body.left, body.right):
                assert [f.type for f in side.fields] == [f.type for f in query.fields]
        case plan.ValuesBlock():
            for row in body.rows:
                assert kinds(row) == [f.type.kind for f in query.fields]
        case plan.Plan():
            check(body, outer, ctes)
    for order in query.order_by:
        assert not order.expr.type.is_wide
        check_node(order, seen, ctes)


def kinds(exprs: Any) -> list[str]:
    return [e.type.kind for e in exprs]


def check_source(source: Any, outer: frozenset[int], ctes: frozenset[int]) -> frozenset[int]:
    """The relations that a FROM clause adds."""
    if source is None:
        return frozenset()
    if isinstance(source, plan.Joined):
        left = check_source(source.left, outer, ctes)
        is_lateral = getattr(source.right, "lateral", False)
        right = check_source(source.right, outer | left if is_lateral else outer, ctes)
        assert not left & right
        if source.on is not None:
            assert source.on.type.kind == "BIT"
            check_node(source.on, outer | left | right, ctes)
        return left | right
    names = [f.name.casefold() for f in source.fields]
    assert len(names) == len(set(names))
    if isinstance(source, plan.Derived):
        check(source.plan, outer, ctes)
        assert [f.type for f in source.fields] == [f.type for f in source.plan.fields]
    if isinstance(source, plan.CteReference):
        assert source.cte in ctes
    return frozenset([source.relation])


def check_node(node: Any, seen: frozenset[int], ctes: frozenset[int]) -> None:
    match node:
        case plan.Plan():
            check(node, seen, ctes)
            return
        case plan.Column():
            assert node.relation in seen, node
        case plan.Call() if node.function.name in ALIKE:
            assert len(set(kinds(node.arguments))) == 1, node
        case plan.InList():
            assert len(set(kinds((node.operand, *node.values)))) == 1, node
        case plan.InQuery():
            assert node.operand.type.kind == node.query.fields[0].type.kind
        case plan.Case():
            assert set(kinds(branches(node))) == {node.type.kind}
    for child in children(node):
        check_node(child, seen, ctes)


def branches(case: plan.Case) -> Iterator[plan.Expr]:
    yield from (then for _, then in case.whens)
    if case.otherwise is not None:
        yield case.otherwise
