"""Certificates: loaded, replaced while the server runs, and never by half."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import Authority
from http_server import http_server

from hartonomous.hql.errors import FileFault
from hartonomous.server.tls import Certificates, TLSFiles, reload_now


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, name: str | None = "localhost") -> str:
    """The serial number that a client is shown; a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = theirs.getpeercert()
    assert shown is not None
    return str(shown["serialNumber"])


def client_of(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def test_new_files_are_shown_to_new_connections(authority: Authority) -> None:
    certificate, key = authority.issue()
    loaded = Certificates(TLSFiles(certificate, key))
    client = client_of(authority)
    first = shaken(loaded.context, client)
    assert not loaded.reload_if_changed()
    assert shaken(loaded.context, client) == first
    authority.issue()
    assert loaded.reload_if_changed()
    second = shaken(loaded.context, client)
    assert second != first
    client.check_hostname = False
    assert shaken(loaded.context, client, None) == second  # who names no server is shown it too
    authority.issue()
    loaded.reload()
    assert shaken(loaded.context, client) not in (first, second)


def test_half_a_pair_changes_nothing(authority: Authority) -> None:
    certificate, key = authority.issue()
    loaded, said = Certificates(TLSFiles(certificate, key)), list[str]()
    first = shaken(loaded.context, client_of(authority))
    other, other_key = authority.issue("other")
    os.replace(other, certificate)
    reload_now(loaded, said.append, only_changed=True)
    assert len(said) == 1
    assert "the one before stays" in said[0]
    assert shaken(loaded.context, client_of(authority)) == first
    reload_now(loaded, said.append, only_changed=True)
    assert len(said) == 1  # said once
    os.replace(other_key, key)
    reload_now(loaded, said.append, only_changed=True)
    assert "new certificate" in said[1]
    assert shaken(loaded.context, client_of(authority)) != first
    certificate.unlink()
    reload_now(loaded, said.append)
    assert "no such file" in said[2]
    assert shaken(loaded.context, client_of(authority)) != first


def test_what_is_no_certificate(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue()
    _, other_key = authority.issue("other")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for files in (
        TLSFiles(certificate, other_key),
        TLSFiles(certificate),
        TLSFiles(empty, key),
        TLSFiles(tmp_path / "nothing.pem", key),
    ):
        with pytest.raises(FileFault, match="TLS: .* cannot be used"):
            Certificates(files)


def test_an_encrypted_key_asks_nobody(authority: Authority) -> None:
    from cryptography.hazmat.primitives import serialization

    certificate, key = authority.issue()
    plain = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(FileFault, match="encrypted"):
        Certificates(TLSFiles(certificate, key))


def test_old_versions_are_not_spoken(authority: Authority) -> None:
    certificate, key = authority.issue()
    loaded = Certificates(TLSFiles(certificate, key))
    old = client_of(authority)
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        shaken(loaded.context, old)


def test_watching_takes_up_what_changes(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hartonomous.server import tls

    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.01)
    certificate, key = authority.issue()
    loaded = Certificates(TLSFiles(certificate, key))

    async def changed() -> str:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        watching = asyncio.create_task(tls.watch(loaded, told.set_result))
        authority.issue()
        try:
            return await asyncio.wait_for(told, 20)
        finally:
            watching.cancel()

    assert "new certificate" in asyncio.run(changed())


def test_a_server_that_speaks_tls_and_nothing_else(authority: Authority) -> None:
    certificate, key = authority.issue()
    with http_server(certificate=str(certificate), key=str(key)) as server:
        assert server.url.startswith("hqls://")
        assert server.server.certificates is not None
        with pytest.raises(ConnectionError):  # HTTP without TLS
            server.get("/healthz")
        server.trusted = client_of(authority)
        assert server.get("/healthz")[0] == 200
        connection = server.connection()
        connection.connect()
        first = connection.sock.getpeercert()["serialNumber"]  # type: ignore[attr-defined]
        authority.issue()
        server.call(server.server.reload)
        connection.request("GET", "/readyz")  # who is there stays
        assert connection.getresponse().read() == b'{"status": "ready"}'
        connection.close()
        connection.connect()
        assert connection.sock.getpeercert()["serialNumber"] != first  # type: ignore[attr-defined]
        connection.close()


@pytest.mark.slow
def test_sighup_takes_up_new_files(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue()
    hql = Path(sys.executable).with_name("hql")
    words = ["--port", "0", "--certificate", str(certificate), "--key", str(key)]
    process = subprocess.Popen(
        [hql, "serve", tmp_path / "db.hdb", *words], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "hql serve: serving" in line)
        port = int(re.findall(r"hqls://127.0.0.1:(\d+)/", said)[0])
        first = _served(port, authority)
        authority.issue()
        process.send_signal(signal.SIGHUP)
        assert any("new certificate" in line for line in process.stderr)
        assert _served(port, authority) != first
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def _served(port: int, authority: Authority) -> str:
    """The serial number that a listening server shows."""
    with (
        socket.create_connection(("127.0.0.1", port), 20) as raw,
        client_of(authority).wrap_socket(raw, server_hostname="localhost") as spoken,
    ):
        shown = spoken.getpeercert()
    assert shown is not None
    return str(shown["serialNumber"])
