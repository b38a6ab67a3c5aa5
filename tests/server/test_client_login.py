"""Clients that say who they are, and TLS: by password, by token, and whom they trust."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from asides import cancel_until_it_ends
from certificates import Authority
from servers import ServerThread, serving

from hartonomous import hql
from hartonomous.hql import errors
from hartonomous.hql.shell.completion_commands import complete_typed
from hartonomous.storage.errors import Cancelled


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[ServerThread]:
    """A server with TLS, a user who reads, and one who owns."""
    certificate, key = authority.issue()
    with serving(certificate=str(certificate), key=str(key)) as server:
        with hql.connect(server.url, ca_file=authority.file) as db:
            db.execute("CREATE TABLE seen (first_one INT); CREATE TABLE hidden (second_one INT)")
            db.execute("CREATE USER boss WITH PASSWORD = 'the boss''s own 1'")
        with hql.connect(
            url_of(server, "boss", "the%20boss's%20own%201"), ca_file=authority.file
        ) as db:
            db.execute("ALTER ROLE owner ADD MEMBER boss")
            db.execute("CREATE USER ana WITH PASSWORD = 'correct horse'")
            db.execute("GRANT SELECT ON TABLE seen TO ana")
        yield server


def url_of(server: ServerThread, user: str, password: str | None = None) -> str:
    proof = user if password is None else f"{user}:{password}"
    return server.url.replace("://", f"://{proof}@")


def test_passwords(secure: ServerThread, authority: Authority) -> None:
    ca_file = authority.file
    with hql.connect(url_of(secure, "ana", "correct%20horse"), ca_file=ca_file) as db:
        assert db.session.author == "ana" and "correct" not in db.session.address
        assert db.execute("SELECT COUNT(*) FROM seen").fetchall() == [(0,)]
        with pytest.raises(hql.Error):
            db.execute("SELECT * FROM hidden")
        shown = [c.text for c in complete_typed("SELECT * FROM ", 14, db.session.names())]
        assert "seen" in shown and "hidden" not in shown
        with db.again() as again:
            assert again.session.author == "ana"
    with hql.connect(url_of(secure, "ana"), password="correct horse", ca_file=ca_file) as db:
        assert db.session.author == "ana"
    for url, options in (
        (secure.url, {}),
        (url_of(secure, "ana"), {}),
        (url_of(secure, "ana", "wrong"), {}),
        (url_of(secure, "nobody", "correct%20horse"), {}),
        (secure.url, {"token": "shell_wordsnothing"}),
    ):
        with pytest.raises(errors.AuthFault):
            hql.connect(url, ca_file=ca_file, **options)


def test_a_connection_comes_back_as_who_it_was(secure: ServerThread, authority: Authority) -> None:
    with hql.connect(url_of(secure, "ana", "correct%20horse"), ca_file=authority.file) as db:
        db.session._transport._socket.shutdown(2)
        assert db.execute("SELECT 1").fetchall() == [(1,)]
        assert db.session.author == "ana"


def test_secrets_are_for_the_same_server_only(secure: ServerThread, authority: Authority) -> None:
    with hql.connect(url_of(secure, "ana"), password="correct horse", ca_file=authority.file) as db:
        with pytest.raises(hql.OperationalError):
            db.another(secure.url)
        with serving() as other, db.another(other.url) as there:
            assert there.session._options.get("password") is None
            assert there.session._options.get("token") is None


def test_whom_a_client_trusts(secure: ServerThread, tmp_path: Path) -> None:
    with pytest.raises(errors.ConnectionFault, match="not trusted"):
        hql.connect(secure.url)
    with pytest.raises(errors.ConnectionFault, match="not trusted"):
        other = tmp_path / "other"
        other.mkdir()
        hql.connect(secure.url, ca_file=Authority(other).file)
    with pytest.raises(errors.ConnectionFault, match="ca_file"):
        hql.connect(secure.url, ca_file=tmp_path / "nothing.pem")
    with pytest.raises(errors.ConnectionFault):
        hql.connect(secure.url.replace("hqls://", "hql://"))


def test_large_results_and_cancelling_by_tls(secure: ServerThread, authority: Authority) -> None:
    with hql.connect(
        url_of(secure, "boss"), password="the boss's own 1", ca_file=authority.file
    ) as db:
        table = db.execute("SELECT value FROM GENERATE_SERIES(1, 400000)").fetch_arrow_table()
        assert table.column(0).to_pylist() == list(range(1, 400_001))
        assert db.execute("SELECT COUNT(*) FROM @t", {"t": table}).fetchone() == (400_000,)
        endless = "SELECT value FROM GENERATE_SERIES(1, 300000000)"
        error = cancel_until_it_ends(db, lambda: db.execute(endless).fetch_arrow_table())
        assert isinstance(error, Cancelled)
        assert db.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.slow
def test_the_shell_asks_for_a_password(
    secure: ServerThread, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HQL_CA_FILE", str(authority.file))
    monkeypatch.delenv("HQL_PASSWORD", raising=False)
    monkeypatch.delenv("HQL_TOKEN", raising=False)
    shell_words = f"{sys.executable} -m hartonomous.hql.shell.main"
    command = f"{shell_words} -c 'SELECT 6 * 7 AS answer' {url_of(secure, 'ana')}"
    shell = pexpect.spawn("/bin/sh", ["-c", command], encoding="utf-8", timeout=30)
    shell.expect("password: ")
    shell.sendline("correct horse")
    shell.expect("42")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0
    monkeypatch.setenv("HQL_PASSWORD", "wrong")
    text, status = pexpect.run(command, withexitstatus=True, timeout=30)
    assert (
        status == 1 and b"password" in text and b"wrong" not in text.replace(b"is not right", b"")
    )
