"""Lowering: what the shapes of queries mean once the engine has run them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pytest
from query_world import World, tuples

from hartonomous.hql import types
from hartonomous.hql.errors import BindFault, ExecutionFault


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    random = np.random.default_rng(3)
    made.create(
        "t",
        {"id": "INT", "g": "NVARCHAR", "n": "BIGINT", "f": "FLOAT"},
        [
            list(range(200)),
            [None if i % 13 == 0 else "abcd"[i % 4] for i in range(200)],
            [None if i % 11 == 0 else int(x) for i, x in enumerate(random.integers(0, 20, 200))],
            [float(x) for x in random.integers(0, 9, 200) / 2],
        ],
    )
    made.create("u", {"id": "INT", "n": "BIGINT"}, [[1, 2, 3, 4, None], [5, None, 7, 7, 8]])
    return made


# --- against the engine's own reading of the same query ------------------------------------------

#: texts that mean the same in both dialects
SHARED = [
    "SELECT g, COUNT(*) AS c, SUM(n) AS s FROM t GROUP BY g HAVING COUNT(*) > 10",
    "SELECT g, n % 3 AS m, COUNT(*) AS c FROM t GROUP BY GROUPING SETS ((g, n % 3), (g), ())",
    "SELECT g, n, COUNT(*) AS c FROM t GROUP BY ROLLUP (g, n)",
    "SELECT g, n, COUNT(*) AS c FROM t GROUP BY CUBE (g, n)",
    "SELECT t.id, u.id FROM t JOIN u ON t.id = u.n LEFT JOIN t AS w ON w.id = u.id",
    "SELECT t.id, u.id FROM u FULL JOIN t ON t.id = u.n AND t.id > 6",
    "SELECT a.id, b.id FROM u a CROSS JOIN u b WHERE a.id < b.id",
    "SELECT a.id FROM u a JOIN (u b JOIN u c ON b.id = c.id) ON a.id = b.id",
    "SELECT id, ROW_NUMBER() OVER (PARTITION BY g ORDER BY n DESC NULLS LAST, id) AS r FROM t",
    "SELECT id, SUM(n) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING "
    "EXCLUDE CURRENT ROW) AS s FROM t",
    "SELECT id, COUNT(*) OVER (ORDER BY f GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT id, SUM(f) OVER (ORDER BY f RANGE BETWEEN 1 PRECEDING AND CURRENT ROW "
    "EXCLUDE TIES) FROM t",
    "SELECT id FROM t WHERE n IN (SELECT n FROM u WHERE u.id < 4)",
    "SELECT id FROM t WHERE n NOT IN (SELECT n FROM u WHERE n IS NOT NULL)",
    "SELECT id FROM t WHERE n > ALL (SELECT n FROM u WHERE id <= 3 AND n IS NOT NULL)",
    "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.n = t.n AND u.id > 1)",
    "SELECT id, (SELECT MAX(u.id) FROM u WHERE u.n = t.n) AS m FROM t",
    "SELECT id FROM t EXCEPT SELECT n FROM t INTERSECT SELECT id FROM t",
    "(SELECT id FROM u UNION ALL SELECT n FROM u) EXCEPT SELECT 7",
    "SELECT n FROM u INTERSECT ALL SELECT n FROM t",
    "WITH a AS (SELECT id, n FROM u), b AS (SELECT n FROM a WHERE id > 1) SELECT * FROM a, b",
    "WITH RECURSIVE r(i, p) AS (SELECT 1, 'x' UNION ALL SELECT i + 1, p || 'y' FROM r "
    "WHERE i < 5) SELECT i, p FROM r",
    "SELECT DISTINCT g, f FROM t",
    "SELECT CASE g WHEN 'a' THEN 1 WHEN 'b' THEN 2 END AS k, COUNT(*) FROM t GROUP BY 1 + 0, g",
    "SELECT COUNT(DISTINCT n), MIN(f), MAX(g) FROM t",
    "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v(a, b)",
]


@pytest.fixture(scope="module")
def peer(world: World) -> Any:
    connection = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    for entry in world.source.catalog.tables():
        names = [c.name for c in entry.columns]
        connection.register(entry.name, world.source.view(entry.id).scan(names).table)
    connection.execute("SET default_null_order = 'nulls_first'")
    yield connection
    connection.close()


def plain(value: Any) -> Any:
    """The engine sums integers to 128 bits, which Arrow calls a decimal."""
    return int(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("text", SHARED)
def test_the_engine_reads_the_same_query_alike(world: World, peer: Any, text: str) -> None:
    expected = [tuple(map(plain, row)) for row in tuples(peer.sql(text).to_arrow_table())]
    assert sorted(map(repr, world.both(text))) == sorted(map(repr, expected))


# --- ORDER BY and LIMIT --------------------------------------------------------------------------


def test_nulls_are_lowest_unless_said_otherwise(world: World) -> None:
    assert [r[0] for r in world.both("SELECT n FROM u ORDER BY n, id")] == [None, 5, 7, 7, 8]
    assert [r[0] for r in world.both("SELECT n FROM u ORDER BY n DESC")] == [8, 7, 7, 5, None]
    last = world.both("SELECT n FROM u ORDER BY n NULLS LAST")
    assert [r[0] for r in last] == [5, 7, 7, 8, None]


def test_constants_in_order_and_group_are_no_positions(world: World) -> None:
    assert world.both("SELECT id FROM u WHERE id < 3 ORDER BY id + 0 DESC") == [(2,), (1,)]
    counted = world.rows("SELECT COUNT(*) FROM u GROUP BY @k", {"k": 1}, types={"k": types.INT})
    assert counted == [(5,)]
    ordered = world.rows(
        "SELECT id FROM u WHERE id > 2 ORDER BY @k, id DESC", {"k": 1}, types={"k": types.INT}
    )
    assert ordered == [(4,), (3,)]


def test_top_with_ties(world: World) -> None:
    assert world.both("SELECT TOP (2) WITH TIES n FROM u ORDER BY n DESC") == [(8,), (7,), (7,)]
    assert world.both("SELECT TOP (1) WITH TIES id FROM u ORDER BY n % 2 DESC, id * 0") == [
        (1,), (3,), (4,)]  # fmt: skip
    grouped = "SELECT TOP (1) WITH TIES n, COUNT(*) AS c FROM u GROUP BY n ORDER BY COUNT(*) DESC"
    assert world.both(grouped) == [(7, 2)]
    distinct = "SELECT DISTINCT TOP (2) WITH TIES n FROM u ORDER BY n DESC"
    assert world.both(distinct) == [(8,), (7,)]


def test_top_percent_rounds_up(world: World) -> None:
    assert world.both("SELECT TOP (50) PERCENT id FROM u ORDER BY id DESC") == [(4,), (3,), (2,)]
    assert len(world.both("SELECT TOP (1) PERCENT id FROM t ORDER BY id")) == 2
    assert world.both("SELECT TOP (0) PERCENT id FROM t ORDER BY id") == []
    assert len(world.both("SELECT TOP (100) PERCENT id FROM t ORDER BY id")) == 200
    ties = "SELECT TOP (30) PERCENT WITH TIES n FROM u ORDER BY n DESC"
    assert world.both(ties) == [(8,), (7,), (7,)]


def test_limits_nest(world: World) -> None:
    text = "SELECT TOP (2) d.id FROM (SELECT TOP (3) id FROM t ORDER BY id DESC) d ORDER BY d.id"
    assert world.both(text) == [(197,), (198,)]
    union = (
        "(SELECT TOP (1) id FROM u ORDER BY id) UNION ALL (SELECT TOP (1) n FROM u ORDER BY n DESC)"
    )
    assert sorted(world.both(union), key=str) == [(8,), (None,)]


# --- APPLY, groups, subqueries -------------------------------------------------------------------


def test_apply(world: World) -> None:
    inner = "(SELECT TOP (2) t.id FROM t WHERE t.n = u.n ORDER BY t.id) x"
    cross = world.both(f"SELECT u.id, x.id FROM u CROSS APPLY {inner}")
    outer = world.both(f"SELECT u.id, x.id FROM u OUTER APPLY {inner}")
    by_hand = []
    rows = world.rows("SELECT id, n FROM t ORDER BY id")
    for key, n in world.rows("SELECT id, n FROM u"):
        found = [i for i, m in rows if m == n and n is not None][:2]
        by_hand += [(key, i) for i in found] or [(key, None)]
    assert sorted(map(repr, outer)) == sorted(map(repr, by_hand))
    assert sorted(map(repr, cross)) == sorted(repr(r) for r in by_hand if r[1] is not None)


def test_one_group_over_nothing(world: World) -> None:
    assert world.both("SELECT COUNT(*), SUM(n) FROM t WHERE id < 0") == [(0, None)]
    assert world.both("SELECT n FROM t WHERE id < 0 GROUP BY n") == []
    assert world.both("SELECT 1 FROM t HAVING COUNT(*) > 5") == [(1,)]


def test_a_scalar_subquery_of_two_rows_is_an_error(world: World) -> None:
    with pytest.raises(ExecutionFault) as caught:
        world.rows("SELECT (SELECT id FROM u)")
    assert caught.value.code == "CARDINALITY"


def test_names_that_the_engine_would_trip_over(world: World) -> None:
    odd = World()
    odd.create("select", {'a "b" $x': "INT", "o'c": "NVARCHAR", "ä.ö": "INT"},
               [[1, 2], ["x", "$y"], [3, 4]])  # fmt: skip
    text = """SELECT q.["a ""b"" $x"], [o'c] AS [d"e], [ä.ö] FROM [select] q"""
    text = text.replace('["a ""b"" $x"]', '[a "b" $x]')
    assert odd.both(f"{text} WHERE [o'c] = '$y'") == [(2, "$y", 4)]


# --- FOR JSON ------------------------------------------------------------------------------------


def as_json(world: World, text: str) -> Any:
    ((found,),) = world.both(text)
    return json.loads(found) if found is not None else None


def test_for_json_nests_and_leaves_nulls_out(world: World) -> None:
    text = "SELECT id AS [k.id], n AS [k.deep.n], 'x\"y' AS s FROM u ORDER BY id DESC FOR JSON PATH"
    found = as_json(world, text)
    assert found[0] == {"k": {"id": 4, "deep": {"n": 7}}, "s": 'x"y'}
    assert found[4] == {"k": {"deep": {"n": 8}}, "s": 'x"y'}
    none = as_json(world, "SELECT id AS [k.a], n AS [k.b] FROM u WHERE id = 99 FOR JSON PATH")
    assert none == []


def test_for_json_options(world: World) -> None:
    text = "SELECT id, n FROM u WHERE id = 2 FOR JSON PATH"
    assert as_json(world, text) == [{"id": 2}]
    assert as_json(world, f"{text}, INCLUDE_NULL_VALUES") == [{"id": 2, "n": None}]
    assert as_json(world, f"{text}, ROOT('r')") == {"r": [{"id": 2}]}
    assert as_json(world, f"{text}, WITHOUT_ARRAY_WRAPPER") == {"id": 2}


def test_for_json_inside_a_query(world: World) -> None:
    text = (
        "SELECT a.id, (SELECT b.n FROM u b WHERE b.id < a.id ORDER BY b.n FOR JSON PATH) AS below "
        "FROM u a WHERE a.id = 4 FOR JSON PATH"
    )
    assert as_json(world, text) == [{"id": 4, "below": [{}, {"n": 5}, {"n": 7}]}]


def test_for_json_of_every_kind_of_value(world: World) -> None:
    text = (
        "SELECT CAST(1 AS BIT) AS b, 1.50 AS d, 1e0 / 3 AS f, CAST('2026-11-22' AS DATE) AS day, "
        "CAST('2026-11-22 01:02:03' AS DATETIME2) AS at, 0xFF AS x, [1, 2] AS v, "
        "CAST('{\"a\": 1}' AS JSON) AS j, 'ä' AS s FOR JSON PATH, WITHOUT_ARRAY_WRAPPER"
    )
    assert as_json(world, text) == {
        "b": True, "d": 1.5, "f": 1 / 3, "day": "2026-11-22", "at": "2026-11-22T01:02:03",
        "x": "/w==", "v": [1, 2], "j": {"a": 1}, "s": "ä",
    }  # fmt: skip


def test_for_json_of_one_name_twice(world: World) -> None:
    with pytest.raises(BindFault, match="twice"):
        world.rows("SELECT id AS a, n AS [a.b] FROM u FOR JSON PATH")


def test_for_json_keeps_the_order_of_many_rows() -> None:
    made = World()
    made.create("m", {"id": "INT"}, [list(range(150_000))])
    found = as_json(made, "SELECT id FROM m ORDER BY id DESC FOR JSON PATH")
    assert [r["id"] for r in found] == list(range(149_999, -1, -1))


def test_queries_as_deep_as_the_binder_takes() -> None:
    made = World()
    made.create("m", {"id": "INT"}, [[1]])
    ors = " OR ".join(f"id = {i}" for i in range(100))
    assert made.both(f"SELECT id FROM m WHERE {ors}") == [(1,)]
    nested = "(" * 60 + "id" + " + 1)" * 60
    assert made.both(f"SELECT {nested} FROM m") == [(61,)]
    derived = "SELECT id FROM m"
    for i in range(15):
        derived = f"SELECT id FROM ({derived}) d{i}"
    assert made.both(derived) == [(1,)]
