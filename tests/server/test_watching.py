"""Watching a server: its log, figures, spans, QueryLog, sys.statements, KILL."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from http_server import HttpServer, http_server
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client.parser import text_string_to_metric_families
from servers import serving

from hartonomous import hql
from hartonomous.hql.errors import ConfigurationFault, FileFault
from hartonomous.hql.system_tables import SYSTEM_TABLES
from hartonomous.server import logs, watching
from hartonomous.server.logs import ServerLog
from hartonomous.server.tracing import Tracing, find_tracing

SECRET = "hush-hush"
DOCUMENT = (Path(__file__).parents[2] / "docs" / "WATCHING.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watching")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer]:
    log = str(folder / "server.log")
    with http_server(
        str(folder / "db"), log_file=log, log_level="debug", slow_statement=0.0, threads=1
    ) as made:
        yield made


def lines(folder: Path, event: str) -> list[dict[str, Any]]:
    """The log's lines of one kind, once they are written."""
    time.sleep(0.1)
    found = [json.loads(line) for line in (folder / "server.log").read_text().splitlines()]
    return [line for line in found if line["event"] == event]


def figures(server: HttpServer) -> dict[tuple[str, str], float]:
    """By name and the values of the labels, joined."""
    status, headers, body = server.get("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(body.decode())
    return {
        (s.name, " ".join(v for _, v in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }


def test_the_log_says_what_ran_and_no_values(server: HttpServer, folder: Path) -> None:
    server.query(f"SELECT '{SECRET}' AS a, @p AS p", {"p": SECRET})
    server.problem(f"SELEC '{SECRET}'\n\"forged\": true")
    server.problem("SELECT a FROM nowhere")
    (slow,) = (line for line in lines(folder, "slow statement") if "@P" in line["form"])
    assert slow["form"] == "SELECT ? AS A , @P AS P" and slow["level"] == "warning"
    assert slow["kind"] == "SELECT" and slow["rows"] == 1 and slow["milliseconds"] >= 0
    ended = lines(folder, "text ended")
    assert [line["outcome"] for line in ended[-3:]] == ["ok", "failed", "failed"]
    assert ended[-2]["code"] == "SYNTAX" and "kind" not in ended[-2]
    assert ended[-1]["code"] == "UNKNOWN_TABLE" and ended[-1]["kind"] == "SELECT"
    assert lines(folder, "listening")[0]["address"].startswith("hql://127.0.0.1:")
    assert SECRET not in (folder / "server.log").read_text()


def test_figures(server: HttpServer) -> None:
    server.query("CREATE TABLE figures (a INT); INSERT INTO figures VALUES (1), (2), (3)")
    server.problem("SELECT 1 / 0 AS a")
    found = figures(server)
    assert found["hql_statements_total", " CREATE TABLE"] == 1
    assert found["hql_statements_total", "DIVISION_BY_ZERO SELECT"] == 1
    assert found["hql_rows_total", "INSERT"] == 3
    assert found["hql_statement_seconds_count", "INSERT"] == 1
    assert found["hql_statement_seconds_bucket", "INSERT +Inf"] == 1
    assert found["hql_texts_total", "http failed"] >= 1
    assert found["hql_engine_threads", ""] == 1
    assert found["hql_sessions", "wire"] == 0
    assert found["hql_commit_sequence", ""] >= 2 and found["hql_wal_bytes", ""] > 0
    assert found["hql_disk_free_bytes", ""] > 0
    assert found["process_resident_memory_bytes", ""] > 1e6
    before = found["hql_loop_lag_seconds_count", ""]
    time.sleep(0.25)
    assert figures(server)["hql_loop_lag_seconds_count", ""] > before


def test_query_log_and_who_asked(server: HttpServer) -> None:
    server.query("SELECT 17 AS seventeen")
    noted = server.query(
        "SELECT Kind, Door, RowCount FROM QueryLog WHERE QueryText = 'SELECT 17 AS seventeen'"
    )
    assert noted["results"][0]["rows"] == [["SELECT", "http", 1]]
    doors = server.query("SELECT door, COUNT(*) AS n FROM sys.sessions GROUP BY door")
    assert sorted(doors["results"][0]["rows"]) == [["http", 1], ["server", 1]]


def test_what_runs_is_shown_and_can_be_killed() -> None:
    sleeping = (
        "SELECT statement_id, session_id, status FROM sys.statements "
        "WHERE text LIKE 'WAITFOR%' AND status = 'running'"
    )
    with http_server(threads=2) as server:
        for kill in ("KILL STATEMENT {}", "KILL {1}"):
            said: list[Any] = []
            ask = partial(server.problem, "WAITFOR DELAY '00:01:00'")
            thread = threading.Thread(target=lambda a=ask, s=said: s.append(a()))
            thread.start()
            while not (rows := server.query(sleeping)["results"][0]["rows"]):
                pass
            server.query(kill.format(*rows[0]))
            thread.join(10)
            assert said[0]["code"] == "CANCELLED"
        sessions = server.query("SELECT COUNT(*) AS n FROM sys.sessions")
        assert sessions["results"][0]["rows"] == [[2]]


def test_a_queued_text_is_in_sys_statements(server: HttpServer) -> None:
    """The server has one thread: what asks while it is taken waits."""
    threads = [
        threading.Thread(target=server.post, args=("/query", {"query": q}))
        for q in ("WAITFOR DELAY '00:00:00.4'", "SELECT 'q' AS queued")
    ]
    threads[0].start()
    while not server.engine.threads.running:
        time.sleep(0.001)
    threads[1].start()
    activity = server.engine.own.activity
    while not (waiting := [s for source in activity.elsewhere for s in source()]):
        time.sleep(0.001)
    assert [(s.status, s.text, s.rows) for s in waiting] == [("queued", "SELECT 'q' AS queued", 0)]
    waiting[0].cancel()
    for thread in threads:
        thread.join(10)


def test_spans() -> None:
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with http_server() as server:
        assert server.server.watching is not None
        server.server.watching.tracing = Tracing(provider)
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        server.query(f"SELECT '{SECRET}' AS a", traceparent=parent)
        server.query("SELECT 1 AS a", traceparent="nonsense")
        server.problem("SELECT 1 / 0 AS a")
    first, second, failed = memory.get_finished_spans()
    assert first.name == "SELECT" and first.attributes is not None
    assert f"{first.context.trace_id:032x}" == parent.split("-")[1]
    assert first.parent is not None and f"{first.parent.span_id:016x}" == parent.split("-")[2]
    assert first.attributes["db.query.text"] == "SELECT ? AS A"
    assert first.attributes["db.response.returned_rows"] == 1
    assert second.parent is None
    assert failed.status.status_code is StatusCode.ERROR and failed.attributes is not None
    assert failed.attributes["error.type"] == "DIVISION_BY_ZERO"


def test_where_spans_go() -> None:
    assert find_tracing({}) is None
    assert find_tracing({"OTEL_TRACES_EXPORTER": "none"}) is None
    assert find_tracing({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"}) is None
    console = find_tracing({"OTEL_TRACES_EXPORTER": "console"})
    assert console is not None
    console.close()
    with pytest.raises(ConfigurationFault, match="no OpenTelemetry exporter"):
        find_tracing({"OTEL_TRACES_EXPORTER": "nowhere"})


# --- the log itself ---


def test_lines_that_find_no_room_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LINES_MAX", 3)
    lost: list[int] = []
    held = threading.Event()

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            held.wait(10)
            return super().write(text)

    stream = Slow()
    monkeypatch.setattr("sys.stderr", stream)
    log = ServerLog("info", None, lambda: lost.append(1))
    for i in range(20):
        log.write("info", "line", number=i)
    held.set()
    log.close()
    written = [json.loads(line)["number"] for line in stream.getvalue().splitlines()]
    assert 3 <= len(written) <= 4 and len(written) + len(lost) == 20


def test_a_log_goes_round_and_survives_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 2_000)
    lost: list[int] = []
    log = ServerLog("info", str(tmp_path / "l"), lambda: lost.append(1))
    for i in range(100):
        log.write("info", "line", number=i, nothing=None, text="x" * 5_000 if i == 50 else "ä\n")
    log.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + logs.FILES and not lost
    assert json.loads(files[0].read_text().splitlines()[-1])["number"] == 99
    full = ServerLog("info", "/dev/full", lambda: lost.append(1))
    full.write("info", "line")
    full.close()
    assert lost == [1]


def test_what_a_log_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFault, match="no log level"):
        ServerLog("loud")
    with pytest.raises(FileFault):
        ServerLog("info", str(tmp_path / "no" / "l"))
    assert logging.getLogger(logs.NAME).handlers == []


def test_a_bug_is_logged_with_its_trace(
    server: HttpServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hartonomous.server.play import Play

    def broken(self: Play, say: Any) -> Any:
        raise KeyError("nobody thought of it")
        yield

    monkeypatch.setattr(Play, "events", broken)
    assert server.problem("SELECT 1 AS a")["code"] == "INTERNAL"
    (line,) = lines(folder, "internal error")
    assert "KeyError" in line["traceback"] and line["form"] == "SELECT ? AS A"


def test_watching_ends_with_the_server() -> None:
    with http_server() as server:
        activity = server.engine.own.activity
        assert len(activity.observers) == 2
    assert len(activity.observers) == 1 and activity.elsewhere == []


def test_what_a_worker_answers_is_watched_too(tmp_path: Path) -> None:
    with http_server(str(tmp_path / "db"), workers=1) as server:
        server.query("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2)")
        answered = ("hql_worker_queries_total", "answered")
        until, asked = time.monotonic() + 30, 0
        while figures(server)[answered] < 2 and time.monotonic() < until:
            server.query("SELECT a FROM t WHERE a > 0")
            asked += 1
        found = figures(server)
        assert found[answered] == 2 and found["hql_workers", ""] == 1
        noted = server.query(
            "SELECT Kind, MIN(RowCount) AS least, MAX(RowCount) AS most, SUM(Executions) AS n "
            "FROM QueryLog WHERE QueryText LIKE 'SELECT a FROM t%' GROUP BY Kind"
        )
        assert noted["results"][0]["rows"] == [["SELECT", 2, 2, asked]]


def test_kill_ends_a_session_of_the_wire() -> None:
    with serving() as server:
        victim, killer = hql.connect(server.url), hql.connect(server.url)
        victim.execute("CREATE TABLE t (a INT); BEGIN TRAN; INSERT INTO t VALUES (1)")
        ((number,),) = victim.execute("SELECT @@SPID AS n").fetchall()
        killer.execute("KILL ?", [number])
        with pytest.raises(hql.OperationalError, match="ended by KILL"):
            victim.execute("SELECT 1")
        until, left = time.monotonic() + 10, "SELECT COUNT(*) FROM sys.sessions WHERE door = 'wire'"
        while killer.execute(left).fetchall() != [(1,)] and time.monotonic() < until:
            time.sleep(0.01)
        assert killer.execute(left).fetchall() == [(1,)]
        assert killer.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]
        with pytest.raises(hql.ProgrammingError, match="server's own session"):
            killer.execute(
                "DECLARE @n INT = (SELECT session_id FROM sys.sessions WHERE door = 'server');"
                "KILL @n"
            )
        killer.close()


# --- docs/WATCHING.md ---


def test_the_document_names_what_there_is(server: HttpServer) -> None:
    table = re.findall(r"^\| ([\w, ]+) \|", DOCUMENT, re.MULTILINE)
    named = {name for cell in table for name in cell.split(", ")}
    server.query("SELECT 1 AS a")
    families = text_string_to_metric_families(server.get("/metrics")[2].decode())
    found = {f.name for f in families if f.name.startswith("hql_")}
    found = {name for name in found if not name.endswith("_created")}
    assert found == {n for n in named if n.startswith("hql_") and "worker" not in n}
    events = set(re.findall(r'"(\w[\w ]+)",? ?', Path(watching.__file__).read_text()))
    assert {"slow statement", "login refused", "session opened", "text ended"} <= events & named
    assert {field.name for field in SYSTEM_TABLES["querylog"].fields} <= named


def test_the_document_s_examples_run() -> None:
    with hql.connect(":memory:") as connection:
        for text in re.findall(r"^```hql\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL):
            connection.execute(text).fetchall()
