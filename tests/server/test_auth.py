"""Who a client is: passwords, tokens, open access; what is noted of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from http_server import HttpServer, http_server

from hartonomous.hql.errors import AuthFault, Busy, ConfigurationFault
from hartonomous.hql.opening import open_session
from hartonomous.hql.security import passwords
from hartonomous.hql.security.accounts import Accounts
from hartonomous.server import auth
from hartonomous.server.auth import Authenticator, Peer, check_listening, is_loopback

HERE, THERE = Peer("127.0.0.1", 5), Peer("192.0.2.7", 5)
SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost a millisecond."""
    monkeypatch.setattr(passwords, "COST", (10, 8, 1))
    monkeypatch.setattr(passwords, "NOBODY", passwords.hash_password("", bytes(16)))


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A database in memory, and who finds out who comes to it."""

    def __init__(self) -> None:
        self.session = open_session(":memory:", {})
        self.accounts = Accounts.of(self.session.database)
        self.clock = Clock()
        self.authenticator = Authenticator(self.accounts, failures_max=3, clock=self.clock)

    def run(self, text: str) -> list[list[Any]]:
        return [r.to_table().to_pylist() if r.has_rows else [] for r in self.session.execute(text)]

    def password(self, name: str, password: str, peer: Peer = HERE) -> str:
        return asyncio.run(self.authenticator.by_password(peer, name, password)).name


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.authenticator.close()
    made.session.close()


def test_open_access_is_for_this_machine_while_there_are_no_users(world: World) -> None:
    assert world.authenticator.open_account(HERE).is_open
    assert world.authenticator.open_account(Peer(None)).is_open
    for peer in (THERE, Peer("127.0.0.1", 5, is_forwarded=True)):
        with pytest.raises(AuthFault, match="asked for"):
            world.authenticator.open_account(peer)
    world.run(f"CREATE USER anna WITH PASSWORD = '{SECRET}'")
    with pytest.raises(AuthFault, match="asked for"):
        world.authenticator.open_account(HERE)


def test_a_password(world: World) -> None:
    world.run(f"CREATE USER anna WITH PASSWORD = '{SECRET}'")
    assert world.password("Anna", SECRET) == "anna"
    said = set()
    for name, password in (
        ("anna", SECRET + " "),
        ("anna", ""),
        ("berta", SECRET),
        ("x" * 9_999, "y" * 9_999),
    ):
        world.clock.now += 60
        with pytest.raises(AuthFault) as caught:
            world.password(name, password)
        said.add((str(caught.value), caught.value.code))
    assert len(said) == 1  # nothing tells a wrong name from a wrong password


def test_a_token(world: World) -> None:
    world.run(f"CREATE USER anna WITH PASSWORD = '{SECRET}'")
    token = world.run("CREATE TOKEN t FOR anna")[0][0]["Token"]
    assert world.authenticator.by_token(HERE, token).name == "anna"
    for wrong in (token[:-2], token + "A", "", "hqlt_", "x" * 10_000, "hqlt_ü_ü"):
        world.clock.now += 60
        with pytest.raises(AuthFault, match="is not right"):
            world.authenticator.by_token(HERE, wrong)
    world.run("DROP TOKEN t")
    with pytest.raises(AuthFault):
        world.authenticator.by_token(HERE, token)


def test_a_right_password_is_hashed_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run(f"CREATE USER anna WITH PASSWORD = '{SECRET}'")
    hashed, hash_it = [], world.accounts.authenticate

    def counted(name: str, password: str) -> Any:
        hashed.append(name)
        return hash_it(name, password)

    monkeypatch.setattr(world.accounts, "authenticate", counted)
    for _ in range(5):
        assert world.password("anna", SECRET) == "anna"
    assert len(hashed) == 1
    world.clock.now += auth.KNOWN_SECONDS
    assert world.password("anna", SECRET) == "anna"
    assert len(hashed) == 2
    world.run("ALTER USER anna WITH PASSWORD = 'another horse of mine'")
    with pytest.raises(AuthFault):
        world.password("anna", SECRET)
    assert world.password("anna", "another horse of mine") == "anna"
    assert SECRET not in repr(vars(world.authenticator))


def test_after_failures_nothing_is_looked_at(world: World) -> None:
    world.run(f"CREATE USER anna WITH PASSWORD = '{SECRET}'")
    for name in ("anna", "nobody"):
        for _ in range(3):
            with pytest.raises(AuthFault, match="is not right"):
                world.password(name, "x", THERE)
        with pytest.raises(AuthFault) as caught:
            world.password(name, SECRET, THERE)
        assert (caught.value.code, caught.value.hint) == ("LOGIN_LIMIT", "wait 20 seconds")
        world.clock.now += 30
    world.clock.now += 60
    assert world.password("anna", SECRET, THERE) == "anna"


def test_what_is_nobodys_fault_is_not_counted(world: World) -> None:
    for _ in range(10):
        with contextlib.suppress(Busy), world.authenticator.attempt(THERE, "anna"):
            raise Busy("for a test")
    with world.authenticator.attempt(THERE, "anna"):
        pass


def test_passwords_that_wait_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "PENDING_MAX", 2)
    world.run(f"CREATE USER anna WITH PASSWORD = '{SECRET}'")

    async def many() -> list[Any]:
        tries = (
            world.authenticator.by_password(Peer(f"192.0.2.{i}"), f"u{i}", "x") for i in range(8)
        )
        return await asyncio.gather(*tries, return_exceptions=True)

    found = [type(error) for error in asyncio.run(many())]
    assert found.count(AuthFault) == 2
    assert found.count(Busy) == 6


def test_listening_off_the_machine_needs_users(world: World) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        assert check_listening(host, world.accounts, has_tls=False) is None
    for host in ("0.0.0.0", "::", ""):
        with pytest.raises(ConfigurationFault, match="no users"):
            check_listening(host, world.accounts, has_tls=True)
    world.run(f"CREATE USER anna WITH PASSWORD = '{SECRET}'")
    assert check_listening("0.0.0.0", world.accounts, has_tls=True) is None
    assert "without TLS" in str(check_listening("0.0.0.0", world.accounts, has_tls=False))


def test_addresses_of_this_machine() -> None:
    for address in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        assert is_loopback(address)
    for address in ("192.0.2.1", "::", "0.0.0.0", "fe80::1%eth0", "localhost", "::ffff:192.0.2.1"):
        assert not is_loopback(address)
    assert str(Peer("::1", 7)) == "[::1]:7"
    assert str(Peer(None)) == "unix"


# --- over HTTP -----------------------------------------------------------------------------------


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server(failures_max=3) as made:
        made.query(f"CREATE USER anna WITH PASSWORD = '{SECRET}'")
        yield made


def test_a_proxy_on_this_machine_opens_nothing() -> None:
    with http_server() as server:
        assert server.query("SELECT 1")
        for header in ("X_Forwarded_For", "Forwarded", "Via"):
            assert server.problem("SELECT 1", **{header: "192.0.2.7"})["code"] == "AUTH"


def test_the_first_user_ends_open_access(server: HttpServer) -> None:
    said = server.problem("SELECT 1")
    assert (said["status"], said["code"]) == (401, "AUTH")
    _, headers, _ = server.post("/query", {"query": "SELECT 1"})
    assert {word.split()[0] for word in headers.get_all("WWW-Authenticate")} == {"Bearer"}
    assert "Basic" in headers["WWW-Authenticate"]
    assert server.get("/healthz")[0] == server.get("/readyz")[0] == 200
    assert server.get("/metrics")[0] in (401, 404)


def test_sessions_that_came_in_openly_stay_outside_then() -> None:
    with http_server() as server:
        accounts = Accounts.of(server.engine.database)
        session = server.do(server.engine.open_session(accounts.open_account(), "wire", "test"))

        async def run(text: str) -> list[Any]:
            return [event async for event in session.run(text)]

        assert server.do(run("CREATE TABLE t (a INT)"))
        with pytest.raises(AuthFault, match="has users now"):
            server.do(run("CREATE USER anna; CREATE USER berta"))
        with pytest.raises(AuthFault, match="has users now"):
            server.do(run("SELECT 1"))
        assert set(accounts.directory.users) == {"anna"}
        server.do(session.close())


def test_log_ins_and_the_audit(server: HttpServer) -> None:
    anna = basic("anna", SECRET)
    assert server.query("SELECT USER_NAME() AS u", Authorization=anna)["results"][0]["rows"] == [
        ["anna"]
    ]
    made = server.query("CREATE TOKEN t FOR anna", Authorization=anna)
    token = "Bearer " + made["results"][0]["rows"][0][1]
    assert server.query("SELECT 1", Authorization=token)["results"][0]["rows"] == [[1]]
    for _ in range(3):
        said = server.problem("SELECT 1", Authorization=basic("berta", "x"))
        assert (said["status"], said["code"]) == (401, "AUTH")
    for _ in range(3):
        status, headers, body = server.post(
            "/query", {"query": "SELECT 1"}, Authorization=basic("berta", "x")
        )
        assert (status, json.loads(body)["code"]) == (429, "LOGIN_LIMIT")
        assert headers["Retry-After"] == "20"
    text = "SELECT event, account, detail FROM sys.audit WHERE event LIKE 'LOGIN%'"
    noted = server.query(text, Authorization=token)["results"][0]["rows"]
    assert noted == [
        ["LOGIN", "anna", ""],
        *[["LOGIN_FAILED", "berta", "AUTH"]] * 3,
        ["LOGIN_FAILED", "berta", "LOGIN_LIMIT"],
    ]
