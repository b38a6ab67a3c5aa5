"""Hooks: what watches an engine, and what may answer in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.server.events import Event
    from hartonomous.server.running import Running
    from hartonomous.server.sessions import ServerSession


class Observer(Protocol):
    """Told of everything that happens, on the event loop; returns soon and raises nothing."""

    def on_begin(self, running: Running) -> None:
        """A text was taken; it may still wait for its turn."""

    def on_end(self, running: Running, error: Error | None) -> None:
        """A text is over: it ended, failed, or was closed by who asked."""

    def on_login(self, name: str | None, peer: str, door: str, error: Error | None) -> None:
        """Somebody said who they are; `error` is why they were not believed."""

    def on_session(self, session: ServerSession, opened: bool) -> None:
        """A session was opened, or is closed."""


class Routed(Protocol):
    """A text that runs elsewhere: its events, Complete last."""

    async def __anext__(self) -> Event:
        """The next event. Raises Error if the text failed."""

    def take(self) -> Event | None:
        """An event that is there already, if there is one."""

    async def aclose(self) -> None:
        """Ends it where it is. Idempotent."""


class Router(Protocol):
    """Runs reading texts somewhere else."""

    async def route(self, running: Running) -> Routed | None:
        """The text as it runs elsewhere; None if the session is to run it. Asked in the session's
        turn: what it was asked to do before is done. Sets `on_cancel`."""
