"""Ctrl-C in the shell, behind a pseudo-terminal: from the key to `cancelled` on the screen."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from harness import OURS, Row, markdown, run_alone

sys.path.append(str(Path(__file__).parents[1]))

from terminal_screen import ENTER, Screen, control  # noqa: E402  (a module of tests/)

#: statements that run for longer than anybody waits: the engine, a loop, a wait, rows on the way
RUNNING = {
    "a join of the engine": (
        "SELECT COUNT(*) FROM GENERATE_SERIES(1, 9000000) AS a"
        " CROSS JOIN GENERATE_SERIES(1, 9000000) AS b WHERE a.value + b.value < 0;"
    ),
    "a recursive query": (
        "WITH r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n > 0)"
        " SELECT COUNT(*) FROM r OPTION (MAXRECURSION 0);"
    ),
    "a loop": "DECLARE @i BIGINT = 0; WHILE 1 = 1 SET @i += 1;",
    "WAITFOR": "WAITFOR DELAY '01:00:00';",
}
#: seconds that a statement has run when the key is pressed
HEAD_START_S = 2.0


def cancelled_after(screen: Screen, statement: str) -> float:
    """Milliseconds from Ctrl-C to the shell's word."""
    screen.clear()
    screen.type(statement + ENTER)
    screen.wait_for("running, Ctrl-C cancels")
    time.sleep(HEAD_START_S)
    begun = time.perf_counter()
    screen.type(control("c"))
    screen.wait_for("^cancelled")
    taken = time.perf_counter() - begun
    screen.wait_for_prompt()
    screen.clear()
    screen.type("GO" + ENTER)  # variables are declared once
    screen.wait_for_prompt()
    return 1000 * taken


def benchmark(full: bool) -> str:
    rows = []
    with tempfile.TemporaryDirectory() as home, Screen(Path(home)) as screen:
        screen.wait_for_prompt()
        for name, statement in RUNNING.items():
            longest = max(cancelled_after(screen, statement) for _ in range(10 if full else 2))
            rows.append(Row(f"Ctrl-C in {name}, the longest", {OURS: longest}, "ms", goal="200"))
    return markdown("Cancelling in the shell", rows)


if __name__ == "__main__":
    run_alone(benchmark)
