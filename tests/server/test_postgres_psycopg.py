"""psycopg 3 as a client: what its users do."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from certificates import Authority
from psycopg import errors
from psycopg.rows import dict_row
from servers import ServerThread, serving

from hartonomous import hql

Connection = psycopg.Connection[Any]


def port_of(server: ServerThread) -> int:
    assert server.server.postgres is not None
    return server.server.postgres.port


def address(server: ServerThread, **options: Any) -> str:
    given = {"host": "127.0.0.1", "port": port_of(server), "user": "anna", "dbname": "atlas"}
    return " ".join(f"{name}={value}" for name, value in (given | options).items())


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with serving(postgres_port=0) as opened:
        yield opened


@pytest.fixture
def db(server: ServerThread) -> Iterator[Connection]:
    with psycopg.connect(address(server), autocommit=True) as connection:
        yield connection


ROW = {
    "n": "héé",
    "v": [1.5, 2.0, -3.0],
    "d": date(2024, 2, 29),
    "ts": datetime(2024, 1, 2, 3, 4, 5, 123000),
    "tz": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    "u": uuid.UUID(int=7),
    "b": b"\0\xff",
    "de": Decimal("-12.345"),
    "f": 1.25,
    "r": 0.5,
    "bit": True,
    "tm": time(1, 2, 3),
    "i8": 2**40,
    "i2": -7,
    "t1": 3,
    "j": {"a": [1, None]},
}


def test_values_come_back_as_they_went_in(db: Connection) -> None:
    db.execute(
        "CREATE TABLE kinds (id INT PRIMARY KEY IDENTITY, n NVARCHAR(20), v VECTOR(3), d DATE, "
        "ts DATETIME2, tz DATETIMEOFFSET, u UNIQUEIDENTIFIER, b VARBINARY, de DECIMAL(12,3), "
        "f FLOAT, r REAL, bit BIT, tm TIME, i8 BIGINT, i2 SMALLINT, t1 TINYINT, j JSON)"
    )
    given = ROW | {"j": psycopg.types.json.Json(ROW["j"])}
    marks = ", ".join(f"%({name})s" for name in ROW)
    done = db.execute(f"INSERT INTO kinds ({', '.join(ROW)}) VALUES ({marks})", given)
    assert (done.rowcount, done.statusmessage) == (1, "INSERT 0 1")
    db.execute("INSERT INTO kinds (n) VALUES (%s)", [None])
    for binary in (False, True):
        with db.cursor(binary=binary, row_factory=dict_row) as cursor:
            cursor.execute(f"SELECT {', '.join(ROW)} FROM kinds WHERE id = %s", [1])
            assert cursor.fetchone() == ROW
            cursor.execute(f"SELECT {', '.join(ROW)} FROM kinds WHERE id = %s", [2])
            assert cursor.fetchone() == dict.fromkeys(ROW)
            # values go in binary too
            cursor.execute(
                "SELECT id FROM kinds WHERE de = %b AND d = %b AND f = %b AND u = %b AND ts = %b",
                [ROW["de"], ROW["d"], ROW["f"], ROW["u"], ROW["ts"]],
            )
            assert cursor.fetchall() == [{"id": 1}]
    with db.cursor() as cursor:
        cursor.execute("SELECT n, de, geometry::Point(1, 2, 3) AS g FROM kinds")
        described = cursor.description
        assert described is not None
        assert [(c.name, c.type_code, c.precision, c.scale) for c in described[:2]] == [
            ("n", 1043, None, None),
            ("de", 1700, 12, 3),
        ]
        found = cursor.fetchone()
        assert found is not None
        assert found[2] == "POINT Z (1 2 3)"


def test_a_prepared_statement_and_many_rows(db: Connection) -> None:
    db.execute("CREATE TABLE many (a INT, t NVARCHAR)")
    with db.cursor() as cursor:
        cursor.executemany("INSERT INTO many VALUES (%s, %s)", [(i, f"t{i}") for i in range(20)])
        assert cursor.rowcount == 20
    for i in range(8):  # psycopg prepares from the sixth on
        found = db.execute("SELECT t FROM many WHERE a = %s", [i], prepare=i > 3 or None)
        assert found.fetchall() == [(f"t{i}",)]
    with db.pipeline():
        cursors = [db.execute("SELECT a + %s FROM many WHERE a = %s", [10, i]) for i in range(5)]
        assert [cursor.fetchone() for cursor in cursors] == [(10 + i,) for i in range(5)]


def test_transactions(server: ServerThread) -> None:
    with psycopg.connect(address(server)) as db:
        db.execute("CREATE TABLE moves (a INT PRIMARY KEY)")
        assert db.info.transaction_status.name == "INTRANS"
        db.commit()
        with db.transaction():
            db.execute("INSERT INTO moves VALUES (1)")
            with pytest.raises(errors.UniqueViolation), db.transaction():
                db.execute("INSERT INTO moves VALUES (2)")
                db.execute("INSERT INTO moves VALUES (1)")
        assert db.info.transaction_status.name == "IDLE"
        assert db.execute("SELECT a FROM moves").fetchall() == [(1,)]
        db.execute("DELETE FROM moves")
        db.rollback()
        assert db.execute("SELECT COUNT(*) FROM moves").fetchone() == (1,)


def test_an_error_that_ends_a_transaction_fails_the_block(server: ServerThread) -> None:
    """Else what comes next would be committed by itself."""
    with psycopg.connect(address(server)) as db:
        db.execute("CREATE TABLE ended (a INT PRIMARY KEY)")
        db.commit()
        db.execute("SET XACT_ABORT ON")
        db.execute("INSERT INTO ended VALUES (1)")
        with pytest.raises(errors.UniqueViolation):
            db.execute("INSERT INTO ended VALUES (1)")
        assert db.info.transaction_status.name == "INERROR"
        with pytest.raises(errors.InFailedSqlTransaction):
            db.execute("INSERT INTO ended VALUES (2)")
        db.commit()
        assert db.execute("SELECT * FROM ended").fetchall() == []


def test_cursors_of_the_server(server: ServerThread) -> None:
    with psycopg.connect(address(server)) as db:
        db.execute("CREATE TABLE long (a INT)")
        db.execute("INSERT INTO long SELECT value FROM GENERATE_SERIES(1, 1000)")
        with db.cursor("mine") as cursor:
            cursor.execute("SELECT a FROM long WHERE a > %s ORDER BY a", [100])
            assert cursor.description is not None
            assert cursor.fetchmany(3) == [(101,), (102,), (103,)]
            assert cursor.fetchone() == (104,)
            cursor.itersize = 100
            assert sum(1 for _ in cursor) == 896
            assert cursor.fetchall() == []
        with db.cursor("other", withhold=True) as cursor:
            cursor.execute("SELECT TOP (2) a FROM long ORDER BY a")
            db.commit()
            assert cursor.fetchall() == [(1,), (2,)]


def test_errors_say_what_where_and_what_to_do(db: Connection) -> None:
    with pytest.raises(errors.UndefinedColumn) as caught:
        db.execute("SELECT 1 AS a,\n  nope FROM (VALUES (1)) AS v(x) WHERE x = %s", [1])
    said = caught.value.diag
    assert (said.severity, said.sqlstate, said.statement_position) == ("ERROR", "42703", "18")
    with pytest.raises(errors.UndefinedTable):
        db.execute("SELECT * FROM nowhere")
    with pytest.raises(errors.SyntaxError) as wrong:
        db.execute("SELECT FROM WHERE")
    assert wrong.value.diag.statement_position == "8"
    assert "\n" not in (wrong.value.diag.message_primary or "")
    with pytest.raises(errors.DivisionByZero):
        db.execute("SELECT 1 / %s", [0])
    with pytest.raises(errors.RaiseException, match="mine"):
        db.execute("THROW 50001, 'mine', 1")
    with pytest.raises(errors.SyntaxError) as foreign:
        db.execute("INSERT INTO t (a) VALUES (%s) RETURNING a", [1])
    assert "OUTPUT" in (foreign.value.diag.message_hint or "")
    with pytest.raises(errors.FeatureNotSupported, match="COPY"):
        db.execute("COPY people TO STDOUT")
    with pytest.raises(errors.FeatureNotSupported, match="rows more than once"):
        db.execute("SELECT %s; SELECT 2", [1])
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_several_results_and_messages(db: Connection) -> None:
    heard: list[str] = []
    db.add_notice_handler(lambda said: heard.append(said.message_primary or ""))
    cursor = db.execute("PRINT 'hello'; SELECT 1 AS a; SELECT 2 AS b")
    assert cursor.statusmessage == "PRINT"
    assert cursor.nextset()
    assert (cursor.fetchall(), cursor.statusmessage) == ([(1,)], "SELECT 1")
    assert cursor.nextset()
    assert cursor.fetchall() == [(2,)]
    assert not cursor.nextset()
    assert heard == ["hello"]
    # a script with parameters gives its one result of rows
    assert db.execute("DECLARE @x INT = %s; SELECT @x + 1", [4]).fetchall() == [(5,)]
    assert db.execute("").statusmessage is None


def test_settings(db: Connection, server: ServerThread) -> None:
    assert db.execute("SHOW server_encoding").fetchone() == ("UTF8",)
    assert db.info.parameter_status("server_version") == "16.0"
    db.execute("SET application_name = 'mine'")
    assert db.info.parameter_status("application_name") == "mine"
    with pytest.raises(errors.InvalidParameterValue):
        db.execute("SET TimeZone = 'Asia/Tokyo'")
    db.execute("SET statement_timeout = '150ms'")
    with pytest.raises(errors.QueryCanceled):
        db.execute("WAITFOR DELAY '00:00:20'")
    db.execute("RESET ALL; ".rstrip("; "))
    db.execute("CREATE BRANCH side")
    options = "-c\\ hql.branch=side"
    with psycopg.connect(address(server, options=options), autocommit=True) as other:
        assert other.execute("SHOW hql.branch").fetchone() == ("side",)
        other.execute("USE BRANCH main")
        assert other.info.parameter_status("hql.branch") == "main"


def test_cancel(db: Connection) -> None:
    # (its `cancel` holds the interpreter's lock while it waits, which the server here needs)
    timer = threading.Timer(0.2, db.cancel_safe)
    timer.start()
    with pytest.raises(errors.QueryCanceled):
        db.execute("WAITFOR DELAY '00:00:20'")
    timer.join()
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_asynchronous(server: ServerThread) -> None:
    async def work() -> list[Any]:
        connecting = psycopg.AsyncConnection.connect(address(server), autocommit=True)
        async with await connecting as db:
            await db.execute("CREATE TABLE later (a INT)")
            await db.execute("INSERT INTO later VALUES (%s)", [5])
            cursor = await db.execute("SELECT a FROM later")
            return await cursor.fetchall()

    assert asyncio.run(work()) == [(5,)]


# --- who comes in --------------------------------------------------------------------------------


@pytest.mark.slow
def test_passwords_scram_and_tokens(tmp_path: Path) -> None:
    with serving(postgres_port=0) as server:
        with psycopg.connect(address(server), autocommit=True) as owner:
            owner.execute("CREATE USER anna WITH PASSWORD = 'correct horse'")
        where = {"user": "anna", "password": "'correct horse'"}
        with psycopg.connect(address(server, **where), autocommit=True) as anna:
            assert anna.info.get_parameters()["user"] == "anna"
            anna.execute("CREATE USER bob WITH PASSWORD = 'battery staple', SCRAM = ON")
            found = anna.execute("CREATE TOKEN ci FOR anna").fetchone()
            assert found is not None
            token = next(str(value) for value in found if str(value).startswith("hqlt_"))
        for name, password in (("anna", token), ("bob", "'battery staple'")):
            with psycopg.connect(address(server, user=name, password=password)) as db:
                asked = db.execute("SELECT current_user").fetchone()
                assert asked == (name,)
                assert db.pgconn.used_password
        scram = address(
            server, user="bob", password="'battery staple'", require_auth="scram-sha-256"
        )
        psycopg.connect(scram).close()
        for name, password in (
            ("anna", "wrong"),
            ("bob", "wrong"),
            ("nobody", "x"),
            ("bob", token),
        ):
            with pytest.raises(psycopg.OperationalError, match="not right"):
                psycopg.connect(address(server, user=name, password=password))


@pytest.mark.slow
def test_rights_hold(tmp_path: Path) -> None:
    with serving(postgres_port=0) as server:
        with psycopg.connect(address(server), autocommit=True) as owner:
            owner.execute("CREATE TABLE open_one (a INT); CREATE TABLE closed_one (a INT)")
            owner.execute("CREATE USER boss WITH PASSWORD = 'boss password'")
        with psycopg.connect(
            address(server, user="boss", password="'boss password'"), autocommit=True
        ) as boss:
            boss.execute("CREATE USER eve WITH PASSWORD = 'eve password'")
            boss.execute("GRANT SELECT ON TABLE open_one TO eve")
        with psycopg.connect(
            address(server, user="eve", password="'eve password'"), autocommit=True
        ) as eve:
            assert eve.execute("SELECT * FROM open_one").fetchall() == []
            with pytest.raises(psycopg.Error):
                eve.execute("SELECT * FROM closed_one")
            with pytest.raises(errors.InsufficientPrivilege):
                eve.execute("INSERT INTO open_one VALUES (1)")
            # nor does the catalog tell of it
            names = "SELECT relname FROM pg_catalog.pg_class WHERE relname LIKE '%%_one'"
            assert eve.execute(names.replace("%%", "%")).fetchall() == [("open_one",)]
            with pytest.raises(psycopg.Error):
                eve.execute("SELECT * FROM closed_one WHERE a = %s", [1], prepare=True)


@pytest.mark.slow
def test_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue()
    with serving(postgres_port=0, certificate=str(certificate), key=str(key)) as server:
        trusting = address(server, sslmode="verify-full", sslrootcert=authority.file)
        with psycopg.connect(trusting, autocommit=True) as db:
            assert db.pgconn.ssl_in_use
            assert len(db.execute("SELECT REPLICATE('x', 100000)").fetchone()[0]) == 100_000  # type: ignore[index]
            db.execute("CREATE USER anna WITH PASSWORD = 'correct horse'")
        with psycopg.connect(trusting + " password='correct horse'"):
            pass
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address(server, sslmode="verify-full", sslrootcert=key))


def test_the_embedded_engine_sees_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "atlas.hdb"
    with serving(folder, postgres_port=0) as server, psycopg.connect(address(server)) as db:
        db.execute("CREATE TABLE t (v VECTOR(2), g GEOMETRY)")
        db.execute("INSERT INTO t VALUES (%s, geometry::Parse(%s))", [[1.0, 2.0], "POINT (1 2)"])
        db.commit()
    with hql.connect(folder) as db:
        vector, shape = db.execute("SELECT v, g FROM t").fetchone() or (None, None)
        assert vector is not None and vector.tolist() == [1.0, 2.0]
        assert str(shape).startswith("POINT")
