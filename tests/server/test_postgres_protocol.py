"""PostgreSQL's protocol message by message, and those who do not keep to it."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator

import postgres_client as client
import pytest
from postgres_client import RawClient, fields_of, row_of
from servers import ServerThread, serving

from hartonomous.server.postgres.messages import STARTUP_BYTES_MAX


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with serving(postgres_port=0, login_timeout=1.0) as opened:
        yield opened


@pytest.fixture
def port(server: ServerThread) -> int:
    assert server.server.postgres is not None
    return server.server.postgres.port


@pytest.fixture
def raw(port: int) -> Iterator[RawClient]:
    with RawClient(port) as opened:
        yield opened


def kinds(answers: list[tuple[str, bytes]]) -> str:
    return "".join(kind for kind, _ in answers)


def lives(port: int) -> bool:
    with RawClient(port) as other:
        return kinds(other.ask(client.query("SELECT 1"))) == "TDCZ"


# --- extended query ------------------------------------------------------------------------------


def test_a_statement_is_described_without_running(raw: RawClient) -> None:
    raw.ask(client.query("CREATE TABLE shapes (a INT PRIMARY KEY IDENTITY, d DATE, t NVARCHAR(9))"))
    text = "INSERT INTO shapes (d, t) OUTPUT inserted.a VALUES ($1, $2)"
    answers = raw.ask(client.parse(text, "s"), client.describe("S", "s"), client.SYNC)
    assert kinds(answers) == "1tTZ"
    # a parameter has the type of its column
    assert struct.unpack("!H2I", answers[1][1]) == (2, 1082, 1043)
    assert kinds(raw.ask(client.query("SELECT * FROM shapes"))) == "TCZ"
    text = "SELECT TOP ($1) t, a + 1 FROM shapes WHERE d > $2 AND a = $3::bigint"
    answers = raw.ask(client.parse(text), client.describe("S"), client.SYNC)
    assert struct.unpack("!H3I", answers[1][1]) == (3, 20, 1082, 20)
    for text in ("UPDATE shapes SET t = $1", "CREATE TABLE never (a INT)", "BEGIN", "SET @x = $1"):
        answers = raw.ask(client.parse(text), client.describe("S"), client.SYNC)
        assert kinds(answers) == "1tnZ", text
    answers = raw.ask(client.parse("SHOW server_version"), client.describe("S"), client.SYNC)
    assert kinds(answers) == "1tTZ"
    answers = raw.ask(client.parse("EXEC nothing"), client.describe("S"), client.SYNC)
    assert kinds(answers) == "1EZ"
    assert fields_of(answers[1][1])["C"] == "0A000"
    # a portal that is described alone does not run either
    insert = client.parse("INSERT INTO shapes (t) VALUES ('once')")
    assert kinds(raw.ask(insert, client.bind(), client.describe("P"), client.SYNC)) == "12nZ"
    assert kinds(raw.ask(client.query("SELECT * FROM shapes"))) == "TCZ"


def test_rows_come_in_pieces(raw: RawClient) -> None:
    text = "SELECT value FROM GENERATE_SERIES(1, 5)"
    messages = [client.query("BEGIN"), client.parse(text), client.bind(portal="p")]
    raw.send(*messages, client.execute("p", 2), client.execute("p", 2), client.SYNC)
    assert kinds(list(raw.until_ready())) == "CZ"
    answers = list(raw.until_ready())
    assert kinds(answers) == "12DDsDDsZ"
    answers = raw.ask(client.execute("p", 1), client.SYNC)
    assert kinds(answers) == "DCZ"  # no row is left: it is complete
    assert answers[-1][1] == b"T"
    assert kinds(raw.ask(client.query("COMMIT"))) == "CZ"
    answers = raw.ask(client.execute("p"), client.SYNC)
    assert fields_of(answers[0][1])["C"] == "34000"  # it ended with its transaction


def test_after_an_error_all_is_left_out_until_sync(raw: RawClient) -> None:
    answers = raw.ask(
        client.parse("SELECT nope"),
        client.bind(),
        client.execute(),
        client.parse("CREATE TABLE left_out (a INT)"),
        client.bind(),
        client.execute(),
        client.SYNC,
    )
    assert kinds(answers) == "12EZ"
    assert fields_of(answers[2][1])["P"] == "8"
    assert kinds(raw.ask(client.query("SELECT * FROM left_out"))) == "EZ"


def test_names(raw: RawClient) -> None:
    assert kinds(raw.ask(client.parse("SELECT 1", "n"), client.SYNC)) == "1Z"
    again = raw.ask(client.parse("SELECT 1", "n"), client.SYNC)
    assert fields_of(again[0][1])["C"] == "42P05"
    assert kinds(raw.ask(client.close("S", "n"), client.close("P", "x"), client.SYNC)) == "33Z"
    gone = raw.ask(client.bind(statement="n"), client.SYNC)
    assert fields_of(gone[0][1])["C"] == "26000"
    many = raw.ask(client.parse("SELECT $65536"), client.SYNC)
    assert fields_of(many[0][1])["C"] == "54023"
    few = raw.ask(client.parse("SELECT $2"), client.bind([b"1"]), client.SYNC)
    assert fields_of(few[1][1])["C"] == "08P01"
    assert kinds(raw.ask(client.parse(""), client.bind(), client.execute(), client.SYNC)) == "12IZ"
    assert kinds(raw.ask(client.query(" ; "))) == "IZ"


def test_forms_of_results(raw: RawClient) -> None:
    text = "SELECT CAST(7 AS INT), CAST(7 AS INT)"
    answers = raw.ask(
        client.parse(text), client.bind(results=[1, 0]), client.describe("P"), client.execute(),
        client.SYNC,
    )  # fmt: skip
    assert row_of(answers[3][1]) == [b"\0\0\0\7", b"7"]
    wrong = raw.ask(
        client.parse(text), client.bind(results=[1, 0, 1]), client.execute(), client.SYNC
    )
    assert wrong[-1][0] == "Z"


def test_long_texts_and_values(raw: RawClient) -> None:
    text = "SELECT $1, " + " + ".join(["1"] * 100_000)
    answers = raw.ask(client.parse(text, types=[25]), client.SYNC)
    assert kinds(answers) == "1Z"
    long = b"x" * 1_000_000
    answers = raw.ask(
        client.parse("SELECT LEN($1)"), client.bind([long]), client.execute(), client.SYNC
    )
    assert row_of(answers[2][1]) == [b"1000000"]
    numbers = struct.pack("!iiIii", 1, 0, 700, 20_000, 1) + struct.pack("!if", 4, 0.5) * 20_000
    answers = raw.ask(
        client.parse("SELECT VECTOR_DIMS($1)", types=[1021]),
        client.bind([numbers], formats=[1]),
        client.execute(),
        client.SYNC,
    )
    assert row_of(answers[2][1]) == [b"20000"]


def test_what_a_connection_holds_is_bounded(
    raw: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hartonomous.server.postgres import client as module

    monkeypatch.setattr(module, "CHARACTERS_HELD_MAX", 1_000)
    monkeypatch.setattr(module, "BYTES_HELD_MAX", 1_000)
    text = "SELECT $1" + " " * 600
    assert kinds(raw.ask(client.parse(text, "a"), client.SYNC)) == "1Z"
    assert kinds(raw.ask(client.parse(text, "b"), client.SYNC)) == "EZ"
    bound = client.bind([b"x" * 600], "p", "a")
    more = client.bind([b"x" * 600], "q", "a")
    answers = raw.ask(bound, more, client.SYNC)
    assert kinds(answers) == "2EZ"
    assert fields_of(answers[1][1])["C"] == "53400"


def test_function_calls_and_copies(raw: RawClient) -> None:
    answers = raw.ask(client.message(b"F", b"\0\0\0\1"))
    assert fields_of(answers[0][1])["C"] == "0A000"
    assert kinds(raw.ask(client.message(b"d", b"x"), client.message(b"c"), client.SYNC)) == "Z"
    assert kinds(raw.ask(client.query("SELECT 1"))) == "TDCZ"


# --- first messages ------------------------------------------------------------------------------


def test_a_later_version_is_told_of_this_one(port: int) -> None:
    with RawClient(port, greets=False) as raw:
        answers = raw.ask(client.startup(2, user="anna", **{"_pq_.future": "1"}))
        assert answers[0] == ("v", struct.pack("!ii", 0, 1) + b"_pq_.future\0")
        reported = dict(body.split(b"\0")[:2] for kind, body in answers if kind == "S")
        assert reported[b"server_encoding"] == b"UTF8"


def test_cancelling_needs_the_key(port: int) -> None:
    with RawClient(port) as raw, socket.create_connection(("127.0.0.1", port)) as other:
        raw.send(client.query("WAITFOR DELAY '00:00:00.3'"))
        other.sendall(client.cancel_request(raw.process, raw.key ^ 1))
        assert other.recv(1) == b""
        assert kinds(list(raw.until_ready())) == "CZ"


@pytest.mark.slow
def test_bytes_before_tls_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Or they would pass for what is sent under TLS's protection."""
    from certificates import Authority

    certificate, key = Authority(tmp_path_factory.mktemp("tls")).issue()
    with serving(postgres_port=0, certificate=str(certificate), key=str(key)) as server:
        assert server.server.postgres is not None
        with RawClient(server.server.postgres.port, greets=False) as raw:
            raw.send(client.SSL_REQUEST + client.startup(user="anna"))
            answers = raw.rest()
            assert kinds(answers) == "E"
            assert fields_of(answers[0][1])["C"] == "08P01"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack("!i", STARTUP_BYTES_MAX + 1),
        struct.pack("!ii", 8, 2 << 16),
        client.startup(user="anna") + client.message(b"?"),
        client.startup(user="anna") + b"Q" + struct.pack("!i", 2**31 - 1),
        client.startup(user="anna") + client.message(b"B", b"\0\0\0\1"),
    ],
)
def test_what_is_no_message_ends_the_connection_alone(port: int, sent: bytes) -> None:
    with RawClient(port) as other, RawClient(port, greets=False) as raw:
        raw.send(sent)
        kind, body = raw.rest()[-1]
        assert (kind, fields_of(body)["C"]) == ("E", "08P01")
        assert kinds(other.ask(client.query("SELECT 1"))) == "TDCZ"


@pytest.mark.slow
def test_who_says_nothing_is_shown_out(port: int) -> None:
    with RawClient(port, greets=False) as raw:
        began = time.monotonic()
        assert fields_of(raw.rest()[-1][1])["C"] == "08006"
        assert time.monotonic() - began >= 0.5
    assert lives(port)


def test_a_client_that_goes_stops_its_statement(server: ServerThread, port: int) -> None:
    with RawClient(port) as raw:
        raw.send(client.query("WAITFOR DELAY '00:10:00'"))
        time.sleep(0.1)
    deadline = time.monotonic() + client.PATIENCE
    while server.call(lambda: len(server.server.engine.sessions)):
        assert time.monotonic() < deadline, "the session is still there"
        time.sleep(0.02)


def test_a_slow_reader_holds_little(server: ServerThread, port: int) -> None:
    """Rows are made as they are taken: half a gigabyte waits for nobody."""
    with RawClient(port) as raw:
        raw.send(client.query("SELECT REPLICATE('x', 10000) AS x FROM GENERATE_SERIES(1, 50000)"))
        time.sleep(0.5)

        def sent() -> int:
            return sum(r.bytes for s in server.server.engine.sessions.values()
                       for r in s.runnings.values())  # fmt: skip

        waiting = server.call(sent)
        assert 0 < waiting < 30_000_000
        assert raw.read()[0] == "T"
    assert lives(port)


def test_the_server_says_goodbye() -> None:
    with serving(postgres_port=0) as server:
        assert server.server.postgres is not None
        with RawClient(server.server.postgres.port) as raw:
            server.stop()
            assert fields_of(raw.rest()[-1][1])["C"] == "57P01"


@pytest.mark.slow
def test_mutated_messages(port: int) -> None:
    """2,000 conversations of nonsense: the server lives, and so does who is beside them."""
    random.seed(7)
    sound = [
        client.query("SELECT 1; SELECT 'x'"),
        client.parse("SELECT $1, $2::int", "s", [25, 23]),
        client.bind([b"a", b"1"], "p", "s", [0], [1]),
        client.describe("S", "s"),
        client.describe("P", "p"),
        client.execute("p", 1),
        client.close("P", "p"),
        client.query("SELECT relname FROM pg_class WHERE oid = 1"),
        client.query("SELECT (("),
        client.message(b"p", b"x\0"),
        client.SYNC,
    ]
    with RawClient(port) as beside:
        for turn in range(2_000):
            sent = bytearray(b"".join(random.choices(sound, k=random.randint(1, 6))))
            for _ in range(random.randint(0, 5)):
                sent[random.randrange(len(sent))] = random.randrange(256)
            del sent[random.randrange(len(sent) + 1) :]
            with socket.create_connection(("127.0.0.1", port)) as raw:
                greeting = bytearray(client.startup(user="anna"))
                if turn % 5 == 0:
                    greeting[random.randrange(len(greeting))] = random.randrange(256)
                raw.sendall(greeting + sent + client.TERMINATE)
            if turn % 100 == 0:
                assert kinds(beside.ask(client.query("SELECT 1"))) == "TDCZ"
    assert lives(port)


def test_an_option_that_is_refused_leaves_no_session(server: ServerThread, port: int) -> None:
    before = len(server.server.engine.sessions)
    for _ in range(3):
        with RawClient(port, greets=False) as opened:
            opened.send(client.startup(user="anna", options="-c nonsense=1"))
            ((kind, body),) = opened.rest()
            assert kind == "E" and fields_of(body)["C"] == "42704"
    assert len(server.server.engine.sessions) <= before
    assert lives(port)


def test_small_messages_in_a_row_leave_others_their_turn(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that sends many and goes is noticed between them."""
    count = 20_000
    with RawClient(port) as opened:
        opened.send(client.SYNC * count)
        opened.read()
    assert lives(port)
    assert len([r for r in caplog.records if "socket.send" in r.getMessage()]) < count / 10
