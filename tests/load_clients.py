"""Many clients of one server at once: `load_clients.py URL CLIENTS SECONDS` prints as JSON how many
statements they ran, how many of them the server was too busy for, and what else went wrong.

Each client is a thread with a connection of its own and runs statements of all kinds in a drawn
order; what it reads back of its own rows is checked.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hartonomous import hql

TABLES = """
CREATE TABLE facts (id BIGINT PRIMARY KEY, a BIGINT, x FLOAT, s NVARCHAR(40));
INSERT INTO facts SELECT value, value % 1000, value * 0.5, 'fact ' || CAST(value AS NVARCHAR(20))
FROM GENERATE_SERIES(1, 100000);
CREATE TABLE notes (id BIGINT PRIMARY KEY, client INT, n INT);
CHECKPOINT
"""
#: ids of one client's notes
NOTES_EACH = 1_000_000
Step = Callable[[], None]


class Client:
    """One connection and what it did. `number` tells its rows from the others'."""

    def __init__(self, db: Any, number: int) -> None:
        self.db, self.number = db, number
        self.random = random.Random(number)
        self.written = 0
        self.total = 0
        #: kinds of statements and how often they come
        self.steps: list[tuple[Step, int]] = [
            (self.look_up, 40),
            (self.write, 15),
            (self.change, 10),
            (self.read_own, 15),
            (self.group, 5),
            (self.stream, 3),
            (self.undo, 5),
            (self.fail, 7),
        ]

    def rows(self, text: str, **given: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.db.execute(text, given).fetchall()
        return rows

    def look_up(self) -> None:
        key = self.random.randint(1, 100_000)
        assert self.rows("SELECT a, x FROM facts WHERE id = @k", k=key) == [(key % 1000, key / 2)]

    def write(self) -> None:
        key = self.number * NOTES_EACH + self.written
        self.db.execute(
            "INSERT INTO notes VALUES (@k, @c, @n)", {"k": key, "c": self.number, "n": 1}
        )
        self.written += 1
        self.total += 1

    def change(self) -> None:
        if self.written:
            key = self.number * NOTES_EACH + self.random.randrange(self.written)
            self.db.execute("UPDATE notes SET n = n + 1 WHERE id = @k", {"k": key})
            self.total += 1

    def read_own(self) -> None:
        found = self.rows("SELECT COUNT(*), SUM(n) FROM notes WHERE client = @c", c=self.number)
        assert found == [(self.written, self.total or None)], (found, self.written, self.total)

    def group(self) -> None:
        found = self.rows("SELECT a % 10, COUNT(*) FROM facts GROUP BY a % 10")
        assert sorted(found) == [(i, 10_000) for i in range(10)]

    def stream(self) -> None:
        cursor = self.db.execute("SELECT id, s FROM facts WHERE id <= 20000")
        assert sum(batch.num_rows for batch in cursor.fetch_record_batches()) == 20_000

    def undo(self) -> None:
        """A transaction that is rolled back."""
        try:
            with self.db.transaction():
                self.db.execute("UPDATE notes SET n = 0 WHERE client = @c", {"c": self.number})
                raise Undone
        except Undone:
            pass

    def fail(self) -> None:
        try:
            self.rows("SELECT 1 / CAST(@z AS INT)", z=0)
        except hql.DataError as error:
            assert error.code == "DIVISION_BY_ZERO", error
        else:
            raise AssertionError("divided by zero")


class Undone(Exception):
    """Ends a transaction by its block."""


def run(url: str, clients: int, for_seconds: float) -> dict[str, Any]:
    """What so many clients did in so many seconds."""
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    lock = threading.Lock()
    ready = threading.Barrier(clients)

    def work(number: int) -> None:
        done: Counter[str] = Counter()
        try:
            with hql.connect(url) as db:
                client = Client(db, number)
                steps, weights = zip(*client.steps, strict=True)
                ready.wait(60)
                end = time.monotonic() + for_seconds
                while time.monotonic() < end:
                    (step,) = client.random.choices(steps, weights)
                    try:
                        step()
                        done["statements"] += 1
                    except hql.OperationalError as error:
                        if error.code != "BUSY":
                            raise
                        done["busy"] += 1
        except BaseException as fault:
            ready.abort()
            with lock:
                wrong.append(f"{type(fault).__name__}: {fault}")
        with lock:
            counted.update(done)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"statements": 0, "busy": 0, **counted, "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
