"""HTTP's door: what POST /query answers, and what it refuses."""

from __future__ import annotations

import contextlib
import csv
import http.client
import io
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from http_server import HttpServer, http_server

from hartonomous.server import http_answer
from hartonomous.server.http_answer import HOLD_BYTES
from hartonomous.server.http_guard import HEADERS
from hartonomous.server.http_request import choose_type, parse_query
from hartonomous.server.http_rows import ARROW, FORMS
from hartonomous.server.problems import RequestFault

JSON = {"Content-Type": "application/json"}
#: more bytes than an answer holds back, in any form
LONG = "SELECT value AS n, REPLICATE('x', 100) AS t FROM GENERATE_SERIES(1, 20000)"
#: and an error after they were sent
BREAKS = LONG + "; THROW 50001, 'no', 1"


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with http_server(body_bytes_max=100_000, origins=("https://app.example",)) as made:
        yield made


def test_json_holds_everything(server: HttpServer) -> None:
    answer = server.query(
        "CREATE TABLE t (a INT, b NVARCHAR); INSERT INTO t VALUES (1, 'ä\"'), (2, NULL);"
        "PRINT 'said'; SELECT * FROM t ORDER BY a; SELECT a FROM t WHERE a > 7; DROP TABLE t"
    )
    assert answer["messages"] == ["said"]
    assert answer["branch"] == "main"
    assert answer["commit"] > 0
    with_rows = [r for r in answer["results"] if "columns" in r]
    assert [r["rows"] for r in with_rows] == [[[1, 'ä"'], [2, None]], []]
    assert [r["row_count"] for r in with_rows] == [2, 0]
    assert with_rows[0]["columns"] == [
        {"name": "a", "type": "INT"},
        {"name": "b", "type": "NVARCHAR"},
    ]
    assert 2 in [r["row_count"] for r in answer["results"] if "columns" not in r]


def test_an_empty_text_is_an_answer(server: HttpServer) -> None:
    assert server.query(" ")["results"] == []


def test_values_have_the_texts_of_copy(server: HttpServer) -> None:
    text = (
        "SELECT CAST(1 AS BIT) AS a, CAST('1.50' AS DECIMAL(5,2)) AS b, 0x0AFF AS c,"
        " CAST('2024-02-29' AS DATE) AS d, CAST('[1,2.5]' AS VECTOR(2)) AS e, NULL AS f,"
        " CAST('{\"k\": [1]}' AS JSON) AS g, CAST('NaN' AS FLOAT) AS h"
    )
    (result,) = server.query(text)["results"]
    assert result["rows"] == [
        [True, 1.5, "0x0aff", "2024-02-29", [1, 2.5], None, {"k": [1]}, "NaN"]
    ]


@pytest.mark.parametrize(
    ("parameters", "text", "row"),
    [
        (
            {"a": 1, "b": "x", "c": None, "d": 1.5, "e": True},
            "@a, @b, :c, @d, @e",
            [1, "x", None, 1.5, True],
        ),
        ([1, [1, 2], {"k": "v"}], "?, ?, ?", [1, [1, 2], {"k": "v"}]),
        ([9_007_199_254_740_993], "?", [9_007_199_254_740_993]),
    ],
)
def test_parameters(server: HttpServer, parameters: Any, text: str, row: list[Any]) -> None:
    assert server.query("SELECT " + text, parameters)["results"][0]["rows"] == [row]


def test_ndjson_is_the_rows_of_all_results(server: HttpServer) -> None:
    text = "SELECT 1 AS a; PRINT 'x'; SELECT 2 AS b UNION ALL SELECT 3"
    _, headers, body = server.post("/query", {"query": text}, Accept="application/x-ndjson")
    assert headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in body.splitlines()] == [{"a": 1}, {"b": 2}, {"b": 3}]


def test_csv(server: HttpServer) -> None:
    text = "SELECT 1 AS a, 'x\"y,z' AS b, NULL AS c, '' AS d"
    _, headers, body = server.post("/query", {"query": text}, Accept="text/csv")
    assert headers["Content-Type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(body.decode()))) == [
        ["a", "b", "c", "d"],
        ["1", 'x"y,z', "", ""],
    ]


def test_arrow(server: HttpServer) -> None:
    text = "SELECT CAST(value AS BIGINT) AS n FROM GENERATE_SERIES(1, 300000)"
    status, headers, body = server.post("/query", {"query": text}, Accept=ARROW)
    assert (status, headers["Content-Type"]) == (200, ARROW)
    table = pa.ipc.open_stream(body).read_all()
    assert table.column("n").to_pylist() == list(range(1, 300_001))
    assert table.schema.field("n").metadata[b"hql.type"] == b"BIGINT"
    _, _, body = server.post("/query", {"query": "PRINT 'x'"}, Accept=ARROW)
    assert pa.ipc.open_stream(body).read_all().num_columns == 0


@pytest.mark.parametrize("accept", ["text/csv", ARROW])
def test_a_form_with_room_for_one_result(server: HttpServer, accept: str) -> None:
    status, _, body = server.post("/query", {"query": "SELECT 1; SELECT 2"}, Accept=accept)
    assert (status, json.loads(body)["code"]) == (500, "INTERFACE")


@pytest.mark.parametrize("accept", list(FORMS))
def test_a_long_answer_is_streamed_whole(server: HttpServer, accept: str) -> None:
    status, headers, body = server.post("/query", {"query": LONG}, Accept=accept)
    assert (status, headers["Transfer-Encoding"]) == (200, "chunked")
    assert len(body) > HOLD_BYTES
    match accept:
        case "application/json":
            assert [r[0] for r in json.loads(body)["results"][0]["rows"]] == [*range(1, 20_001)]
        case "text/csv":
            assert body.count(b"\n") == 20_001
        case _ if accept == ARROW:
            assert pa.ipc.open_stream(body).read_all().num_rows == 20_000
        case _:
            assert [json.loads(line)["n"] for line in body.splitlines()] == [*range(1, 20_001)]


@pytest.mark.parametrize("accept", list(FORMS))
def test_an_error_after_rows_does_not_look_like_success(server: HttpServer, accept: str) -> None:
    with pytest.raises(http.client.IncompleteRead) as caught:
        server.post("/query", {"query": BREAKS}, Accept=accept)
    body = caught.value.partial
    assert len(body) > HOLD_BYTES
    if accept.endswith(("json", "jsonl")):
        said = body.splitlines()[-1]
        assert json.loads(said)["error"]["code"] == "RAISED"
    if accept == "application/json":
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


def test_an_error_of_a_short_answer_has_its_status(server: HttpServer) -> None:
    said = server.problem("SELECT 1 AS a; SELECT 1 / 0 AS b", Accept="application/x-ndjson")
    assert said["status"] == 422
    assert said["code"] == "DIVISION_BY_ZERO"
    assert (said["sqlstate"], said["line"], said["column"]) == ("22012", 1, 23)


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("SELEC 1", 400, "SYNTAX"),
        ("SELECT * FROM nothing", 400, "UNKNOWN_TABLE"),
        ("SELECT @p", 400, "UNKNOWN_VARIABLE"),
        ("SELECT CAST('x' AS INT)", 422, "BAD_CAST"),
        ("THROW 50001, 'no', 1", 422, "RAISED"),
        ("USE BRANCH nothing", 400, "NOT_FOUND"),
    ],
)
def test_status_by_kind(server: HttpServer, text: str, status: int, code: str) -> None:
    said = server.problem(text)
    assert (said["status"], said["code"]) == (status, code)


def test_a_statement_has_its_time(server: HttpServer) -> None:
    endless = "SELECT COUNT(*) AS n FROM GENERATE_SERIES(1, 100000000000)"
    status, _, body = server.post("/query", {"query": endless, "timeout": 0.2})
    assert (status, json.loads(body)["code"]) == (504, "TIMEOUT")


def test_requests_share_nothing_but_the_database(server: HttpServer) -> None:
    server.query("CREATE TABLE #mine (a INT); CREATE BRANCH other; USE BRANCH other")
    assert server.problem("SELECT * FROM #mine")["code"] == "UNKNOWN_TABLE"
    assert server.query("SELECT 1")["branch"] == "main"
    status, _, body = server.post("/query", {"query": "SELECT 1", "branch": "other"})
    assert (status, json.loads(body)["branch"]) == (200, "other")
    status, _, body = server.post("/query", {"query": "SELECT 1", "branch": "nothing"})
    assert (status, json.loads(body)["code"]) == (400, "NOT_FOUND")
    server.query("BEGIN TRAN; CREATE TABLE left_open (a INT)")
    assert server.problem("SELECT * FROM left_open")["code"] == "UNKNOWN_TABLE"
    assert server.engine.sessions == {}


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"", {}, 400, "not JSON"),
        (b"[]", {}, 400, "not a JSON object"),
        (b"{}", {}, 400, "`query` must be a text"),
        (b'{"query": 1}', {}, 400, "`query` must be a text"),
        (b'{"query": "SELECT 1", "querry": 1}', {}, 400, "no member 'querry'"),
        (b'{"query": "SELECT 1", "query": "SELECT 2"}', {}, 400, "twice"),
        (b'{"query": "SELECT 1", "parameters": 1}', {}, 400, "`parameters`"),
        (b'{"query": "SELECT 1", "timeout": 0}', {}, 400, "`timeout`"),
        (b'{"query": "SELECT 1", "timeout": true}', {}, 400, "`timeout`"),
        (b'{"query": "SELECT 1", "timeout": NaN}', {}, 400, "no number of JSON"),
        (b'{"query": "SELECT ?", "parameters": [1e999]}', {}, 400, "out of range"),
        (b'{"query": "SELECT \\ud800"}', {}, 400, "surrogate"),
        (b'{"query": "\xff"}', {}, 400, "not UTF-8"),
        (b'{"query": ' + b"[" * 50_000, {}, 400, "too deep"),
        (b'{"query": "SELECT ?", "parameters": [' + b"1" * 9_000 + b"]}", {}, 400, "not JSON"),
        (b"x" * 100_001, {}, 413, "longer than"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "must be JSON"),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "must be JSON"),
        (b"{}", {"Content-Type": "application/json; charset=latin1"}, 415, "UTF-8"),
        (b"{}", {"Content-Encoding": "gzip"}, 415, "compressed"),
        (b"{}", {"Accept": "text/html"}, 406, "none of the types"),
        (b"{}", {"Authorization": "Digest x"}, 401, "Authorization"),
        (b"{}", {"Authorization": "Basic ###"}, 400, "base64"),
        (b"{}", {"User-Agent": "\xff"}, 400, "ASCII"),
        (b"{}", {"Host": "evil.example"}, 421, "host"),
        (b"{}", {"Origin": "https://evil.example"}, 403, "origin"),
        (b"{}", {"Sec-Fetch-Site": "cross-site"}, 403, "pages of other sites"),
    ],
)
def test_what_is_refused(
    server: HttpServer, body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    given = {"Content-Type": "application/json"} | headers
    found, said, answer = server.ask("POST", "/query", body, given)
    assert (found, said["Content-Type"]) == (status, "application/problem+json"), answer
    assert says in json.loads(answer)["detail"]
    if status == 401:
        assert "Bearer" in said["WWW-Authenticate"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/sql"), ("GET", "/query")])
def test_who_asks_elsewhere_is_told_where(server: HttpServer, method: str, path: str) -> None:
    found, _, answer = server.ask(method, path, b"{}", {})
    assert found == (405 if path == "/query" else 404)
    assert "POST /query" in json.loads(answer)["hint"]


def test_a_body_without_a_type_is_refused(server: HttpServer) -> None:
    assert server.ask("POST", "/query", b"{}", {})[0] == 415


@pytest.mark.parametrize("path", ["/query", "/healthz", "/metrics", "/v1/wire", "/nothing"])
def test_every_path_passes_the_doorkeeper(server: HttpServer, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS", "HEAD"):
        found, headers, _ = server.ask(method, path, None, {"Origin": "http://127.0.0.1"})
        assert found == 403
        assert "Access-Control-Allow-Origin" not in headers
        assert server.ask(method, path, None, {"Host": "evil.example"})[0] == 421


def test_a_socket_passes_the_doorkeeper(server: HttpServer) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "hql.v1",
    }
    for headers, status in (
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://app.example"}, 101),
        ({}, 101),
    ):
        connection = server.connection()
        connection.request("GET", "/v1/wire", None, upgrade | headers)
        assert connection.getresponse().status == status, headers
        connection.close()


def test_every_answer_is_signed(server: HttpServer) -> None:
    for _, headers, _ in (
        server.get("/healthz"),
        server.get("/nothing"),
        server.post("/query", {"query": LONG}),
        server.get("/healthz", Origin="https://evil.example"),
    ):
        assert {name: headers[name] for name in HEADERS} == HEADERS


def test_an_origin_on_the_list_may_read(server: HttpServer) -> None:
    origin = "https://app.example"
    _, headers, _ = server.post("/query", {"query": "SELECT 1"}, Origin=origin)
    assert headers["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Credentials" not in headers
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    status, headers, _ = server.ask("OPTIONS", "/query", None, asked)
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, origin)
    assert "content-type" in headers["Access-Control-Allow-Headers"]


def test_who_watches(server: HttpServer) -> None:
    assert server.get("/healthz")[::2] == (200, b'{"status": "ok"}')
    assert server.get("/readyz")[::2] == (200, b'{"status": "ready"}')
    status, headers, body = server.get("/query")
    assert (status, headers["Allow"]) == (405, "POST")
    document = json.loads(server.get("/openapi.json")[2])
    door = server.server._http
    assert door is not None
    assert set(document["paths"]) == {route.path for route in door.routes()}
    offered = document["paths"]["/query"]["post"]["responses"]["200"]["content"]
    assert set(offered) == set(FORMS)


def test_old_http_gets_whole_answers_only(server: HttpServer) -> None:
    def ask(text: str) -> bytes:
        body = json.dumps({"query": text}).encode()
        head = b"POST /query HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", server.port), 20) as raw:
            raw.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            return b"".join(iter(lambda: raw.recv(65_536), b""))

    assert b"200 OK" in ask("SELECT 1").splitlines()[0]
    assert b"505" in ask(LONG).splitlines()[0]


def test_a_client_that_goes_stops_its_statement(server: HttpServer) -> None:
    body = b'{"query": "SELECT COUNT(*) AS n FROM GENERATE_SERIES(1, 100000000000)"}'
    head = b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 20) as raw:
        raw.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        _until(lambda: any(s.runnings for s in server.engine.sessions.values()))
    _until(lambda: not server.engine.sessions)


@pytest.mark.slow
@pytest.mark.parametrize("accept", ["application/json", ARROW])
def test_clients_that_read_nothing_hold_no_thread(server: HttpServer, accept: str) -> None:
    text = "SELECT value AS n, REPLICATE('x', 100) AS t FROM GENERATE_SERIES(1, 3000000)"
    body = json.dumps({"query": text}).encode()
    head = f"POST /query HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    sessions = server.engine.sessions
    with contextlib.ExitStack() as stack:
        for _ in range(2 * server.engine.settings.threads):
            raw = stack.enter_context(socket.socket())
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            raw.connect(("127.0.0.1", server.port))
            raw.sendall(head.encode() + body)
        _until(lambda: len(sessions) == 8 and all(_has_rows(s) for s in sessions.values()))
        for _ in range(20):
            assert server.query("SELECT 1")["results"][0]["rows"] == [[1]]
        time.sleep(0.2)  # for whoever would go on computing
        given = [running.rows for s in sessions.values() for running in s.runnings.values()]
        assert len(given) == 8
        assert max(given) < 300_000
    _until(lambda: not sessions)


def _has_rows(session: Any) -> bool:
    return any(running.rows for running in session.runnings.values())


def test_a_client_that_says_nothing_is_shown_out() -> None:
    head = b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    parts = (b"", head[:30], head + b"Content-Length: 10\r\n\r\n{", b"\x16\x03\x01\x02\x00")
    with http_server(request_timeout=1.0) as server, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        sockets = [stack.enter_context(socket.create_connection(address, 20)) for _ in parts]
        for raw, part in zip(sockets, parts, strict=True):
            raw.sendall(part)
        answers = [b"".join(iter(lambda raw=raw: raw.recv(65_536), b"")) for raw in sockets]
        starts = [answer[:12] for answer in answers]
        assert starts == [b"", b"", b"HTTP/1.1 408", b"HTTP/1.0 400"], answers


def test_a_client_that_stops_reading_loses_its_answer(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_answer, "PIECE_SECONDS", 0.2)
    text = "SELECT REPLICATE('x', 1000) AS t FROM GENERATE_SERIES(1, 20000)"
    connection = server.connection()
    connection.request("POST", "/query", json.dumps({"query": text}), JSON)
    response = connection.getresponse()
    _until(lambda: not server.engine.sessions)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()
    connection.close()


def test_heads_are_bounded(server: HttpServer) -> None:
    many = {f"X-{i}": "y" for i in range(200)}
    for headers in ({"X-Long": "y" * 100_000}, many):
        status, _, body = server.ask("GET", "/healthz", None, headers)
        assert status == 400
        assert b"Traceback" not in body
    assert server.ask("GET", "/" + "a" * 100_000)[0] == 400


def test_what_is_no_http_does_not_fill_the_log(
    server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    for text in (
        b"\x16\x03\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n",
        b"A B C\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), 20) as raw:
            raw.sendall(text)
            assert raw.recv(65_536).startswith(b"HTTP/1.0 400")
    assert caplog.records == []


def _until(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "a/json"),
        ("*/*", "a/json"),
        ("a/csv", "a/csv"),
        ("a/csv;q=0.5, a/json;q=0.4", "a/csv"),
        ("a/*, a/json;q=0", "a/csv"),
        ("A/CSV; q=1", "a/csv"),
        ("text/html, */*;q=0.1", "a/json"),
        ("a/json;q=2, a/csv;q=0.1", "a/csv"),
    ],
)
def test_accept(accept: str | None, chosen: str) -> None:
    assert choose_type(accept, ("a/json", "a/csv")) == chosen


def test_accept_of_nothing_there() -> None:
    for accept in ("text/html", "a/json;q=0", "*/*;q=x", ","):
        with pytest.raises(RequestFault, match="none of the types"):
            choose_type(accept, ("a/json",))


def test_a_request_is_read() -> None:
    asked = parse_query(b'{"query": "SELECT \xc3\xa4", "timeout": 5, "branch": "b"}')
    assert (asked.text, asked.parameters, asked.branch, asked.timeout) == ("SELECT ä", None, "b", 5)
