"""Rules: what each does to a plan, and that no rule changes an answer."""

from __future__ import annotations

import pytest
from query_world import World, vectors

from hartonomous.hql import plan as p
from hartonomous.hql.rules import ALL, RULES, apply_rules
from hartonomous.hql.rules.tree import columns_in, conjuncts, scans, transform, walk
from hartonomous.hql.types import INT


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    count = 300
    places = list(range(count))
    with_nulls = [None if i % 17 == 0 else v for i, v in enumerate(vectors(count, 4))]
    made.create(
        "t",
        {"id": "INT", "a": "BIGINT", "f": "FLOAT", "s": "NVARCHAR", "v": "VECTOR(4)"},
        [
            places,
            [None if i % 7 == 0 else i % 13 for i in places],
            [float("nan") if i % 11 == 0 else i / 3 for i in places],
            [f"s{i % 5}" for i in places],
            with_nulls,
        ],
        key="id",
    )
    made.create(
        "u",
        {"id": "INT", "a": "BIGINT", "v": "VECTOR(4)"},
        [[i * 3 for i in range(60)], [None if i % 9 == 0 else i % 5 for i in range(60)],
         vectors(60, 4, 2)],
    )  # fmt: skip
    return made


def scan(world: World, text: str, name: str = "t", **more: object) -> p.Scan:
    found = [s for s in scans(world.prepare(text, **more).plan) if s.table.name == name]
    return found[0]


def fields(found: p.Scan) -> list[str]:
    return [f.name for f in found.fields]


# --- every rule ----------------------------------------------------------------------------------

QUERIES = [
    "SELECT id, a FROM t WHERE a > 5",
    "SELECT COUNT(*) FROM t",
    "SELECT s, SUM(a) FROM t WHERE id BETWEEN 10 AND 200 GROUP BY s",
    "SELECT d.id FROM (SELECT id, s, v, a + 1 AS b FROM t) d WHERE d.b IN (2, 3, 5)",
    "SELECT x.id FROM (SELECT id, a FROM t UNION ALL SELECT id, a FROM u) x WHERE x.a = 3",
    "SELECT x.a FROM (SELECT a, s FROM t UNION SELECT a, 'x' FROM u) x",
    "WITH c AS (SELECT id, a, s, v FROM t) SELECT p.id FROM c p JOIN c q ON p.id = q.a",
    "SELECT t.id, u.id FROM t LEFT JOIN u ON t.a = u.a AND u.id < 30 WHERE u.id IS NULL",
    "SELECT t.id, u.id FROM t LEFT JOIN u ON t.a = u.a AND u.a IS NULL",
    "SELECT t.id, u.a FROM t FULL JOIN u ON t.id = u.id WHERE u.a = 2",
    "SELECT t.id, u.a FROM t FULL JOIN u ON t.id = u.id WHERE u.a IS NULL",
    "SELECT t.id FROM t RIGHT JOIN u ON t.id = u.id AND t.a = 4 WHERE u.a = 2",
    "SELECT id FROM t WHERE f > 50",
    "SELECT id FROM t WHERE f > 50 AND f < 60",
    "SELECT id, s FROM t WHERE id = 77",
    "SELECT id, s FROM t WHERE id = 77 AND a = 1000",
    "SELECT id, s FROM t WHERE id = 1000000000000",
    "SELECT id FROM t WHERE id = 7.5",
    "SELECT id FROM t WHERE id = NULL",
    "SELECT id FROM t WHERE id IN (NULL, 5, 900)",
    "SELECT id FROM t WHERE s = 's3' AND id < 20",
    "SELECT TOP (5) id FROM t ORDER BY VECTOR_DISTANCE('cosine', v, [1, 2, 0, 1])",
    "SELECT TOP (40) id FROM t ORDER BY VECTOR_DISTANCE('cosine', v, [1, 2, 0, 1])",
    "SELECT TOP (7) id, VECTOR_DISTANCE('euclidean', v, [1, 2, 0, 1]) AS d FROM t ORDER BY d",
    "SELECT TOP (7) id FROM t WHERE a IN (1, 2) ORDER BY VECTOR_DISTANCE('dot', v, [1, 2, 0, 1])",
    "SELECT TOP (90) id FROM t WHERE a > (SELECT AVG(a) FROM u) AND v IS NOT NULL "
    "ORDER BY VECTOR_DISTANCE('dot', [1, 2, 0, 1], v)",
    "SELECT id FROM t ORDER BY VECTOR_DISTANCE('euclidean', v, [0, 0, 0, 1]) "
    "OFFSET 20 ROWS FETCH NEXT 5 ROWS ONLY",
    "SELECT TOP (5) id FROM t ORDER BY VECTOR_DISTANCE('cosine', v, [1, 2, 0, 1]) DESC",
    "SELECT TOP (5) t.id, u.id FROM t JOIN u ON t.a = u.a "
    "ORDER BY VECTOR_DISTANCE('euclidean', t.v, u.v)",
    "SELECT TOP (0) id FROM t ORDER BY VECTOR_DISTANCE('cosine', v, [1, 2, 0, 1])",
    "SELECT v, COUNT(*), SUM(id) FROM t GROUP BY v",
    "SELECT DISTINCT v FROM t WHERE a = 3",
    "SELECT t.id, u.id FROM t JOIN u ON t.v = u.v",
    "SELECT t.id, VECTOR_NORM(t.v), VECTOR_NORM(u.v) FROM t LEFT JOIN u ON t.id = u.id",
    "SELECT id, CASE WHEN a > 3 THEN VECTOR_NORM(v) END FROM t",
    "SELECT id FROM t WHERE VECTOR_NORM(v) > 3",
    "SELECT id FROM t WHERE VECTOR_NORM(v) > 3 AND a = 2",
    "SELECT s, VECTOR_AVG(VECTOR_NORMALIZE(v)) FROM t GROUP BY s",
    "SELECT id, v + v, v * 2 FROM t",
    "SELECT t.id, x.n FROM t CROSS APPLY (SELECT COUNT(*) AS n FROM u WHERE u.a = t.a) x",
    "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id AND u.a < 3)",
]


@pytest.mark.parametrize("text", QUERIES)
def test_rules_change_no_answer(world: World, text: str) -> None:
    world.both(text)


def test_each_rule_alone_can_be_switched_off(world: World) -> None:
    for number, text in enumerate(QUERIES):
        rule = sorted(ALL)[number % len(ALL)]
        expected = sorted(map(repr, world.rows(text)))
        assert sorted(map(repr, world.rows(text, off=(rule,)))) == expected, (rule, text)


def test_rules_have_unique_names() -> None:
    assert len(ALL) == len(RULES)


def test_an_unknown_rule_is_our_mistake(world: World) -> None:
    with pytest.raises(AssertionError, match="no such rule"):
        apply_rules(world.bind("SELECT 1").plan, ("nope",))


# --- prune_columns -------------------------------------------------------------------------------


def test_prune_reads_only_used_columns(world: World) -> None:
    assert fields(scan(world, "SELECT id FROM t WHERE a > 1")) == ["id", "a"]
    assert fields(scan(world, "SELECT COUNT(*) FROM t")) == []
    assert len(fields(scan(world, "SELECT id FROM t", off=("prune_columns",)))) == 5


def test_prune_goes_through_derived_and_common_tables(world: World) -> None:
    assert fields(scan(world, "SELECT d.id FROM (SELECT * FROM t) d")) == ["id"]
    assert fields(scan(world, "WITH c AS (SELECT * FROM t) SELECT a FROM c")) == ["a"]
    union = "SELECT d.id FROM (SELECT id, a FROM t UNION ALL SELECT id, a FROM u) d"
    assert fields(scan(world, union)) == ["id"]


def test_prune_keeps_what_decides_rows(world: World) -> None:
    distinct = "SELECT d.id FROM (SELECT DISTINCT id, a FROM t) d"
    assert fields(scan(world, distinct)) == ["id", "a"]
    union = "SELECT d.id FROM (SELECT id, a FROM t UNION SELECT id, a FROM u) d"
    assert fields(scan(world, union)) == ["id", "a"]
    ordered = "SELECT d.id FROM (SELECT TOP (3) id, a FROM t ORDER BY 2) d"
    assert fields(scan(world, ordered)) == ["id", "a"]


# --- push_ranges ---------------------------------------------------------------------------------


def ranges(world: World, text: str, name: str = "t") -> list[str]:
    return [r.column for r in scan(world, text, name).ranges]


def test_ranges_come_from_conjuncts(world: World) -> None:
    found = scan(world, "SELECT id FROM t WHERE a >= 3 AND 9 > a AND s IN ('a') AND f IS NULL")
    low, high, values, null = found.ranges
    assert low.low == p.Constant(type=low.low.type, value=3) and not low.low_open
    assert high.high is not None and high.high_open
    assert values.values is not None and len(values.values) == 1
    assert null.is_null


def test_ranges_do_not_come_from_or_and_not(world: World) -> None:
    assert ranges(world, "SELECT id FROM t WHERE a = 1 OR id = 2") == []
    assert ranges(world, "SELECT id FROM t WHERE NOT (a = 1)") == []
    assert ranges(world, "SELECT id FROM t WHERE a + 1 = 2") == []


def test_ranges_respect_outer_joins(world: World) -> None:
    left = "SELECT t.id FROM t LEFT JOIN u ON t.id = u.id"
    assert ranges(world, f"{left} AND u.a = 1", "u") == ["a"]
    assert ranges(world, f"{left} AND t.a = 1", "t") == []
    assert ranges(world, f"{left} WHERE u.a = 1", "u") == ["a"]
    assert ranges(world, f"{left} WHERE u.a IS NULL", "u") == []
    assert ranges(world, f"{left} WHERE t.a IS NULL", "t") == ["a"]


def test_ranges_go_down_but_not_below_what_they_would_change(world: World) -> None:
    assert ranges(world, "SELECT 1 FROM (SELECT id, a AS x FROM t) d WHERE d.x = 3") == ["a"]
    limited = "SELECT 1 FROM (SELECT TOP (5) a AS x FROM t) d WHERE d.x = 3"
    assert ranges(world, limited) == []
    counted = "SELECT 1 FROM (SELECT a AS x, COUNT(*) AS n FROM t GROUP BY a) d WHERE d.x = 3"
    assert ranges(world, counted) == []
    ranked = "SELECT d.r FROM (SELECT a AS x, RANK() OVER (ORDER BY id) r FROM t) d WHERE d.x = 3"
    assert ranges(world, ranked) == []


# --- the others ----------------------------------------------------------------------------------


def test_lookup_needs_the_whole_key(world: World) -> None:
    found = scan(world, "SELECT s FROM t WHERE id = 5 AND a > 1")
    assert found.lookup is not None and found.lookup.columns == ("id",)
    assert scan(world, "SELECT s FROM t WHERE id > 5").lookup is None
    assert scan(world, "SELECT s FROM t WHERE a = 5").lookup is None


def test_top_k_applies_where_it_may(world: World) -> None:
    by = "ORDER BY VECTOR_DISTANCE('cosine', v, [1, 2, 0, 1])"
    found = scan(world, f"SELECT TOP (5) id FROM t WHERE a = 1 {by}")
    assert found.nearest is not None and found.nearest.filter is not None
    assert fields(found) == ["id"]
    for other in (
        f"SELECT id FROM t {by}",
        f"SELECT TOP (5) id FROM t {by} DESC",
        f"SELECT TOP (5) WITH TIES id FROM t {by}",
        f"SELECT TOP (5) PERCENT id FROM t {by}",
        f"SELECT TOP (5) id, COUNT(*) OVER () FROM t {by}",
        "SELECT TOP (5) t.id FROM t, u ORDER BY VECTOR_DISTANCE('cosine', t.v, u.v)",
    ):
        assert scan(world, other).nearest is None, other


def test_hoisting_spares_rows_that_a_where_leaves_out(world: World) -> None:
    assert len(scan(world, "SELECT VECTOR_NORM(v) FROM t").computed) == 1
    assert fields(scan(world, "SELECT VECTOR_NORM(v) FROM t")) == []
    assert scan(world, "SELECT VECTOR_NORM(v) FROM t WHERE a = 1").computed == ()
    assert scan(world, "SELECT CASE WHEN a = 1 THEN VECTOR_NORM(v) END FROM t").computed == ()


def test_limit_without_order_reads_no_more(world: World) -> None:
    assert scan(world, "SELECT TOP (3) v FROM t").limit is not None
    for other in (
        "SELECT TOP (3) a FROM t ORDER BY a",
        "SELECT TOP (3) a FROM t WHERE a > 1",
        "SELECT DISTINCT TOP (3) a FROM t",
        "SELECT TOP (3) a FROM t GROUP BY a",
        "SELECT TOP (3) COUNT(*) FROM t",
    ):
        assert scan(world, other).limit is None, other
    assert len(world.rows("SELECT TOP (3) v FROM t")) == 3


# --- tree ----------------------------------------------------------------------------------------


def test_transform_keeps_what_did_not_change(world: World) -> None:
    plan = world.bind("SELECT id FROM t WHERE a = 1").plan
    assert transform(plan, lambda node: node) is plan
    block = world.bind("SELECT 1 FROM t WHERE a = 1 AND id = 2 AND a > 0").plan.body
    assert isinstance(block, p.SelectBlock) and len(conjuncts(block.where)) == 3


def test_walking_deep_plans_needs_no_deep_stack() -> None:
    expr: p.Expr = p.Column(type=INT, relation=1, name="a")
    for _ in range(5000):
        expr = p.Cast(type=INT, operand=expr)
    assert len(list(walk(expr))) == 5001
    assert len(list(columns_in(expr))) == 1
