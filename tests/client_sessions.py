"""What tests know of a client's session and of the server that it is at."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from servers import ServerThread

from hartonomous.server.client import RemoteSession


def remote(db: Any) -> RemoteSession:
    """The session of a connection to a server."""
    session = db.session
    assert isinstance(session, RemoteSession)
    return session


def cut(db: Any) -> None:
    """The connection breaks, as when a machine goes away, and both sides know."""
    remote(db)._transport._socket.shutdown(2)
    wait_until(lambda: remote(db)._transport.is_dead)


def wait_until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits for what comes to be soon."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)


def running(server: ServerThread) -> int:
    """How many statements are open."""
    return server.call(lambda: sum(len(s.runnings) for s in server.server.engine.sessions.values()))
