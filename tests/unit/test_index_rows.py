"""What an R-tree must not lose: empty values, NULLs that joins make, distances that are no numbers.

Every query gives the same rows through the index as without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.hql.errors import BindFault


@pytest.fixture(scope="module")
def database() -> Iterator[hql.Connection]:
    with hql.connect(":memory:") as made:
        made.execute("CREATE TABLE t (id INT, g GEOMETRY)")
        made.execute(
            "INSERT INTO t SELECT value, geometry::Point(value, 0, 0) FROM GENERATE_SERIES(1, 40)"
        )
        made.execute(
            "INSERT INTO t VALUES (50, NULL), (51, geometry::Parse('POINT EMPTY')), "
            "(52, geometry::Parse('LINESTRING EMPTY'))"
        )
        made.execute("CREATE INDEX ix ON t (g) USING RTREE")
        made.execute("CREATE TABLE s (id INT, g GEOMETRY)")
        made.execute(
            "INSERT INTO s VALUES (1, geometry::Point(3, 0, 0)), (2, NULL), "
            "(3, geometry::Parse('POINT EMPTY')), (4, geometry::Point(9, 0, 0))"
        )
        yield made


EMPTY = "geometry::Parse('POINT EMPTY')"


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT id FROM t WHERE g.STEquals({EMPTY}) = 1",
        f"SELECT id FROM t WHERE STEquals({EMPTY}, g)",
        f"SELECT id FROM t WHERE g.STIntersects({EMPTY}) = 1",
        "SELECT TOP (3) id FROM t WHERE id < 0 ORDER BY g.STDistance(geometry::Point(3, 0, 0))",
        "SELECT s.id, t.id FROM s JOIN t ON s.g.STEquals(t.g) = 1",
        "SELECT s.id, t.id FROM s LEFT JOIN t ON STEquals(t.g, s.g)",
        "SELECT id FROM t WHERE g.STDistance(geometry::Point(3, 0, 0)) < @r",
        "SELECT s.id, t.id FROM s LEFT JOIN t ON s.g.STDistance(t.g) <= @r",
    ],
)
@pytest.mark.parametrize("reach", [math.nan, math.inf, -1.0, None])
def test_rows_that_boxes_do_not_have(
    database: hql.Connection, text: str, reach: float | None
) -> None:
    _compare(database, text, {"r": reach})


@pytest.mark.parametrize("apply", ["CROSS", "OUTER"])
@pytest.mark.parametrize("join", ["LEFT", "RIGHT", "FULL"])
@pytest.mark.parametrize("side", ["a", "b"])
def test_rows_of_nulls_have_nearest_rows_too(
    database: hql.Connection, apply: str, join: str, side: str
) -> None:
    _compare(
        database,
        f"SELECT a.id, b.id, n.id FROM s a {join} JOIN s b ON b.id = a.id + 1 {apply} APPLY "
        f"(SELECT TOP (2) t.id FROM t ORDER BY t.g.STDistance({side}.g)) AS n",
        {},
    )


def _compare(database: hql.Connection, text: str, values: dict[str, Any]) -> None:
    through = database.execute(text, values).fetchall()
    scanned = database.execute(f"{text} OPTION (NO INDEX)", values).fetchall()
    assert sorted(through, key=str) == sorted(scanned, key=str)


def test_a_join_uses_the_index_that_is_named() -> None:
    with hql.connect(":memory:") as database:
        database.execute("CREATE TABLE t (id INT, g GEOMETRY)")
        database.execute("CREATE TABLE s (id INT, g GEOMETRY)")
        for name in ("ix", "iy"):
            database.execute(f"CREATE INDEX {name} ON t (g) USING RTREE")
        database.execute("CREATE INDEX iz ON s (id)")
        asks = (
            "SELECT s.id, t.id FROM s JOIN t ON s.g.STDistance(t.g) < 1",
            "SELECT id FROM t WHERE g.STDistance(geometry::Point(1, 1, 1)) < 1",
            "SELECT TOP (1) id FROM t ORDER BY g.STDistance(geometry::Point(1, 1, 1))",
        )
        for ask in asks:
            for name in ("ix", "iy"):
                rows = database.execute(f"EXPLAIN {ask} OPTION (USE INDEX ({name}))").fetchall()
                assert f"index {name}" in "\n".join(r[0] for r in rows)
        with pytest.raises(hql.Error, match='no table of this query has an index "nosuch"'):
            database.execute(f"{asks[0]} OPTION (USE INDEX (nosuch))")
        with pytest.raises(BindFault, match='"iz" cannot serve'):
            database.execute(f"{asks[0]} OPTION (USE INDEX (iz))")
