"""EXPLAIN: one tree, deterministic without ANALYZE, figures with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from query_world import World, vectors

from hartonomous.hql.describe import Tree, describe_plan
from hartonomous.hql.explain import explain
from hartonomous.hql.limits import Limits

#: a measured time
TIME = r"[\d.]+ (?:ms|µs)"


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.create("t", {"id": "INT", "a": "BIGINT", "v": "VECTOR(4)"},
                [list(range(500)), [i % 7 for i in range(500)], vectors(500, 4)], "id")  # fmt: skip
    made.create("u", {"id": "INT", "v": "VECTOR(4)"}, [list(range(50)), vectors(50, 4)])
    return made


def lines(world: World, text: str, analyze: bool = False) -> list[str]:
    return explain(world.prepare(text), world.source, {}, Limits(), analyze=analyze)


def test_trees_are_drawn() -> None:
    tree = Tree("a", [Tree("b", [Tree("c"), Tree("d")]), Tree("e")])
    assert tree.lines() == ["a", "├─ b", "│  ├─ c", "│  └─ d", "└─ e"]


def test_native_and_relational_operators_in_one_tree(world: World) -> None:
    text = "SELECT TOP (3) -id, v FROM t WHERE a > 5 ORDER BY VECTOR_DISTANCE('dot', v, [1,2,3,4])"
    assert lines(world, text) == [
        "gather v",
        "└─ top n 3 by t.__distance ASC, t.__row_id ASC",
        "   └─ projection expr1, v, t.__distance, t.__row_id",
        "      └─ scan t (id, v); ranges: 5 < a; "
        "nearest 3 by VECTOR_DISTANCE('dot', t.v, [1, 2, 3, 4])",
        "         └─ filter (t.a > 5)",
        "            └─ scan t (a); ranges: 5 < a",
    ]


def test_nearest_rows_need_no_fragment(world: World) -> None:
    text = "SELECT id, v FROM t{} ORDER BY VECTOR_DISTANCE('dot', v, [1,2,3,4]) " + (
        "OFFSET 4 ROWS FETCH NEXT 3 ROWS ONLY"
    )
    nearest = "nearest 3 + 4 by VECTOR_DISTANCE('dot', t.v, [1, 2, 3, 4])"
    assert lines(world, text.format("")) == [
        "rows in order of distance from 4",
        f"└─ scan t (id, v); {nearest}",
    ]
    found = lines(world, text.format(" WHERE a > 5"), analyze=True)
    assert found[0] == "rows in order of distance from 4"
    assert re.match(rf"└─ scan t \(id, v\); .*{re.escape(nearest)}  \[7 rows, {TIME}", found[1])
    assert re.search(rf"└─ fragment  \[71 rows, {TIME}\]", found[2])  # the WHERE


def test_scans_are_matched_to_their_places(world: World) -> None:
    text = "SELECT t.id FROM t JOIN u ON t.id = u.id JOIN t w ON w.a = u.id WHERE w.id = 9"
    found = "\n".join(lines(world, text))
    assert "scan t (id); rows that match u.id through index pk_t\n" in found
    assert "scan u (id)\n" in found
    assert "scan t as w (id, a); key pk_t: id = 9" in found


def test_the_text_is_the_same_each_time(world: World) -> None:
    text = "SELECT v, COUNT(*), SUM(VECTOR_NORM(v + v)) FROM t WHERE a = 2 GROUP BY v"
    first = lines(world, text)
    assert lines(world, text) == first
    assert not any(re.search(r"__hql_|\d+ ms|rows", line) for line in first)
    assert any("__intern(t.v)" in line for line in first)


def test_explain_computes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from hartonomous.hql.operators import scan

    def forbidden(*_: object) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr(scan, "evaluate", forbidden)
    assert lines(world, "SELECT VECTOR_NORM(v) FROM t")
    with pytest.raises(AssertionError, match="computed"):
        lines(world, "SELECT VECTOR_NORM(v) FROM t", analyze=True)


def test_analyze_adds_figures(world: World) -> None:
    found = lines(world, "SELECT a, COUNT(*) FROM t WHERE a < 100 GROUP BY a", analyze=True)
    assert found[-1].startswith("total ")
    assert re.fullmatch(rf"fragment  \[7 rows, {TIME}\]", found[0])
    grouped = rf"group by .*\[7 rows \(about 7 expected\), cpu {TIME}\]"
    assert any(re.search(grouped, line) for line in found)
    scan = next(line for line in found if "scan t" in line)
    assert "500 rows" in scan and "bytes" in scan and "batches pruned 0 of 1" in scan


def test_analyze_measures_what_is_around_the_fragment(world: World) -> None:
    text = "SELECT TOP (3) -id, v FROM t WHERE a > 5 ORDER BY VECTOR_DISTANCE('dot', v, [1,2,3,4])"
    found = lines(world, text, analyze=True)
    assert re.fullmatch(rf"gather v  \[3 rows, {TIME}, 48 bytes\]", found[0])
    assert re.search(rf"└─ fragment  \[3 rows, {TIME}\]", found[1])
    inner = next(i for i, line in enumerate(found) if "nearest 3" in line)
    assert "3 rows" in found[inner]
    assert re.search(rf"└─ fragment  \[71 rows, {TIME}\]", found[inner + 1])  # the WHERE, run once
    assert "500 rows" in found[-2] and "scan t (a)" in found[-2]


def test_analyze_shows_nothing_that_was_not_measured(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hartonomous.hql.engine.relational import Cursor

    def without_times(cursor: Cursor) -> Any:
        profile = measured(cursor)
        stack = list(profile["operator"])
        while stack:
            node = stack.pop()
            node["timing"] = 0.0
            stack.extend(node.get("children", ()))
        return profile

    measured = Cursor.profile
    monkeypatch.setattr(Cursor, "profile", without_times)
    found = lines(world, "SELECT a, COUNT(*) FROM t WHERE id < 100 GROUP BY a", analyze=True)
    assert any(line.endswith("[7 rows (about 7 expected)]") for line in found)
    assert not any("cpu" in line for line in found)


def test_analyze_of_what_never_ran() -> None:
    world = World()
    world.create("t", {"a": "BIGINT", "v": "VECTOR(4)"}, [[], []])
    text = "SELECT TOP (3) a FROM t WHERE a > 5 ORDER BY VECTOR_DISTANCE('dot', v, [1,2,3,4])"
    assert any("fragment, not run" in line for line in lines(world, text, analyze=True))


def test_analyze_keeps_to_the_limits_of_option(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hartonomous.hql.engine import relational

    given: list[int | None] = []

    class Engine(relational.Engine):
        def __init__(self, *, memory_bytes: int | None = None, profiles: bool = False) -> None:
            given.append(memory_bytes)
            super().__init__(memory_bytes=memory_bytes, profiles=profiles)

    monkeypatch.setattr(relational, "Engine", Engine)
    assert lines(world, "SELECT a FROM t OPTION (MEMORY '100MB')", analyze=True)
    assert given == [100 << 20]


def test_values_without_engine(world: World) -> None:
    assert lines(world, "VALUES (1), (2)") == ["values (2 rows)"]


def test_a_common_table_read_twice(world: World) -> None:
    text = "WITH c AS (SELECT id, a FROM t WHERE a > 1) SELECT x.id FROM c x JOIN c y ON x.id = y.a"
    assert any("scan t (id, a)" in line for line in lines(world, text))


def test_describe_plan(world: World) -> None:
    plan = world.bind(
        "SELECT DISTINCT TOP (5) t.id + 1 AS x, "
        "COUNT(*) OVER (PARTITION BY a ORDER BY t.id DESC) n "
        "FROM t LEFT JOIN (SELECT id FROM u UNION ALL SELECT 1) d ON t.id = d.id "
        "WHERE t.a IN (1, 2) AND EXISTS (SELECT 1 FROM u) ORDER BY x DESC"
    ).plan
    assert describe_plan(plan) == str(plan)
    assert str(plan).splitlines() == [
        "limit 5",
        "└─ order by x desc",
        "   └─ select distinct (t.id + 1) as x, "
        "COUNT(*) OVER (PARTITION BY t.a ORDER BY t.id desc) as n",
        "      ├─ where (t.a IN (1, 2) AND EXISTS (subquery))",
        "      │  └─ left join on (t.id = d.id)",
        "      │     ├─ scan t (id, a, v)",
        "      │     └─ derived d",
        "      │        └─ union all",
        "      │           ├─ select u.id",
        "      │           │  └─ scan u (id, v)",
        "      │           └─ select 1 as expr1",
        "      └─ subquery",
        "         └─ select 1 as expr1",
        "            └─ scan u (id, v)",
    ]


def test_analyze_shows_what_was_expected(world: World) -> None:
    text = "SELECT t.a, COUNT(*) FROM t JOIN u ON t.id = u.id WHERE t.a = 3 GROUP BY t.a"
    found = lines(world, text, analyze=True)
    rows = {
        match[1]: (int(match[2]), int(match[3]))
        for line in found
        if (match := re.search(r"(group by|join|filter).*\[(\d+) rows \(about (\d+) exp", line))
    }
    assert rows["filter"] == (71, 71)
    assert rows["join"] == (7, 7) and rows["group by"][0] == 1
