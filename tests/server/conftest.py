"""A server in this process for the tests of a module, and clients of it. Modules whose tests need
another one have fixtures of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from servers import ServerThread, serving
from wire_client import WireClient

from hartonomous import hql


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with serving() as opened:
        yield opened


@pytest.fixture
def db(server: ServerThread) -> Iterator[Any]:
    """A connection of Python's."""
    with hql.connect(server.url) as connection:
        yield connection


@pytest.fixture
def client(server: ServerThread) -> Iterator[WireClient]:
    """A client that sends frames."""
    with WireClient(server.server.port) as opened:
        yield opened
