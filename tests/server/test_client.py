"""What a client of a server has beside the embedded engine's interface (tests/dbapi runs that over
the wire): its address, what it costs the server, large values, the shell."""

from __future__ import annotations

import gc
import socket
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from client_sessions import cut, remote, running, wait_until
from servers import ServerThread, serving

from hartonomous import hql
from hartonomous.hql import errors
from hartonomous.hql.geometry_value import Geometry
from hartonomous.server.client_address import parse_address
from hartonomous.server.client_names import RemoteNames
from hartonomous.server.client_stream import RemoteAdvance

# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("hql://example.org", "hql://example.org:7433/"),
        ("hqls://ana:p%40ss@example.org:99/?branch=trial", "hqls://ana@example.org:99/"),
        ("hql://[::1]:7000/", "hql://[::1]:7000/"),
    ],
)
def test_addresses_are_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert str(parse_address(url)) == shown


def test_what_an_address_holds() -> None:
    found = parse_address("hqls://ana:p%40ss@h/?branch=trial&timeout=1.5&autocommit=off&memory=9")
    assert (found.host, found.port, found.is_secure) == ("h", 7433, True)
    assert (found.user, found.password) == ("ana", "p@ss")
    assert found.options == {"branch": "trial", "timeout": 1.5, "autocommit": False, "memory": 9}


@pytest.mark.parametrize(
    "url",
    [
        "hql://",
        "hql:///db",
        "hql://h:port/",
        "hql://h/db",
        "hql://h/?colour=red",
        "hql://h/?timeout=soon",
        "hql://h/?branch",
        "hql://u:secret@h:0x/",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(errors.InterfaceFault) as caught:
        hql.connect(url)
    assert "secret" not in str(caught.value)


def test_options_of_an_address_hold_unless_arguments_say_otherwise(server: ServerThread) -> None:
    url = f"{server.url}?timeout=7&autocommit=false&author=ana"
    with hql.connect(url) as db:
        assert (db.session.timeout, db.autocommit, db.session.author) == (7.0, False, "ana")
    with hql.connect(url, timeout=3, author="eve") as db:
        assert (db.session.timeout, db.session.author) == (3, "eve")


def test_nobody_is_there(server: ServerThread) -> None:
    with pytest.raises(errors.ConnectionFault, match="no answer") as caught:
        hql.connect("hql://127.0.0.1:1/")
    assert caught.value.code == "CONNECTION" and "hql serve" in str(caught.value)
    with pytest.raises(errors.ConnectionFault):
        hql.connect(server.url.replace("hql://", "hqls://"))
    with pytest.raises(errors.NotSupportedError):
        hql.connect(server.url, read_only=True)
    with pytest.raises(hql.Error, match="branch"):
        hql.connect(server.url, branch="nowhere")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "timed out"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", "404 Not Found: none"),
        (b"220 mail.example.org ESMTP\r\n\r\n", "does not answer as an HQL server"),
        (None, "does not answer as an HQL server"),
    ],
)
def test_something_else_is_there(answer: bytes | None, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                if answer is not None:
                    peer.sendall(answer)
                    peer.recv(4096)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(errors.ConnectionFault, match=said):
            hql.connect(f"hql://127.0.0.1:{listener.getsockname()[1]}/", connect_timeout=0.3)
        thread.join(20)


# --- what stays at the server --------------------------------------------------------------------


def test_results_that_nobody_reads_are_let_go_of() -> None:
    with serving(statements_max=8) as server, hql.connect(server.url) as db:
        for _ in range(12):  # more than a session may have open
            db.execute("SELECT value FROM GENERATE_SERIES(1, 3000000)").fetchone()
        gc.collect()
        db.execute("SELECT 1").fetchall()
        wait_until(lambda: running(server) == 0)
        cursor = db.execute("SELECT value FROM GENERATE_SERIES(1, 30000000)")
        cursor.fetchone()
        assert running(server) == 1
        cursor.close()
        wait_until(lambda: running(server) == 0)


def test_a_slow_reader_holds_little(server: ServerThread, db: Any) -> None:
    reader = db.execute("SELECT value, value AS b FROM GENERATE_SERIES(1, 30000000)")
    batches = reader.fetch_record_batches()
    batches.read_next_batch()
    session = remote(db)
    db.execute("SELECT 1").fetchall()
    (stream,) = session._open_streams()
    assert stream._incoming is not None and len(stream._incoming._batches) <= 8
    assert sum(batch.num_rows for batch in (batches.read_next_batch() for _ in range(30))) > 10_000


def test_batches_are_not_copied_for_python(server: ServerThread, db: Any) -> None:
    table = db.execute("SELECT value FROM GENERATE_SERIES(1, 500000)").fetch_arrow_table()
    assert table.column(0).to_pylist() == list(range(1, 500_001))
    assert table.schema.metadata is None


def test_long_texts_that_come_again_are_prepared(server: ServerThread, db: Any) -> None:
    session = remote(db)
    sent: list[int] = []
    send = session._transport.send
    session._transport.send = lambda message: (sent.append(len(message)), send(message))[1]  # type: ignore[method-assign]
    text = f"SELECT @a AS a -- {'long ' * 100}"
    for i in range(4):
        assert db.execute(text, {"a": i}).fetchall() == [(i,)]
    assert sent[0] > 500 and sent[1] > 500 and max(sent[2:]) < 100
    for i in range(140):  # more than are kept
        for _ in range(2):
            assert db.execute(f"SELECT {i} -- {'long ' * 100}").fetchall() == [(i,)]
    assert db.execute(text, {"a": 9}).fetchall() == [(9,)]
    with pytest.raises(errors.ParameterFault):
        db.execute(text, {"a": "x" * (17 << 20)})
    for i in range(3):
        assert db.execute(text, {"a": i}).fetchall() == [(i,)]
    wrong = f"SELEC {'long ' * 100}"
    for _ in range(3):
        with pytest.raises(errors.SyntaxFault):
            db.execute(wrong)
    cut(db)
    assert db.execute(text, {"a": 3}).fetchall() == [(3,)]


# --- values that are large or unusual ------------------------------------------------------------


def test_tables_and_sets_of_any_size(server: ServerThread, db: Any) -> None:
    for count in (10, 60_000):
        table = pa.table({"a": list(range(count)), "b": [str(i) for i in range(count)]})
        rows = db.execute("SELECT COUNT(*), SUM(a), MAX(LEN(b)) FROM @t", {"t": table}).fetchone()
        assert rows == (count, count * (count - 1) // 2, len(str(count - 1)))
        reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(1_000))
        assert db.execute("SELECT COUNT(*) FROM @t", {"t": reader}).fetchone() == (count,)
    db.execute("CREATE TABLE #s (a INT, b NVARCHAR(MAX), v VECTOR(3), g GEOMETRY)")
    sets = [(i, "é" * 50, [1, 2, i], Geometry.from_wkt("POINT (1 2)")) for i in range(500)]
    assert db.executemany("INSERT INTO #s VALUES (?, ?, ?, ?)", sets).rowcount == 500
    assert db.execute("SELECT COUNT(*), MAX(a) FROM #s").fetchone() == (500, 499)


def test_what_is_larger_than_a_server_takes(db: Any) -> None:
    with pytest.raises(errors.ParameterFault, match="the server takes"):
        db.execute("SELECT LEN(?)", ["x" * (17 << 20)])
    with pytest.raises(errors.ParameterFault, match="10,001 parameters"):
        db.execute("SELECT ?" + ", ?" * 10_000, [1] * 10_001)
    limits = remote(db).limits
    remote(db).limits = {**limits, "upload_bytes": 1 << 20}
    with pytest.raises(errors.ParameterFault, match="at once"):
        db.executemany("SELECT ?", (["x" * 1000] for _ in range(10_000)))
    assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_a_value_larger_than_a_message_is_uploaded_in_parts(db: Any) -> None:
    value = b"x" * (remote(db).limits["message_bytes"] + 1)
    size = "SELECT DATALENGTH(a) FROM @rows"
    rows = {"rows": pa.table({"a": [value]})}
    assert db.execute(size, rows).fetchall() == [(len(value),)]
    db.execute("CREATE TABLE #big (a VARBINARY)")
    assert db.executemany("INSERT INTO #big VALUES (?)", [(value,), (b"",)]).rowcount == 2
    assert db.execute("SELECT SUM(DATALENGTH(a)) FROM #big").fetchone() == (len(value),)


@pytest.mark.parametrize("sets", [[{1: 2}], [["\ud800"]], [[2**200]], [[object()]], ["ab"], [1]])
def test_sets_that_are_none(db: Any, sets: Any) -> None:
    with pytest.raises(errors.ParameterFault):
        db.executemany("SELECT ?", sets)
    assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_errors_of_merges_bring_their_rows(db: Any) -> None:
    db.execute("CREATE TABLE m (a INT PRIMARY KEY, b INT); INSERT INTO m VALUES (1, 1)")
    db.execute("CREATE BRANCH side; UPDATE m SET b = 2; USE BRANCH side; UPDATE m SET b = 3")
    with pytest.raises(errors.HistoryFault) as caught:
        db.execute("USE BRANCH main; MERGE BRANCH side")
    assert caught.value.rows is not None and caught.value.rows.num_rows == 1
    with pytest.raises(errors.RaisedFault) as raised:
        db.execute("THROW 50001, 'mine', 3")
    assert (raised.value.number, raised.value.state) == (50001, 3)


# --- the shell -----------------------------------------------------------------------------------


def test_completion_asks_the_server(server: ServerThread, db: Any) -> None:
    from hartonomous.hql.shell.completion_commands import complete_typed

    db.execute("CREATE TABLE IF NOT EXISTS seen (first_one INT, second_one INT)")
    frame = db.session.open_frame({"given": 1})
    list(db.session.results("DECLARE @own INT = 1", frame=frame))
    names = db.session.names(frame)
    assert isinstance(names, RemoteNames)

    def offered(text: str) -> list[str]:
        cursor = text.index("|")
        return [c.text for c in complete_typed(text.replace("|", ""), cursor, names)]

    assert "seen" in offered("SELECT * FROM |") and "seen" in offered("DROP TABLE |")
    assert offered("SELECT f| FROM seen")[0] == "first_one"
    assert offered("SELECT s.| FROM (SELECT * FROM seen) AS s") == ["first_one", "second_one"]
    assert {"@own", "@given"} <= set(offered("SELECT @|"))
    frame.close()


def test_frames_keep_variables(server: ServerThread, db: Any) -> None:
    frame = db.session.open_frame()
    said: list[str] = []
    list(db.session.results("DECLARE @v INT = 5; PRINT @v", messages=said, frame=frame))
    (result,) = db.session.results("SELECT @v + 1", frame=frame)
    assert result.to_table().to_pylist()[0] == {"expr1": 6} and said == ["5"]
    assert frame.values(["v"]) == {"v": 5}
    frame.close()
    frame.close()
    with pytest.raises(hql.ProgrammingError):
        db.execute("SELECT @v")


def test_results_come_step_by_step(server: ServerThread, db: Any) -> None:
    db.execute("CREATE TABLE #steps (a INT)")
    results = db.session.results("SELECT 1; INSERT INTO #steps VALUES (1); SELECT 2")
    next(results)
    assert db.execute("SELECT COUNT(*) FROM #steps").fetchone() == (0,)
    next(results)
    assert db.execute("SELECT COUNT(*) FROM #steps").fetchone() == (1,)
    assert next(results).to_table().num_rows == 1
    assert next(results, None) is None
    wait_until(lambda: running(server) == 0)


def test_copy_of_the_shell_is_of_this_machine(tmp_path: Path) -> None:
    """The server may touch no file; the shell's are read and written here."""
    import io

    from hartonomous.hql.shell.state import Shell

    with serving() as server:
        out = io.BytesIO()
        shell = Shell(hql.connect(server.url), out=out)
        db = shell.connection
        db.execute("CREATE TABLE t (id INT IDENTITY, a INT DEFAULT 5, b NVARCHAR(9), v VECTOR(2))")
        (tmp_path / "it's.csv").write_text("B,a\nx,1\n,2\n")
        assert shell.enter(rf"""\copy t FROM "{tmp_path}/it's.csv" """)
        assert shell.enter(rf"\copy t (v) FROM {tmp_path}/it's.csv") is False
        (tmp_path / "bare.csv").write_text("y;[1,2]\n")
        assert shell.enter(
            rf"\copy t (b, v) FROM {tmp_path}/bare.csv (HEADER = OFF, DELIMITER = ';')"
        )
        rows = db.execute("SELECT id, a, b FROM t ORDER BY id").fetchall()
        assert rows == [(1, 1, "x"), (2, 2, None), (3, 5, "y")]
        assert shell.enter(rf"\copy t TO {tmp_path}/all.parquet")
        assert shell.enter(rf"\copy (SELECT a, b FROM t WHERE a = 1) TO '{tmp_path}/one.csv'")
        assert (tmp_path / "one.csv").read_text() == "a,b\n1,x\n"
        db.execute("CREATE TABLE again (id INT, a INT, b NVARCHAR(9), v VECTOR(2))")
        assert shell.enter(rf"\copy again FROM {tmp_path}/all.parquet")
        assert db.execute("SELECT COUNT(*), COUNT(v) FROM again").fetchone() == (3, 1)
        for wrong in ("again (c)", "nowhere"):
            assert shell.enter(rf"\copy {wrong} FROM {tmp_path}/one.csv") is False
        assert shell.enter(rf"COPY again FROM '{tmp_path}/one.csv';") is False
        shell.close()
        db.close()


def test_of_a_folder(tmp_path: Path) -> None:
    with serving(tmp_path / "atlas.hdb") as server, hql.connect(server.url) as db:
        assert db.session.database_name == "atlas"
        assert db.session.folder is None and db.session.address == server.url
        assert "session" in db.session.where and "not encrypted" in db.session.where


def test_how_far_a_statement_is() -> None:
    advance = RemoteAdvance()
    advance.note({"type": "progress", "share": 0.25, "text": "1,234 rows"})
    assert (advance.done, advance.share) == (1234, 0.25) and advance.seconds >= 0
    advance.note({"type": "progress", "share": None, "text": "nearly there"})
    assert (advance.done, advance.share) == (0, 0.0)


def test_columns_whose_type_no_text_names() -> None:
    """NULL alone, and vectors of several lengths, as TensorAtoms has them."""
    with serving() as server, hql.connect(server.url) as db:
        db.execute(
            "CREATE MODEL m ARCHITECTURE mlp (inputs = 2, hidden = 3, outputs = 1) WITH (SEED = 1)"
        )
        found = db.execute("SELECT NULL AS n, Weights FROM TensorAtoms")
        assert [str(c[1]) for c in found.description] == ["NULL", "VECTOR"]
        assert {len(w) for _, w in found.fetchall()} == {1, 2, 3}
