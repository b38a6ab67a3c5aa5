"""CREATE INDEX … USING RTREE: what it finds is what a scan finds, whatever happened to the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from indexed_table import IndexedTable
from soak import TIMES

from hartonomous import hql
from hartonomous.hql.errors import BindFault

WHERE = (
    "g.STDistance(@q) < @r",
    "@r >= g.STDistance(@q)",
    "g.STIntersects(@q) = 1",
    "STWithin(g, @q)",
    "g.STContains(@q)",
    "g.STEquals(@q)",
    "g.STEndPoint().STIntersects(@q) = 1",
    "g.STDistance(@q) < @r AND id % 2 = 0",
)
NEAREST = (
    "SELECT TOP (@k) id, g.STDistance(@q) FROM t ORDER BY g.STDistance(@q)",
    "SELECT TOP (@k) id FROM t WHERE id % 3 = 0 ORDER BY g.STDistance(@q)",
    "SELECT TOP (@k) id FROM t WHERE id > 2000000 ORDER BY g.STDistance(@q)",
    "SELECT id FROM t ORDER BY STDistance(@q, g) OFFSET 2 ROWS FETCH NEXT @k ROWS ONLY",
)

JOINS = (
    "SELECT s.id, t.id FROM s JOIN t ON s.g.STDistance(t.g) < @r",
    "SELECT s.id, t.id FROM s LEFT JOIN t ON @r >= t.g.STDistance(s.g) AND t.id > 5",
    "SELECT s.id, t.id FROM s, t WHERE STIntersects(t.g, s.g) AND t.id % 2 = 0",
    "SELECT s.id, t.id FROM s LEFT JOIN t ON s.g.STEquals(t.g) = 1",
    "SELECT s.id, n.id, n.d FROM s CROSS APPLY (SELECT TOP (@k) t.id, t.g.STDistance(s.g) AS d "
    "FROM t ORDER BY t.g.STDistance(s.g)) AS n",
)


def geometry(random: np.random.Generator) -> str | None:
    """Points for the most part, some at the same place, among lines, discs, empty values, NULL."""

    def number() -> str:
        return str(random.integers(-4, 5) if random.random() < 0.5 else random.normal(0, 3))

    def point() -> str:
        return f"{number()} {number()} {number()}"

    match random.integers(0, 10):
        case 0:
            return None
        case 1:
            return "POINT EMPTY"
        case 2:
            return f"LINESTRING Z ({point()}, {point()}, {point()})"
        case 3:
            return f"BUFFER ({abs(random.normal())}, POINT Z ({point()}))"
        case _:
            return f"POINT Z ({point()})"


def rows(random: np.random.Generator, first: int, count: int) -> str:
    values = []
    for i in range(first, first + count):
        text = geometry(random)
        values.append(f"({i}, {'NULL' if text is None else f'geometry::Parse({text!r})'})")
    return ", ".join(values)


def compare(database: hql.Connection, random: np.random.Generator) -> None:
    """Every query through the index and without it."""
    text = next(t for t in iter(lambda: geometry(random), 0) if t)
    query = database.execute(f"SELECT geometry::Parse({text!r})").fetchall()[0][0]
    values: dict[str, Any] = {"q": query, "r": float(abs(random.normal(0, 3)))}
    for where in WHERE:
        ask = f"SELECT id FROM t WHERE {where} ORDER BY id"
        through = database.execute(f"{ask} OPTION (USE INDEX (ix))", values).fetchall()
        assert through == database.execute(f"{ask} OPTION (NO INDEX)", values).fetchall(), where
    values["k"] = int(random.integers(0, 12))
    for ask in NEAREST:
        through = database.execute(f"{ask} OPTION (USE INDEX (ix))", values).fetchall()
        assert through == database.execute(f"{ask} OPTION (NO INDEX)", values).fetchall(), ask
    for ask in JOINS:
        assert "pairs through index ix" in plan_of(database, ask, values)
        through = database.execute(ask, values).fetchall()
        scanned = database.execute(f"{ask} OPTION (NO INDEX)", values).fetchall()
        assert sorted(through, key=str) == sorted(scanned, key=str), ask


def plan_of(database: hql.Connection, text: str, values: dict[str, Any]) -> str:
    return "\n".join(r[0] for r in database.execute(f"EXPLAIN {text}", values).fetchall())


def begin(database: hql.Connection, random: np.random.Generator) -> None:
    database.execute("CREATE TABLE t (id INT, g GEOMETRY)")
    database.execute(f"INSERT INTO t VALUES {rows(random, 0, 20)}")
    database.execute("CREATE INDEX ix ON t (g) USING RTREE")
    database.execute("CREATE TABLE s (id INT, g GEOMETRY)")
    database.execute(f"INSERT INTO s VALUES {rows(random, 0, 12)}")


def update(random: np.random.Generator) -> str:
    text = geometry(random) or "POINT EMPTY"
    return f"g = geometry::Parse({text!r})"


def roll_back(database: hql.Connection, random: np.random.Generator) -> None:
    """Own changes are seen through the index, and gone after ROLLBACK."""
    database.execute("BEGIN TRAN")
    database.execute(f"INSERT INTO t VALUES {rows(random, 1_000_000, 5)}")
    database.execute("DELETE FROM t WHERE id % 4 = 0")
    compare(database, random)
    database.execute("ROLLBACK")


TABLE = IndexedTable(20, begin, rows, update, compare, roll_back)


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 32))
def test_the_index_finds_what_a_scan_finds(tmp_path_factory: Any, seed: int) -> None:
    TABLE.run(tmp_path_factory.mktemp("rtree") / "a.hdb", seed, 4)


@pytest.mark.slow
@settings(max_examples=4 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 32))
def test_the_index_finds_what_a_scan_finds_for_long(tmp_path_factory: Any, seed: int) -> None:
    TABLE.run(tmp_path_factory.mktemp("rtree") / "a.hdb", seed, 30)


def test_a_stream_keeps_its_snapshot(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "a.hdb") as database:
        database.execute("CREATE TABLE t (id INT, g GEOMETRY)")
        database.execute("INSERT INTO t SELECT value, geometry::Point(value, 0, 0) "
                         "FROM GENERATE_SERIES(1, 5000)")  # fmt: skip
        database.execute("CREATE INDEX ix ON t (g) USING RTREE")
        other = database.cursor()
        other.execute("SELECT id FROM t WHERE g.STDistance(geometry::Point(0, 0, 0)) <= 3")
        database.execute("DELETE FROM t WHERE id < 100")
        assert sorted(other.fetchall()) == [(1,), (2,), (3,)]
        near = "SELECT TOP (1) id FROM t ORDER BY g.STDistance(geometry::Point(0, 0, 0))"
        assert database.execute(near).fetchall() == [(100,)]


def test_reopening_reads_the_index_and_builds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hartonomous.storage.access.rtree import RTree

    with hql.connect(tmp_path / "a.hdb") as database:
        database.execute("CREATE TABLE t (id INT, g GEOMETRY)")
        database.execute("INSERT INTO t SELECT value, geometry::Point(value, 0, 0) "
                         "FROM GENERATE_SERIES(1, 5000)")  # fmt: skip
        database.execute("CREATE INDEX ix ON t (g) USING RTREE")
        database.execute("CHECKPOINT")

    def refuse(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(RTree, "build", refuse)
    with hql.connect(tmp_path / "a.hdb") as database:
        text = "SELECT id FROM t WHERE g.STDistance(geometry::Point(7, 0, 0)) < 0.5"
        assert database.execute(text).fetchall() == [(7,)]


def test_hints_that_cannot_be_followed() -> None:
    with hql.connect(":memory:") as database:
        database.execute("CREATE TABLE t (id INT, g GEOMETRY)")
        database.execute("CREATE INDEX ix ON t (g) USING RTREE")
        with pytest.raises(hql.Error, match='no table of this query has an index "iy"'):
            database.execute("SELECT id FROM t OPTION (USE INDEX (iy))")
        with pytest.raises(BindFault, match='"ix" cannot serve'):
            database.execute("SELECT id FROM t OPTION (USE INDEX (ix))")
