"""SIGKILL of a server at random moments while many clients commit, by both doors: every commit that
was acknowledged is there, none is there by half, and clients saw an error, never a wrong answer."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server_process import Process, serving

from hartonomous import hql

#: clients of each door, rows of one commit, kills
CLIENTS, PARTS, ROUNDS = 6, 3, 6
PATIENCE = 60.0
pytestmark = pytest.mark.slow

TABLES = """
CREATE TABLE log (client INT, n INT, part INT, s NVARCHAR(40), PRIMARY KEY (client, n, part));
CREATE TABLE counters (client INT PRIMARY KEY, n INT)
"""


class Client(threading.Thread):
    """Commits, reads its own commits and looks at everybody's until the server is gone.
    `acknowledged` is its last commit that it was told of; `wrong` what must not have been."""

    def __init__(self, number: int, last: int, connect: Callable[[], Any]) -> None:
        super().__init__()
        self.number, self.acknowledged, self._connect = number, last, connect
        self.wrong: list[str] = []
        self.lost: BaseException | None = None

    def run(self) -> None:
        import psycopg

        try:
            db = self._connect()
            while True:
                self.commit(db, self.acknowledged + 1)
                self.acknowledged += 1
                self.look(db)
        except (hql.OperationalError, psycopg.OperationalError) as error:
            self.lost = error
        except BaseException as error:
            self.wrong.append(f"{type(error).__name__}: {error}")

    def commit(self, db: Any, n: int) -> None:
        """One transaction of several rows and a counter, whose rows come in two statements."""
        filler = "x" * random.Random(n).randint(0, 40)
        with db.transaction():
            for part in range(PARTS):
                db.execute(f"INSERT INTO log VALUES ({self.number}, {n}, {part}, '{filler}')")
            if n == 1:
                db.execute(f"INSERT INTO counters VALUES ({self.number}, 1)")
            else:
                db.execute(f"UPDATE counters SET n = {n} WHERE client = {self.number}")

    def look(self, db: Any) -> None:
        text = f"SELECT n FROM counters WHERE client = {self.number}"
        found = [tuple(row) for row in db.execute(text).fetchall()]
        if found != [(self.acknowledged,)]:
            self.wrong.append(f"{found} after commit {self.acknowledged}")
        text = "SELECT client, COUNT(*) AS c FROM log GROUP BY client"
        halves = [tuple(row) for row in db.execute(text).fetchall() if row[1] % PARTS]
        if halves:
            self.wrong.append(f"half a commit is seen: {halves}")


def by_wire(server: Process) -> Callable[[], Any]:
    return lambda: hql.connect(f"hql://127.0.0.1:{server.port}/")


def by_postgres(server: Process) -> Callable[[], Any]:
    import psycopg

    port = int(server.said.partition("on port ")[2].split()[0])
    return lambda: psycopg.connect(f"postgresql://anna@127.0.0.1:{port}/db", autocommit=True)


def check(db: Any, acknowledged: dict[int, int]) -> dict[int, int]:
    """That all is there which was acknowledged, and nothing by half; the last commit of each."""
    counters = dict(db.execute("SELECT client, n FROM counters").fetchall())
    parts: Counter[tuple[int, int]] = Counter()
    for client, n, _ in db.execute("SELECT client, n, part FROM log").fetchall():
        parts[client, n] += 1
    for client, last in acknowledged.items():
        # one commit may have been under way
        assert last <= counters.get(client, 0) <= last + 1, (client, last, counters)
    expected = {(client, n) for client, last in counters.items() for n in range(1, last + 1)}
    assert parts == dict.fromkeys(expected, PARTS)
    return counters


def test_killed_while_many_commit(tmp_path: Path) -> None:
    chance = random.Random(11)
    acknowledged = dict.fromkeys(range(2 * CLIENTS), 0)
    for round_ in range(ROUNDS):
        with serving(tmp_path / "db", "--postgres-port", "0") as server:
            with hql.connect(f"hql://127.0.0.1:{server.port}/") as db:
                if round_ == 0:
                    db.execute(TABLES)
                before = acknowledged = {**acknowledged, **check(db, acknowledged)}
            doors = [by_wire(server)] * CLIENTS + [by_postgres(server)] * CLIENTS
            clients = [Client(i, acknowledged[i], door) for i, door in enumerate(doors)]
            for client in clients:
                client.start()
            end = time.monotonic() + PATIENCE
            while any(c.acknowledged == before[c.number] for c in clients):
                assert time.monotonic() < end and not any(c.wrong for c in clients)
                time.sleep(0.01)
            time.sleep(chance.random() * 0.5)
            server.signal(signal.SIGKILL)
            for client in clients:
                client.join(PATIENCE)
                assert client.lost is not None and client.wrong == [], client.wrong
            acknowledged = {c.number: c.acknowledged for c in clients}
    with hql.connect(tmp_path / "db") as db:
        check(db, acknowledged)
        assert db.execute("VERIFY DATABASE").fetchall() == []
