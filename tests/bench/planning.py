"""Parsing and planning a query of 400 characters, for the first time and again."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import duckdb
from harness import OURS, Row, markdown, milliseconds, run_alone, shortest

from hartonomous import hql

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
    length = len(QUERY.format(number=10000))
    numbers = itertools.count(10000)
    repeat = 200 if full else 30
    with hql.connect(":memory:") as database, duckdb.connect(":memory:") as peer:
        for table in TABLES:
            database.execute(table)
            peer.execute(table)

        def ours(number: Callable[[], int]) -> Callable[[], object]:
            return lambda: database.execute("EXPLAIN " + QUERY.format(number=number())).fetchall()

        def theirs(number: Callable[[], int]) -> Callable[[], object]:
            return lambda: peer.execute("EXPLAIN " + QUERY.format(number=number())).fetchall()

        def fresh() -> int:
            return next(numbers)

        def same() -> int:
            return 9999

        rows = [
            Row(what, milliseconds(shortest({OURS: ours(n), "DuckDB": theirs(n)}, repeat)), "ms")
            for what, n in (("seen for the first time", fresh), ("seen before", same))
        ]
    note = "Both explain the query: parse, bind, plan and optimise, without running it."
    return markdown(f"Parsing and planning {length} characters", rows, note)


if __name__ == "__main__":
    run_alone(benchmark)
