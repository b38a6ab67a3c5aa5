"""Listening: how many connections there may be, and where nobody listens."""

from __future__ import annotations

import http.client
import resource
import socket
import time

import pytest
from http_server import http_server

from hartonomous.hql.errors import ConfigurationFault
from hartonomous.server.listening import files_max


def test_connections_above_a_number_are_closed() -> None:
    with http_server(connections_max=2) as server:
        kept = [server.connection() for _ in range(2)]
        for connection in kept:
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b'{"status": "ok"}'
        for _ in range(3):
            with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
                server.get("/healthz")
        kept[0].request("GET", "/healthz")  # who has one keeps it
        assert kept[0].getresponse().read() == b'{"status": "ok"}'
        kept.pop().close()
        end = time.monotonic() + 20
        while not _answers(server.port):
            assert time.monotonic() < end
        kept.pop().close()


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 20) as raw:
        try:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return raw.recv(20).startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False


def test_a_port_that_is_taken() -> None:
    with http_server() as server:
        with (
            pytest.raises(ConfigurationFault, match="cannot listen"),
            http_server(port=server.port),
        ):
            pass
        assert server.get("/healthz")[0] == 200


def test_other_machines_are_not_served_without_users() -> None:
    with pytest.raises(ConfigurationFault, match="no users"), http_server(host="0.0.0.0"):
        pass


def test_file_handles_are_asked_for() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert 0 < files_max() <= (hard if hard != resource.RLIM_INFINITY else 65_536)
