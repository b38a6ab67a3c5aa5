"""The wire's door, by a client that sends frames: answers, order, credit, cancelling, limits."""

from __future__ import annotations

import math
import struct
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgpack
import pyarrow as pa
import pytest
from certificates import Authority
from servers import ServerThread, serving
from wire_client import LONG, MANY_ROWS, WireClient, types

from hartonomous import hql
from hartonomous.hql.advance import Advance
from hartonomous.server import wire
from hartonomous.server.sessions import ServerSession
from hartonomous.server.wire_values import encode, table_bytes

# --- answers -------------------------------------------------------------------------------------


def test_a_text_gives_its_results_in_order(client: WireClient) -> None:
    text = "PRINT 'a'; SELECT 1 AS n; CREATE TABLE #t (n INT); SELECT 2 AS m"
    frames = client.query(text)
    assert types(frames) == [
        *("notice", "finished"),
        *("columns", "rows", "finished"),
        "finished",
        *("columns", "rows", "finished"),
        "complete",
    ]
    assert [f["last"] for f in frames if f["type"] == "columns"] == [False, True]
    assert [("state" in f) for f in frames if f["type"] == "columns"] == [False, True]
    assert frames[-1]["rows"] == 2


def test_a_schema_is_sent_once(client: WireClient) -> None:
    first, second = client.query("SELECT 1 AS n"), client.query("SELECT 1 AS n")
    assert "arrow" in first[0] and "arrow" not in second[0]
    assert first[0]["schema"] == second[0]["schema"]
    field = client.schemas[first[0]["schema"]].field("n")
    assert field.metadata == {b"hql.type": b"INT"}
    for number in range(wire.EventWriter.SCHEMAS_MAX):  # numbers are given anew in turn
        client.query(f"SELECT 1 AS n{number}")
    again = client.query("SELECT 1 AS n")
    assert "arrow" in again[0]
    assert client.rows("SELECT 7 AS n") == [(7,)]


def test_a_small_answer_is_one_message(client: WireClient) -> None:
    for _ in range(3):  # known to be quick by then
        client.query("SELECT 1 AS n")
    client.send({"type": "query", "id": 1, "text": "SELECT 1 AS n"})
    assert types(client.message()) == ["columns", "rows", "finished", "complete"]


def test_what_is_quick_runs_at_once(server: ServerThread) -> None:
    with WireClient(server.server.port) as client:
        session = server.server.engine.sessions[client.welcome["session"]]

        def is_quick(text: str, params: Any = None) -> bool:
            return server.call(lambda: session.quick.knows(text, params))

        client.query(
            "CREATE TABLE quick (id INT PRIMARY KEY, n INT); INSERT INTO quick VALUES (1, 2)"
        )
        text = "SELECT n FROM quick WHERE id = @id"
        others = (
            "SELECT n FROM quick WHERE n = 2",
            "SELECT 1; SELECT 2",
            "INSERT INTO quick VALUES (3, 4)",
            "SELECT COUNT(*) FROM quick",
        )
        for _ in range(20):  # a busy machine takes its time
            assert client.rows(text, {"id": 1}) == [(2,)]
            if is_quick(text, {"id": 2}):
                break
        assert is_quick(text, {"id": 2})
        assert not is_quick(text, {"id": 1.0}) and not is_quick(text, {"id": 2**40})
        for other in others:
            client.query(other)
            assert not is_quick(other), other
        assert client.rows(text, {"id": 3}) == [(4,)]
        assert client.query(text, {"id": "x"})[-1]["code"] == "BAD_CAST"
        assert client.query(text)[-1]["code"] == "UNKNOWN_VARIABLE"
        client.query("SELECT 1 AS n INTO #t")
        assert not is_quick(text, {"id": 2})  # it may have another table of the name
        client.query("DROP TABLE #t")
        assert is_quick(text, {"id": 2})
        client.query("BEGIN TRAN; ALTER TABLE quick ADD m INT")
        assert not is_quick(text, {"id": 2})
        client.query("ROLLBACK; DROP TABLE quick")
        assert not is_quick(text, {"id": 2})
        assert client.query(text, {"id": 1})[-1]["code"] == "UNKNOWN_TABLE"


def test_errors_have_all_that_is_known(client: WireClient) -> None:
    client.query("CREATE OR ALTER PROCEDURE p AS BEGIN SELECT 1 / 0 END")
    error = client.query("PRINT 'x'\nEXEC p")[-1]
    assert (error["code"], error["sqlstate"]) == ("DIVISION_BY_ZERO", "22012")
    assert (error["kind"], error["class"]) == ("DataError", "ExecutionFault")
    assert error["routine"] == "procedure dbo.p" and error["calls"] == ["line 2"]
    raised = client.query("THROW 50001, 'mine', 3")[-1]
    assert raised["raised"][0] == 50001 and raised["message"] == "mine"
    assert wire.error_of(raised).place == "line 1, column 1"


def test_what_was_said_before_an_error_is_heard(client: WireClient) -> None:
    frames = client.query("PRINT 'one'; SELECT 1 / 0")
    assert types(frames) == ["notice", "finished", "error"]


def test_commits_and_transactions(client: WireClient) -> None:
    first = client.query(
        "CREATE TABLE c (n INT IDENTITY(5, 1), m INT); INSERT INTO c (m) VALUES (1)"
    )
    assert first[-1]["commit"] > 0 and first[-1]["state"]["last_identity"] == 5
    assert client.query("SELECT m FROM c")[-1]["commit"] is None
    begun = client.ask({"type": "begin", "id": 2})
    assert begun[0]["state"]["in_transaction"]
    assert client.ask({"type": "begin", "id": 2})[0]["code"] == "TRANSACTION"
    client.query("DELETE FROM c")
    assert client.rows("SELECT COUNT(*) FROM c") == [(0,)]
    assert client.ask({"type": "rollback", "id": 2})[0]["state"]["in_transaction"] is False
    assert client.rows("SELECT COUNT(*) FROM c") == [(1,)]
    assert client.ask({"type": "set", "id": 3, "branch": "nowhere"})[0]["code"] == "NOT_FOUND"
    off = client.ask({"type": "set", "id": 3, "autocommit": False})[0]["state"]
    assert off["autocommit"] is False


def test_prepared_statements(client: WireClient) -> None:
    client.send(
        {"type": "prepare", "statement": 1, "text": "SELECT @a + 1 AS n"},
        {"type": "execute", "id": 1, "statement": 1, "params": {"a": 1}},
        {"type": "execute", "id": 2, "statement": 1, "params": {"a": 2}},
    )
    assert client.decode(client.answer(1)) == [(2,)]
    assert client.decode(client.answer(2)) == [(3,)]
    client.send({"type": "forget", "statement": 1}, {"type": "execute", "id": 3, "statement": 1})
    assert client.answer(3)[0]["code"] == "WIRE"


def test_frames_share_variables(client: WireClient) -> None:
    client.ask({"type": "open_frame", "id": 1, "frame": 7, "params": {"x": 2}})
    client.query("DECLARE @y INT = @x * 2", frame=7)
    assert client.rows("SELECT @y + @x AS n", frame=7) == [(6,)]
    asked = {"type": "ask", "id": 1, "about": "values", "frame": 7, "names": ["y", "x"]}
    assert client.ask(asked)[0]["value"] == {"y": 4}  # x is a parameter, no variable
    client.ask({"type": "close_frame", "id": 1, "frame": 7})
    assert client.query("SELECT 1", frame=7)[-1]["code"] == "TRANSACTION"


def test_what_is_asked_of_procedures(client: WireClient) -> None:
    client.query("CREATE OR ALTER PROCEDURE q @a INT, @b INT OUTPUT AS SET @b = @a")
    asked = client.ask({"type": "ask", "id": 1, "about": "procedure", "name": "q"})
    assert asked[0]["value"] == [["a", "INT", False], ["b", "INT", True]]
    assert (
        client.ask({"type": "ask", "id": 1, "about": "procedure", "name": "z"})[0]["value"] is None
    )


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (None, "NULL", None),
        (True, "BIT", True),
        (3, "INT", 3),
        (2**40, "BIGINT", 2**40),
        (1.5, "FLOAT", 1.5),
        ("é", "NVARCHAR", "é"),
        (b"\0\1", "VARBINARY", b"\0\1"),
        ([1, 2.5], "VECTOR(2)", [1.0, 2.5]),
        ({"a": [1]}, "JSON", '{"a": [1]}'),
        (msgpack.ExtType(1, b"-12.50"), "DECIMAL(4,2)", Decimal("-12.50")),
        (msgpack.ExtType(10, b"\xff"), "TINYINT", -1),
        (msgpack.ExtType(7, struct.pack("<2f", 1, 2)), "VECTOR(2)", [1.0, 2.0]),
        (msgpack.ExtType(9, b"[1]"), "JSON", "[1]"),
    ],
)
def test_parameters_have_their_types(client: WireClient, value: Any, kind: str, shown: Any) -> None:
    frames = client.query("SELECT @v AS v", {"v": value})
    assert frames[-1]["type"] == "complete", frames[-1]
    assert client.decode(frames) == [(shown,)]
    field = client.schemas[frames[0]["schema"]].field("v")
    assert field.metadata[b"hql.type"].decode() == kind


@pytest.mark.parametrize(
    "value",
    [
        msgpack.ExtType(99, b""),
        msgpack.ExtType(1, b"NaN!"),
        msgpack.ExtType(2, b"\xff\xff\xff\x7f"),
        msgpack.ExtType(3, struct.pack("<q", -1)),
        msgpack.ExtType(6, b"short"),
        msgpack.ExtType(7, b"abc"),
        msgpack.ExtType(8, b"\1" + struct.pack("<diI", 0, 0, 2**31)),
        msgpack.ExtType(20, b"no arrow"),
        msgpack.ExtType(21, struct.pack("<I", 9)),
    ],
)
def test_a_value_that_is_none_fails_its_statement_alone(client: WireClient, value: Any) -> None:
    assert client.query("SELECT @v AS v", {"v": value})[-1]["code"] == "PARAMETER"
    assert client.rows("SELECT 1 AS n") == [(1,)]


def test_tables_in_place_and_uploaded(client: WireClient) -> None:
    data = table_bytes(pa.table({"n": [1, 2, 3]}))
    text = "SELECT SUM(n) AS s FROM @t"
    assert client.rows(text, {"t": msgpack.ExtType(20, data)}) == [(6,)]
    client.send(
        {"type": "upload", "upload": 5, "data": data[:100]},
        {"type": "upload", "upload": 5, "data": data[100:], "last": True},
    )
    named = msgpack.ExtType(21, struct.pack("<I", 5))
    assert client.rows(text, {"t": named}) == [(6,)]
    assert client.query(text, {"t": named})[-1]["code"] == "PARAMETER"  # it is used up


def test_compressed_and_endless_tables_are_refused(client: WireClient) -> None:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    table = pa.table({"n": pa.array([0] * 100_000)})
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    data = bytes(sink.getvalue())
    error = client.query("SELECT 1 FROM @t", {"t": msgpack.ExtType(20, data)})[-1]
    assert error["code"] == "PARAMETER" and "compressed" in error["message"]
    endless = table_bytes(pa.table({"n": pa.nulls(10_000_000)}))
    error = client.query("SELECT 1 FROM @t", {"t": msgpack.ExtType(20, endless)})[-1]
    assert error["code"] == "PARAMETER" and "10,000,000 rows" in error["message"]


def test_sets_of_parameters(client: WireClient) -> None:
    client.query("CREATE TABLE m (a INT PRIMARY KEY, b NVARCHAR(10))")
    many = {"type": "many", "id": 1, "text": "INSERT INTO m VALUES (?, ?)"}
    assert client.ask({**many, "sets": [[1, "x"], [2, "y"]]})[0]["row_count"] == 2
    data = b"".join(msgpack.packb([i, None]) for i in range(3, 6))
    client.send({"type": "upload", "upload": 1, "data": data, "last": True})
    assert client.ask({**many, "upload": 1})[0]["row_count"] == 3
    assert client.ask({**many, "sets": [[9, "z"], [1, "x"]]})[-1]["code"] == "UNIQUE_VIOLATION"
    assert client.rows("SELECT COUNT(*) FROM m") == [(5,)]


# --- order, credit, cancelling -------------------------------------------------------------------


def test_rows_come_as_there_is_credit(client: WireClient) -> None:
    client.send({"type": "query", "id": 1, "text": MANY_ROWS, "credit": 2})
    got = [f for f in client.message() if f["type"] == "rows"]
    while len(got) < 2:
        got += [f for f in client.message() if f["type"] == "rows"]
    client.send({"type": "ping", "id": 2})
    assert types(client.message()) == ["pong"]  # and no rows before it
    client.send({"type": "query", "id": 3, "text": "SELECT 5 AS n"})
    assert client.decode(client.answer(3)) == [(5,)]  # others go on
    client.send({"type": "credit", "id": 1, "n": 1_000})
    assert client.answer(1)[-1]["rows"] == 2_000_000


def test_stepwise_statements_wait_to_be_asked(client: WireClient) -> None:
    client.query("CREATE TABLE s (n INT)")
    text = "SELECT 1 AS n; INSERT INTO s VALUES (1)"
    client.send({"type": "query", "id": 1, "text": text, "stepwise": True})
    while "finished" not in types(client.message()):
        pass
    client.send({"type": "query", "id": 2, "text": "SELECT COUNT(*) FROM s"})
    assert client.decode(client.answer(2)) == [(0,)]
    client.send({"type": "next", "id": 1}, {"type": "next", "id": 1})
    assert types(client.answer(1)) == ["finished", "complete"]
    assert client.rows("SELECT COUNT(*) FROM s") == [(1,)]


def test_cancel_what_runs_what_waits_and_what_is_paused(client: WireClient) -> None:
    client.send({"type": "query", "id": 1, "text": MANY_ROWS, "credit": 1})
    client.message()
    client.send(
        {"type": "query", "id": 2, "text": LONG}, {"type": "query", "id": 3, "text": "SELECT 1"}
    )
    client.send(
        {"type": "cancel", "id": 3}, {"type": "cancel", "id": 2}, {"type": "cancel", "id": 1}
    )
    codes = {}
    while len(codes) < 3:
        codes |= {f["id"]: f["code"] for f in client.message() if f["type"] == "error"}
    assert set(codes.values()) == {"CANCELLED"}
    client.send({"type": "query", "id": 4, "text": LONG}, {"type": "cancel"})
    assert client.answer(4)[-1]["code"] == "CANCELLED"
    assert client.rows("SELECT 1 AS n") == [(1,)]


def test_a_closed_statement_is_done(client: WireClient) -> None:
    client.send({"type": "query", "id": 1, "text": MANY_ROWS, "credit": 1})
    client.message()
    client.send({"type": "close", "id": 1})
    assert client.answer(1)[-1]["type"] == "done"
    assert client.ask({"type": "query", "id": 1, "text": "SELECT 1"})[-1]["type"] == "complete"


def test_time_limits(client: WireClient) -> None:
    assert client.query(LONG, timeout=0.05)[-1]["code"] == "TIMEOUT"
    text = "SELECT * FROM (SELECT value FROM GENERATE_SERIES(1, 3000000)) s ORDER BY value DESC"
    assert client.query(text, memory=1_000)[-1]["code"] == "MEMORY"


def test_a_client_that_vanishes_leaves_nothing(server: ServerThread) -> None:
    client = WireClient(server.server.port)
    client.query("BEGIN TRAN; CREATE TABLE vanished (n INT)")
    client.send({"type": "query", "id": 2, "text": LONG})
    time.sleep(0.05)
    number = client.welcome["session"]
    client.close()
    sessions = server.server.engine.sessions
    deadline = time.monotonic() + 20
    while number in sessions and time.monotonic() < deadline:
        time.sleep(0.01)
    assert number not in sessions and server.server.engine.threads.running == 0
    with WireClient(server.server.port) as other:
        assert other.query("SELECT * FROM vanished")[-1]["code"] == "UNKNOWN_TABLE"


def test_what_is_said_while_a_statement_runs_is_heard_then(client: WireClient) -> None:
    client.send({"type": "query", "id": 1, "text": "PRINT 'first'; WAITFOR DELAY '00:05:00'"})
    assert client.message()[0] == {"type": "notice", "id": 1, "text": "first"}
    client.send({"type": "cancel", "id": 1})
    assert client.answer(1)[-1]["code"] == "CANCELLED"


def test_how_far_a_long_statement_is(client: WireClient, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Advance(100)
    advance.done = 25
    monkeypatch.setattr(ServerSession, "advance", property(lambda session: advance))
    client.send({"type": "query", "id": 1, "text": "WAITFOR DELAY '00:05:00'"})
    assert client.message()[0] == {"type": "progress", "id": 1, "share": 0.25, "text": "25 rows"}
    client.send({"type": "cancel", "id": 1})
    assert client.answer(1)[-1]["code"] == "CANCELLED"


def test_rows_arrive_whole_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue()
    with (
        serving(certificate=str(certificate), key=str(key)) as server,
        hql.connect(server.url, ca_file=str(authority.file)) as db,
    ):
        table = db.execute("SELECT value FROM GENERATE_SERIES(1, 400000)").fetch_arrow_table()
        assert table["value"].to_pylist() == list(range(1, 400_001))


def test_values_go_there_and_back() -> None:
    assert encode("x", 2**70) == msgpack.ExtType(1, str(2**70).encode())


@pytest.mark.parametrize(
    "limit", [{"memory": -1}, {"timeout": -1.0}, {"timeout": math.nan}], ids=str
)
def test_limits_that_are_no_amounts(server: ServerThread, limit: dict[str, float]) -> None:
    """-1 is no limit to the engine, and nothing is later than not-a-number: both would be under
    every limit of the server's."""
    for frame in (
        {"type": "query", "id": 1, "text": "SELECT 1 AS x", **limit},
        {"type": "many", "id": 1, "text": "SELECT ? AS x", "sets": [[1]], **limit},
    ):
        with WireClient(server.server.port) as client:
            client.send(frame)
            (error,) = client.message()
            assert error["id"] is None and error["code"] == "WIRE"


@pytest.mark.parametrize("memory", [2**63, 2**64 - 1])
def test_more_memory_than_there_is_numbers_for(client: WireClient, memory: int) -> None:
    text = "SELECT COUNT(*) AS n FROM GENERATE_SERIES(1, 10)"
    assert client.rows(text, memory=memory) == [(10,)]
