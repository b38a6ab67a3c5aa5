"""PostgreSQL's own words: its commands, its settings, its proof of a password."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from hartonomous.hql.errors import AuthFault, NotSupported
from hartonomous.hql.security.passwords import ScramVerifier, make_scram
from hartonomous.server.postgres.catalog_queries import is_catalog_query
from hartonomous.server.postgres.commands import Values, check_modes, find_command, pieces_of
from hartonomous.server.postgres.faults import Refused, position
from hartonomous.server.postgres.scram import Exchange


@pytest.mark.parametrize(
    ("text", "kind", "name", "value"),
    [
        ("BEGIN", "begin", "", ""),
        ("begin transaction;", "begin", "", ""),
        ("START TRANSACTION ISOLATION LEVEL READ COMMITTED", "begin", "", None),
        ("COMMIT", "commit", "", ""),
        ("END;", "commit", "", ""),
        ("ABORT", "rollback", "", ""),
        ('SAVEPOINT "_pg3_1"', "savepoint", "_pg3_1", ""),
        ("ROLLBACK TO SAVEPOINT a", "rollback_to", "a", ""),
        ("RELEASE a", "release", "a", ""),
        ("SET application_name TO 'x y';", "set", "application_name", "'x y'"),
        ("SET SESSION statement_timeout = 5000", "set", "statement_timeout", "5000"),
        ("SET TIME ZONE 'UTC'", "zone", "", "'UTC'"),
        ("SHOW server_version", "show", "server_version", ""),
        ("SHOW TRANSACTION ISOLATION LEVEL", "show_isolation", "", ""),
        ("DISCARD ALL", "discard", "ALL", ""),
        ("DEALLOCATE PREPARE p", "deallocate", "p", ""),
        ('DECLARE "c" CURSOR FOR SELECT 1', "declare", "c", "SELECT 1"),
        ('FETCH FORWARD 10 FROM "c"', "fetch", "c", "10"),
        ("FETCH ALL IN c", "fetch", "c", "ALL"),
        ("CLOSE c", "close", "c", ""),
    ],
)
def test_commands(text: str, kind: str, name: str, value: str | None) -> None:
    found = find_command(text)
    assert found is not None
    assert (found.kind, found.name) == (kind, name)
    assert value is None or found.value == value


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SET @x = 1",
        "SET NOCOUNT ON",
        "SHOW COMMITS",
        "BEGIN SELECT 1 END",
        "BEGIN TRAN",
        "COMMIT TRAN",
        "BEGIN; SELECT 1",
        "DECLARE @c INT = 1",
        "ROLLBACK TRAN s",
        "BEGIN TRY SELECT 1 END TRY BEGIN CATCH END CATCH",
    ],
)
def test_hql_is_no_command(text: str) -> None:
    assert find_command(text) is None


def test_what_cannot_be_had_is_refused() -> None:
    values = Values()
    with pytest.raises(Refused, match="TimeZone cannot be"):
        values.accept("timezone", "'Asia/Tokyo'")
    with pytest.raises(Refused, match="unrecognized"):
        values.accept("nosuch", "1")
    with pytest.raises(Refused):
        values.accept("server_version", "17")
    with pytest.raises(NotSupported, match="SERIALIZABLE"):
        check_modes("ISOLATION LEVEL SERIALIZABLE")
    with pytest.raises(NotSupported, match="READ ONLY"):
        check_modes("READ ONLY")
    check_modes("ISOLATION LEVEL REPEATABLE READ, READ WRITE, NOT DEFERRABLE")
    values.accept("statement_timeout", "'5s'")
    assert values.timeout == 5.0
    values.accept("TIMEZONE", "'Etc/UTC'")
    values.reset("all")
    assert values.timeout is None
    assert not values.try_accept("DateStyle", "German")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT version()",
        "select pg_catalog.version()",
        "SELECT * FROM pg_class",
        "SELECT * FROM information_schema.tables",
        "  -- who\n SELECT current_user",
        "WITH x AS (SELECT oid FROM pg_type) SELECT 1 FROM x",
        "SELECT 'a'::regclass",
    ],
)
def test_queries_of_the_catalog(text: str) -> None:
    assert is_catalog_query(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'pg_catalog.pg_class'",
        "SELECT 1 -- pg_class",
        "INSERT INTO t SELECT 1",
        "SELECT version FROM t",
        "CREATE TABLE pg_x (a INT)",
        "SELECT * FROM sys.tables",
    ],
)
def test_others_are_hql(text: str) -> None:
    assert not is_catalog_query(text)


def test_pieces() -> None:
    assert pieces_of("SELECT ';'; -- ;\n CLOSE ALL;;/* ; */ RESET ALL;") == [
        "SELECT ';'",
        "-- ;\n CLOSE ALL",
        "/* ; */ RESET ALL",
    ]


def test_positions() -> None:
    text = "a\nbé c\nd"
    assert position(text, 1, 1) == 1
    assert text[position(text, 2, 4) - 1] == "c"
    assert position(text, 3, 9) == len(text) + 1
    assert position(text, 9, 1) <= len(text) + 1


# --- SCRAM ---------------------------------------------------------------------------------------

#: RFC 7677, section 3
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
ANSWER = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SIGNATURE = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def pencil() -> ScramVerifier:
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", salt, 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return ScramVerifier(salt, 4096, stored, hmac.digest(salted, b"Server Key", "sha256"))


def test_the_example_of_the_standard() -> None:
    exchange = Exchange(pencil(), nonce=SERVER_NONCE)
    assert exchange.begin(FIRST) == ANSWER
    assert exchange.finish(FINAL) == SIGNATURE


@pytest.mark.parametrize(
    ("first", "final"),
    [
        (FIRST, FINAL[:-4] + b"AAA="),
        (FIRST, FINAL.replace(b"rOpr", b"rOps")),
        (FIRST, FINAL.replace(b"biws", b"eSws")),
        (FIRST, b""),
        (FIRST, b"\xff"),
        (FIRST, b"c=biws,r=x,p=!"),
        (b"p=tls-unique,,n=,r=x", FINAL),
        (b"n,a=other,n=,r=x", FINAL),
        (b"n,,n=user", FINAL),
        (b"n,,m=x,n=user,r=x", FINAL),
        (b"\xff", FINAL),
    ],
)
def test_proofs_that_are_none(first: bytes, final: bytes) -> None:
    exchange = Exchange(pencil(), nonce=SERVER_NONCE)
    with pytest.raises(AuthFault, match="not right"):
        exchange.begin(first)
        exchange.finish(final)


def test_whoever_is_not_known_fails_with_the_right_proof_too() -> None:
    exchange = Exchange(pencil(), is_known=False, nonce=SERVER_NONCE)
    exchange.begin(FIRST)
    with pytest.raises(AuthFault, match="not right"):
        exchange.finish(FINAL)
    assert make_scram("pencil").stored_key != pencil().stored_key  # another salt
