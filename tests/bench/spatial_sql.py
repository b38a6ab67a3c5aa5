"""Points in space through SQL: an R-tree index beside DuckDB's scans of plain columns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from harness import OURS, Row, markdown, milliseconds, run_alone, shortest
from spatial_index import RADIUS, REACH, Floats, K, clustered

from hartonomous import hql

PEER = "DuckDB"
#: rows on the other side of the join
VISITS = 200

OUR_TABLES = """CREATE TABLE points (id INT, g GEOMETRY);
INSERT INTO points SELECT id, geometry::Point(x, y, z) FROM @rows;
CREATE TABLE visits (n INT, g GEOMETRY);
INSERT INTO visits SELECT id, geometry::Point(x, y, z) FROM @visits"""
INDEX = "CREATE INDEX places ON points (g) USING RTREE"
THEIR_TABLES = "CREATE TABLE points AS FROM given; CREATE TABLE visits AS FROM given_visits"

AT = "geometry::Point(@x, @y, @z)"
SQUARE = "(p.x - {q}x) ** 2 + (p.y - {q}y) ** 2 + (p.z - {q}z) ** 2"
NEAR = " AND ".join(
    f"p.{axis} BETWEEN {{q}}{axis} - {{r}} AND {{q}}{axis} + {{r}}" for axis in "xyz"
)
#: what is asked: our text and DuckDB's
QUERIES: dict[str, tuple[str, str]] = {
    f"nearest {K}": (
        f"SELECT TOP ({K}) id FROM points ORDER BY g.STDistance({AT})",
        f"SELECT id FROM points p ORDER BY {SQUARE.format(q='$')} LIMIT {K}",
    ),
    "radius": (
        f"SELECT id FROM points WHERE g.STDistance({AT}) <= {RADIUS}",
        f"SELECT id FROM points p WHERE {NEAR.format(q='$', r=RADIUS)} "
        f"AND {SQUARE.format(q='$')} <= {RADIUS} ** 2",
    ),
    "box": (
        "SELECT id FROM points WHERE g.STIntersects(geometry::Parse(@box)) = 1",
        f"SELECT id FROM points p WHERE {NEAR.format(q='$', r=REACH)}",
    ),
}
JOIN = (
    f"SELECT v.n, p.id FROM visits AS v JOIN points AS p ON v.g.STDistance(p.g) <= {RADIUS}",
    f"SELECT v.id AS n, p.id FROM visits v JOIN points p ON {NEAR.format(q='v.', r=RADIUS)} "
    f"AND {SQUARE.format(q='v.')} <= {RADIUS} ** 2",
)


def table(points: Floats) -> pa.Table:
    columns = {axis: points[:, place] for place, axis in enumerate("xyz")}
    return pa.table({"id": np.arange(len(points), dtype=np.int32), **columns})


def box(center: Floats) -> str:
    """A cube as HQL's text of a hull."""
    corners = [
        " ".join(repr(c + s) for c, s in zip(center.tolist(), sides, strict=True))
        for sides in product((-REACH, REACH), repeat=3)
    ]
    return f"HULL Z ({', '.join(corners)})"


def asks(database: hql.Connection, peer: Any, what: str) -> dict[str, Callable[[Floats], Any]]:
    """Rows for one center."""
    our_text, their_text = QUERIES[what]

    def ours(center: Floats) -> pa.Table:
        given: dict[str, Any] = dict(zip("xyz", center.tolist(), strict=True))
        if what == "box":
            given = {"box": box(center)}
        return database.execute(our_text, given).fetch_arrow_table()

    def theirs(center: Floats) -> pa.Table:
        given = dict(zip("xyz", center.tolist(), strict=True))
        return peer.sql(their_text, params=given).to_arrow_table()

    return {OURS: ours, PEER: theirs}


def same(tables: dict[str, pa.Table]) -> None:
    """The same rows, in any order."""
    first, other = (sorted(zip(*t.to_pydict().values(), strict=True)) for t in tables.values())
    assert first == other, (len(first), len(other))


def measure(count: int, centers_count: int, repeat: int) -> list[Row]:
    dice = np.random.default_rng(0)
    points = clustered(count, dice)
    visits = points[dice.integers(0, count, VISITS)] + dice.normal(size=(VISITS, 3), scale=0.1)
    rows = []
    with hql.connect(":memory:") as database, duckdb.connect() as peer:
        database.execute(OUR_TABLES, {"rows": table(points), "visits": table(visits)})
        peer.register("given", table(points))
        peer.register("given_visits", table(visits))
        peer.execute(THEIR_TABLES)
        built = shortest({OURS: lambda: _build(database)}, 1)
        rows.append(Row(f"CREATE INDEX, {count:,} points", milliseconds(built), "ms"))
        for what in QUERIES:
            both = asks(database, peer, what)
            for center in visits[:20]:
                same({name: ask(center) for name, ask in both.items()})
            runs = {
                name: lambda ask=ask: [ask(c) for c in visits[:centers_count]]
                for name, ask in both.items()
            }
            taken = {n: s / centers_count for n, s in shortest(runs, repeat).items()}
            rows.append(Row(f"{what}, one statement", milliseconds(taken), "ms"))
        joins: dict[str, Callable[[], pa.Table]] = {
            OURS: lambda: database.execute(JOIN[0]).fetch_arrow_table(),
            PEER: lambda: peer.sql(JOIN[1]).to_arrow_table(),
        }
        same({name: join() for name, join in joins.items()})
        taken = milliseconds(shortest(joins, min(repeat, 2)))
        rows.append(Row(f"join by distance with {VISITS:,} rows", taken, "ms"))
    return rows


def _build(database: hql.Connection) -> None:
    database.execute(f"DROP INDEX IF EXISTS places ON points; {INDEX}")


def benchmark(full: bool) -> str:
    size = (1_000_000, 20, 5) if full else (100_000, 10, 2)
    note = (
        "Clustered points; balls and cubes hold about 130 of the million. Ours finds them through "
        "an R-tree; DuckDB, whose spatial extension is not to be had without a network, reads "
        "plain columns x, y and z with all its threads."
    )
    return markdown("Points in space through SQL", measure(*size), note)


if __name__ == "__main__":
    run_alone(benchmark)
