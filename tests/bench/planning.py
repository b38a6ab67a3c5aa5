"""Parsing and planning a query of 400 characters, for the first time and again."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import duckdb
from harness import OURS, Row, markdown, milliseconds, run_alone, shortest

from hartonomous import hql
from hartonomous.hql.syntax.parse import parse_batch

TABLES = (
    "CREATE TABLE customers (id INT, name VARCHAR(40), region INT)",
    "CREATE TABLE orders (id INT, customer INT, placed DATE, total FLOAT)",
)
QUERY = """\
WITH big AS (
    SELECT customer, SUM(total) AS spent, COUNT(*) AS n
    FROM orders WHERE placed >= CAST('2024-01-01' AS DATE) AND total > {number}
    GROUP BY customer HAVING COUNT(*) > 3
)
SELECT c.name, b.spent, RANK() OVER (PARTITION BY c.region ORDER BY b.spent DESC) AS place
FROM big b JOIN customers c ON c.id = b.customer
WHERE c.name LIKE 'A%' OR c.region IN (1, 2, 3)
ORDER BY c.region, place LIMIT 10"""


def benchmark(full: bool) -> str:
    numbers = itertools.count(10_000)
    repeat = 200 if full else 30
    with hql.connect(":memory:") as database, duckdb.connect(":memory:") as peer:
        for table in TABLES:
            database.execute(table)
            peer.execute(table)

        def text(is_new: bool) -> str:
            return QUERY.format(number=next(numbers) if is_new else 9_999)

        def runs(is_new: bool) -> dict[str, Callable[[], object]]:
            return {
                OURS: lambda: database.execute(text(is_new)).fetchall(),
                "DuckDB": lambda: peer.execute(text(is_new)).fetchall(),
            }

        parse = {OURS: lambda: parse_batch(text(is_new=True))}
        rows = [
            Row("parse, for the first time", milliseconds(shortest(parse, repeat)), "ms"),
            Row("parse, plan and run, for the first time", timed(runs(True), repeat), "ms"),
            Row("the same text again", timed(runs(False), repeat), "ms"),
        ]
        length = len(text(is_new=True))
    note = "The tables are empty: what is measured is all that happens around the rows."
    return markdown(f"Parsing and planning {length} characters", rows, note)


def timed(runs: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    return milliseconds(shortest(runs, repeat))


if __name__ == "__main__":
    run_alone(benchmark)
