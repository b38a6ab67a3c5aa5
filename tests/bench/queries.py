"""Filter, group by, join, window and sort, against DuckDB over the same Arrow data."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from data import DIMENSIONS, FACTS, dimensions, facts
from harness import OURS, Row, markdown, milliseconds, run_alone, shortest

from hartonomous import hql

QUERIES = {
    "filter": "SELECT id, x, word FROM facts WHERE x < 0.05 AND g >= 500",
    "filter on ascending ids": "SELECT id, x FROM facts WHERE id >= 1000 AND id < 2000",
    "group by 1,000": "SELECT g, COUNT(*) AS n, SUM(x) AS total, AVG(y) AS mean "
    "FROM facts GROUP BY g",
    "group by rows / 10": "SELECT k, COUNT(*) AS n, SUM(x) AS total FROM facts GROUP BY k",
    "join and group": "SELECT d.name, COUNT(*) AS n, SUM(f.x) AS total "
    "FROM facts f JOIN dimensions d ON f.g = d.g GROUP BY d.name",
    "window": "SELECT id, ROW_NUMBER() OVER (PARTITION BY g ORDER BY x) AS place FROM facts",
    "sort": "SELECT id, x FROM facts ORDER BY x",
    "top 10": "SELECT id, x FROM facts ORDER BY x LIMIT 10",
}
GOALS = {1_000_000: "1.5", 10_000_000: "1.2"}


def agree(ours: pa.Table, theirs: pa.Table) -> None:
    """The same rows, as far as counts and sums of every column tell."""
    assert ours.num_rows == theirs.num_rows, (ours.num_rows, theirs.num_rows)
    for left, right in zip(ours.columns, theirs.columns, strict=True):
        if not pa.types.is_string(left.type):
            a, b = float(pc.sum(left).as_py()), float(pc.sum(right).as_py())
            assert abs(a - b) <= 1e-6 * max(1.0, abs(b)), (a, b)


def measure(rows: int, repeat: int) -> list[Row]:
    table, names = facts(rows), dimensions()
    peer = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    peer.register("facts", table)
    peer.register("dimensions", names)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queries.hdb"
        with hql.connect(path) as database:
            database.execute(FACTS)
            database.execute(DIMENSIONS)
            database.execute("INSERT INTO facts SELECT * FROM @rows", {"rows": table})
            database.execute("INSERT INTO dimensions SELECT * FROM @rows", {"rows": names})
        with hql.connect(path) as database:
            lines = []
            for what, text in QUERIES.items():
                runs = {
                    OURS: lambda text=text: database.execute(text).fetch_arrow_table(),
                    "DuckDB": lambda text=text: peer.sql(text).to_arrow_table(),
                }
                agree(runs[OURS](), runs["DuckDB"]())
                figures = milliseconds(shortest(runs, repeat))
                lines.append(Row(f"{what}, {rows:,} rows", figures, "ms", GOALS.get(rows, "")))
    peer.close()
    return lines


def benchmark(full: bool) -> str:
    sizes = {1_000_000: 7, 10_000_000: 3} if full else {100_000: 3}
    lines = [line for rows, repeat in sizes.items() for line in measure(rows, repeat)]
    note = (
        "Ours reads mapped segments of a folder, DuckDB the same data as an Arrow table in memory."
    )
    return markdown("Queries", lines, note)


if __name__ == "__main__":
    run_alone(benchmark)
