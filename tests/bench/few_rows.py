"""A few rows of a large table: joined with few others, and the first ones in an order, beside
SQLite and DuckDB with the same indexes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from harness import OURS, Row, markdown, run_alone, shortest
from indexes import Run, filled, made

#: values of `k` in the small table, and rows of each
GROUPS, GROUP_ROWS = 100, 10
SMALL = (
    "CREATE TABLE u (n BIGINT PRIMARY KEY, k BIGINT, id BIGINT, a BIGINT)",
    "INSERT INTO u SELECT id, id % {groups}, id, a FROM t WHERE id < {rows}",
)
JOIN = "SELECT u.n, t.s FROM u JOIN t ON "
QUERIES = {
    "10 rows joined by key": JOIN + "t.id = u.id WHERE u.k = ?",
    "10 rows joined by an index": JOIN + "t.a = u.a WHERE u.k = ?",
    "rows IN a subquery": "SELECT id, s FROM t WHERE id IN (SELECT id FROM u WHERE k = ?)",
    "the first 10 by key": "SELECT id, s FROM t WHERE a > ? ORDER BY id LIMIT 10",
    "the last 10 by an index": "SELECT id, s FROM t WHERE id > ? ORDER BY s DESC, id LIMIT 10",
}


def benchmark(full: bool) -> str:
    count, turns, repeat = (1_000_000, 25, 4) if full else (50_000, 20, 2)
    rows = made(count)
    small = [s.format(groups=GROUPS, rows=GROUPS * GROUP_ROWS) for s in SMALL]
    lines = []
    with filled(rows, small) as runners:
        for what, text in QUERIES.items():
            given = [(k % GROUPS,) for k in range(turns)]
            answers = [sorted(run(text, given[0])) for run in runners.values()]
            assert answers[0] and [a == answers[0] for a in answers] == [True] * 3, what
            runs = {n: partial(_each, run, text, given) for n, run in runners.items()}
            figures = {n: s / turns * 1e3 for n, s in shortest(runs, repeat).items()}
            lines.append(Row(what, figures, "ms", "1 × DuckDB"))
    note = (
        f"{count:,} rows on disk with a primary key and two indexes, {GROUPS * GROUP_ROWS:,} in "
        f"the small table; {OURS} chooses by statistics and costs, as it always does."
    )
    return markdown("A few rows of a large table", lines, note)


def _each(run: Run, text: str, given: Sequence[tuple[Any, ...]]) -> None:
    for values in given:
        run(text, values)


if __name__ == "__main__":
    run_alone(benchmark)
