"""Accounts: who proves to be whom, what is kept of that, who hears of changes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import threading
from pathlib import Path

import pytest

from hartonomous import hql
from hartonomous.hql.errors import AuthFault, PermissionFault, TransactionFault
from hartonomous.hql.run import shorten
from hartonomous.hql.security import audit, passwords
from hartonomous.hql.security.accounts import Accounts
from hartonomous.hql.security.redaction import redact
from hartonomous.storage.database import Database
from hartonomous.storage.errors import ReadOnly


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", (10, 8, 1))


def refusal(accounts: Accounts, name: str, password: str) -> str:
    with pytest.raises(AuthFault) as error:
        accounts.authenticate(name, password)
    return str(error.value)


def test_a_password_opens_and_every_refusal_is_the_same(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "db") as db:
        db.execute("CREATE USER boss")
        db.execute("CREATE USER Anna WITH PASSWORD = 'pässword'")
        db.execute("CREATE USER off WITH PASSWORD = 'x', ENABLED = OFF")
        accounts = Accounts.of(db.session.database)
        assert accounts.authenticate("ANNA", "pa\u0308ssword").name == "Anna"
        refusals = {
            refusal(accounts, "anna", "passwort"),
            refusal(accounts, "anna", ""),
            refusal(accounts, "anna", "pässword" + "x" * 2_000),
            refusal(accounts, "nobody", "pässword"),
            refusal(accounts, "off", "x"),
            refusal(accounts, "boss", ""),  # without a password nobody comes in by one
        }
        assert len(refusals) == 1, refusals
        token = db.execute("CREATE TOKEN t FOR anna").fetchone()[1]
        for wrong in (
            "",
            "hqlt_",
            token[:-1] + "x",
            token[:-3],
            "hqlt_00_" + token[-43:],
            "a" * 999,
        ):
            with pytest.raises(AuthFault) as error:
                accounts.authenticate_token(wrong)
            assert {str(error.value)} == refusals
        assert accounts.authenticate_token(token).name == "Anna"
    with hql.connect(tmp_path / "db") as db:  # all of it is still there
        accounts = Accounts.of(db.session.database)
        assert accounts.authenticate_token(token).name == "Anna"
        assert accounts.authenticate("anna", "pässword").name == "Anna"


def test_nobody_takes_as_long_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash is computed whether there is a user or not."""
    with hql.connect(":memory:") as db:
        db.execute("CREATE USER anna WITH PASSWORD = 'x'")
        costs: list[object] = []
        real = passwords._scrypt

        def counted(password: str, salt: bytes, *cost: int) -> bytes:
            costs.append(cost)
            return real(password, salt, *cost)

        monkeypatch.setattr(passwords, "_scrypt", counted)
        accounts = Accounts.of(db.session.database)
        refusal(accounts, "anna", "y")
        refusal(accounts, "nobody", "y")
        assert len(costs) == 2


def test_hashes_are_salted_memory_hard_and_checked() -> None:
    first, second = passwords.hash_password("x"), passwords.hash_password("x")
    assert first != second and passwords.is_hash(first)
    assert passwords.check_password("x", first) and not passwords.check_password("y", first)
    assert not passwords.check_password("x", None)
    log_n, r, p = (int(x) for x in passwords.NOBODY.split("$")[1:4])
    assert 128 * r * (1 << log_n) >= 32 << 20 and p >= 1, "less than 32 MiB"
    for text in ("", "scrypt$30$8$1$AAAA$AAAA", first[:-4], first.replace("scrypt", "plain")):
        assert not passwords.is_hash(text), text


def test_scram_of_the_rfc() -> None:
    """RFC 7677, section 3: user "user", password "pencil"."""
    salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    first = "n=user,r=rOprNGfwEbeRWgbNEkqO"
    message = f"{first},r={nonce},s={salt},i=4096,c=biws,r={nonce}".encode()
    made = passwords.make_scram("pencil", base64.b64decode(salt), 4_096)
    assert passwords.ScramVerifier.of_text(made.to_text()) == made
    signature = hmac.digest(made.server_key, message, "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode(b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    mask = hmac.digest(made.stored_key, message, "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, mask, strict=True))
    assert hashlib.sha256(client_key).digest() == made.stored_key


def test_a_token_ends_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with hql.connect(":memory:") as db:
        db.execute("CREATE USER anna")
        token = db.execute("CREATE TOKEN t FOR anna WITH EXPIRES = '1 minute'").fetchone()[1]
        accounts, clock = Accounts.of(db.session.database), db.session.database.clock
        assert accounts.authenticate_token(token).name == "anna"
        now = clock.now_us()
        monkeypatch.setattr(clock, "now_us", lambda: now + 61_000_000)
        with pytest.raises(AuthFault):
            accounts.authenticate_token(token)


def test_the_first_user_ends_open_access_for_sessions_that_are_there() -> None:
    with hql.connect(":memory:open") as guest, hql.connect(":memory:open") as db:
        accounts = Accounts.of(db.session.database)
        heard: list[bool] = []
        end = accounts.on_change(lambda: heard.append(accounts.has_users))
        guest.session.account = accounts.open_account()
        assert guest.execute("SELECT 1").fetchall() == [(1,)]
        db.execute("CREATE USER boss")
        assert heard == [True]
        with pytest.raises(AuthFault):
            guest.execute("SELECT 1")
        end()
        db.execute("CREATE USER anna")
        assert heard == [True]


def test_who_was_made_again_is_another() -> None:
    with hql.connect(":memory:again") as hers, hql.connect(":memory:again") as db:
        db.execute("CREATE USER boss")
        db.execute("CREATE USER anna")
        hers.session.account = Accounts.of(db.session.database).find("anna")
        hers.execute("SELECT 1")
        db.execute("DROP USER anna")
        db.execute("CREATE USER anna")
        with pytest.raises(AuthFault):
            hers.execute("SELECT 1")


def test_readers_see_accounts_and_may_not_change_them(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "db") as db, hql.connect(tmp_path / "db", read_only=True) as reader:
        seen = Accounts.of(reader.session.database)
        assert not seen.has_users
        db.execute("CREATE USER anna WITH PASSWORD = 'x'")
        assert seen.has_users and seen.authenticate("anna", "x").name == "anna"
        version = seen.version
        db.execute("GRANT SELECT TO anna")
        assert seen.version != version
        reader.session.account = seen.find("anna")
        assert reader.execute("SELECT USER_NAME()").fetchone() == ("anna",)
        with pytest.raises(ReadOnly):
            seen.change(lambda directory: {"user/x": None})


def test_accounts_survive_a_crash_checkpoints_and_backups(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "db") as db:
        db.execute("CREATE USER anna WITH PASSWORD = 'x'")
        db.execute("CREATE TABLE t (a INT)")
        db.execute("GRANT SELECT ON t TO anna")
        shutil.copytree(tmp_path / "db", tmp_path / "crashed")
        db.execute(f"BACKUP DATABASE TO '{tmp_path}/backup'")
        db.execute("CHECKPOINT")
        shutil.copytree(tmp_path / "db", tmp_path / "checkpointed")
    for name in ("crashed", "backup", "checkpointed"):
        database = Database.open(tmp_path / name)
        try:
            account = Accounts.of(database).authenticate("anna", "x")
            assert account.may("SELECT", str(database.published.catalog.get("dbo", "t").id)), name
        finally:
            database.close()


def test_who_made_a_thing_is_kept(tmp_path: Path) -> None:
    made = ("CREATE SCHEMA s", "CREATE TABLE s.t (a INT)", "CREATE VIEW s.v AS SELECT a FROM s.t",
            "CREATE PROCEDURE s.p AS SELECT a FROM s.t",
            "CREATE MODEL m ARCHITECTURE mlp(inputs = 2, hidden = 3, outputs = 1) WITH (SEED = 1)",
            "ALTER TABLE s.t ADD b INT")  # fmt: skip
    with hql.connect(tmp_path / "db") as db:
        db.execute("CREATE USER boss; CREATE USER anna; GRANT CREATE TO anna")
        db.session.account = Accounts.of(db.session.database).find("anna")
        for text in made:
            db.execute(text)
    with hql.connect(tmp_path / "db") as db:
        assert db.execute("VERIFY DATABASE").fetchall() == []
        db.execute("REVOKE CREATE FROM anna")
        db.session.account = Accounts.of(db.session.database).find("anna")
        for text in ("SELECT * FROM s.v", "EXEC s.p",
                     "SELECT * FROM PREDICT('m', (SELECT 1 AS id, [1, 2] AS v))",
                     "INSERT INTO s.t VALUES (1, 2)", "DROP MODEL m", "DROP PROCEDURE s.p",
                     "DROP VIEW s.v", "DROP TABLE s.t", "DROP SCHEMA s"):  # fmt: skip
            db.execute(text)


def test_changes_from_many_threads_are_all_kept() -> None:
    with hql.connect(":memory:many") as db:
        db.execute("CREATE USER boss")
        faults: list[BaseException] = []

        def work(number: int) -> None:
            try:
                with hql.connect(":memory:many") as own:
                    for i in range(10):
                        own.execute(f"CREATE USER u{number}_{i}")
                        own.execute(f"ALTER ROLE reader ADD MEMBER u{number}_{i}")
            except BaseException as fault:
                faults.append(fault)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        members = db.execute("SELECT * FROM sys.role_members WHERE role_name = 'reader'").fetchall()
        assert len(members) == 40


def test_secrets_reach_no_text_that_is_kept(tmp_path: Path) -> None:
    secret = "Xy'z 7 secret"
    quoted = secret.replace("'", "''")
    with hql.connect(tmp_path / "db") as db:
        db.execute(f"CREATE USER anna WITH PASSWORD = '{quoted}'")
        db.execute("ALTER USER anna WITH PASSWORD = @p", {"p": secret})
        token = db.execute("CREATE TOKEN t FOR anna").fetchone()[1]
        db.execute(f"CREATE VIEW v AS SELECT 'PASSWORD = ''{quoted}''' AS x")
        with pytest.raises(TransactionFault):
            db.execute(f"BEGIN TRAN; CREATE USER x WITH PASSWORD = '{quoted}'")
        db.rollback()
    kept = b"".join(p.read_bytes() for p in (tmp_path / "db").rglob("*") if p.is_file())
    assert token.rsplit("_", 1)[1].encode() not in kept
    assert f"CREATE USER anna WITH PASSWORD = '{quoted}'".encode() not in kept
    assert b"CREATE USER x" not in kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("SELECT 1", "SELECT 1"),
        ("CREATE USER a WITH password='x'", "CREATE USER a WITH password='***'"),
        ("x WITH PASSWORD = N'it''s', SCRAM = ON", "x WITH PASSWORD = '***', SCRAM = ON"),
        ("PASSWORD_HASH = 'scrypt$1'", "PASSWORD_HASH = '***'"),
        ("PASSWORD = 'cut of", "PASSWORD = '***'"),
        ("SELECT password FROM t", "SELECT password FROM t"),
    ],
)
def test_secrets_are_taken_out(text: str, kept: str) -> None:
    assert redact(text) == kept == shorten(text)


def test_the_audit_is_bounded_and_outlives_the_process(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "db")
    for number in range(3_000):
        audit.record(database, "LOGIN_FAILED", account="x" * 5_000, detail=str(number))
    database.close()
    database = Database.open(tmp_path / "db")
    try:
        records = audit.records_of(database)
        assert records[-1].detail == "2999" and records[-1].event == "LOGIN_FAILED"
        assert sum(len(r.account) for r in records) < 3 << 20 and len(records) < 3_000
    finally:
        database.close()


def test_denials_are_kept_also_those_that_a_script_catches() -> None:
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (a INT)")
        db.execute("CREATE USER boss")
        db.execute("CREATE USER anna")
        db.execute("GRANT INSERT ON t TO anna")
        db.session.account = Accounts.of(db.session.database).find("anna")
        db.execute("BEGIN TRY DELETE FROM t END TRY BEGIN CATCH PRINT 'caught' END CATCH")
        with pytest.raises(PermissionFault):
            db.executemany("DELETE FROM t WHERE a = ?", [(1,), (2,)])
        denied = [r for r in audit.records_of(db.session.database) if r.event == "DENIED"]
        assert [r.account for r in denied] == ["anna", "anna"]
        assert all(not r.succeeded and "DELETE" in r.detail for r in denied)
