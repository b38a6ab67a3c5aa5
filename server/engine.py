"""The engine behind all doors: one database, its threads, its sessions, and how much is let in."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import Busy
from hartonomous.hql.security.files import FileAccess
from hartonomous.hql.session import Session
from hartonomous.server.sessions import Door, ServerSession
from hartonomous.server.threads import EngineThreads
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.security.accounts import Account, Accounts
    from hartonomous.server.hooks import Observer, Router
    from hartonomous.server.running import Running
    from hartonomous.server.settings import ServerSettings

#: how often running statements are asked how far they are, and idle sessions are looked for
TICK_SECONDS = 0.25
#: what statements may take of one turn of the event loop; those that come then go to threads
TURN_SECONDS = 0.005


class Engine:
    """One database at work for many sessions. Everything on one event loop.

    `accounts` knows who may come in (None: there are no users), `observers` are told of what
    happens, `router` may run reading texts elsewhere.
    """

    def __init__(self, database: str | None, settings: ServerSettings) -> None:
        self.address = database if database is not None else ":memory:"
        self.settings = settings
        #: what statements may read and write
        self.files = FileAccess.of(settings.read_folders, settings.write_folders)
        self.accounts: Accounts | None = None
        self.observers: list[Observer] = []
        self.router: Router | None = None
        self.threads = EngineThreads(settings.threads)
        self.sessions: dict[int, ServerSession] = {}
        self.is_stopping = False
        #: statements refused as BUSY so far
        self.refused = 0
        self._own: Session | None = None
        self._opening = 0
        self._spent = 0.0  # seconds of this turn of the event loop that statements took
        self._ticking: asyncio.Task[None] | None = None

    # --- life ---

    async def start(self) -> None:
        """Opens the database, recovering it, and starts the threads. Raises Error."""
        self._own = await asyncio.to_thread(self._open)
        self.threads.start()
        self._ticking = asyncio.create_task(self._tick())

    def _open(self, **options: Any) -> Session:
        from hartonomous.hql.opening import open_embedded

        if self.address == ":memory:":
            # all sessions are to see the same one
            self.address = f":memory:server-{id(self)}"
        given: Any = {"read_only": self.settings.read_only, **options}
        return open_embedded(self.address, given)

    @property
    def own(self) -> Session:
        """The engine's own session, which keeps the database open."""
        assert self._own is not None, "the engine is not started"
        return self._own

    @property
    def database(self) -> Any:
        """The database, for what hql offers of it."""
        return self.own.database

    @property
    def name(self) -> str:
        """What prompts call the database."""
        return self.own.database_name

    @property
    def is_read_only(self) -> bool:
        return self.own.read_only

    async def wait_idle(self, seconds: float) -> None:
        """Returns when nothing runs, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(s.runnings for s in self.sessions.values()):
            await asyncio.sleep(0.02)

    async def close_sessions(self) -> None:
        """Stops what runs and ends all sessions; none is opened any more."""
        self.is_stopping = True
        sessions = list(self.sessions.values())
        for session in sessions:
            session.expel("the server stops")
        await asyncio.gather(*[session.close() for session in sessions])

    async def stop(self) -> None:
        """Ends the sessions and closes the database, with a checkpoint. Raises Error if that
        fails."""
        await self.close_sessions()
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        await self.threads.stop()
        own, self._own = self._own, None
        if own is not None:
            await asyncio.to_thread(own.close)

    # --- sessions ---

    async def open_session(
        self,
        account: Account | None,
        door: Door,
        peer: str,
        *,
        encodes: bool = False,
        branch: str | None = None,
        author: str | None = None,
        autocommit: bool = True,
    ) -> ServerSession:
        """A new session. Raises Busy if there are too many, NotFound for the branch."""
        if self.is_stopping:
            raise Busy("the server stops", hint="connect again later")
        if len(self.sessions) + self._opening >= self.settings.sessions_max:
            self.refused += 1
            raise Busy(f"{len(self.sessions):,} sessions are open; the server takes no more")
        options: dict[str, Any] = {"branch": branch, "autocommit": autocommit}
        if account is not None and not account.is_open:
            author = account.name
        self._opening += 1
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(None, lambda: self._open(author=author, **options))
        try:
            inner = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_let_go)
            raise
        finally:
            self._opening -= 1
        if self.is_stopping:
            await asyncio.to_thread(inner.close)
            raise Busy("the server stops", hint="connect again later")
        inner.account, inner.door, inner.peer = account, door, peer
        inner.files = self.files
        session = ServerSession(self, inner, door, peer, account, encodes=encodes)
        self.sessions[session.number] = session
        inner.on_kill = lambda: loop.call_soon_threadsafe(session.expel, "ended by KILL")
        for observer in self.observers:
            observer.on_session(session, True)
        return session

    def session_closed(self, session: ServerSession) -> None:
        """A session is no more."""
        if self.sessions.pop(session.number, None) is not None:
            for observer in self.observers:
                observer.on_session(session, False)

    # --- admission ---

    def admit(self, running: Running) -> None:
        """Lets a text in, or raises Busy."""
        if self.is_stopping:
            raise Busy("the server stops", hint="connect again later")
        if self.threads.queued >= self.settings.queued_max:
            self.refused += 1
            raise Busy(
                f"the server is busy: {self.threads.count} statements run and "
                f"{self.threads.queued:,} wait",
                hint="run it again in a moment",
            )
        for observer in self.observers:
            observer.on_begin(running)

    @property
    def may_run_at_once(self) -> bool:
        """Whether a small piece of work may be done on the event loop now: no thread competes for
        the interpreter, and this turn of the loop has not done much yet."""
        return self.threads.outstanding == 0 and self._spent < TURN_SECONDS

    def note_spent(self, seconds: float) -> None:
        """Work was done on the event loop."""
        if self._spent == 0.0:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._spent += seconds

    def _next_turn(self) -> None:
        self._spent = 0.0

    def end(self, running: Running, error: Error | None) -> None:
        """A text is over."""
        for observer in self.observers:
            observer.on_end(running, error)

    def note_login(self, name: str | None, peer: str, door: Door, error: Error | None) -> None:
        """Somebody said who they are; `error` is why they were not believed."""
        for observer in self.observers:
            observer.on_login(name, peer, door, error)

    # --- time ---

    async def _tick(self) -> None:
        """Tells of progress, and closes sessions that were idle too long or whose client left."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            idle = self.settings.idle_timeout
            oldest = None if idle is None else time.monotonic() - idle
            for session in list(self.sessions.values()):
                if oldest is not None and session.used_at < oldest and not session.is_busy:
                    session.expel("idle for too long")
                elif session.has_left is not None and session.has_left():
                    session.expel("the client left")
                for running in session.runnings.values():
                    if running.is_computing and running.elapsed > TICK_SECONDS:
                        running.note_progress()


def _let_go(opening: asyncio.Future[Session]) -> None:
    """A session that nobody waits for any more is closed."""
    if not opening.cancelled() and opening.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, opening.result().close)
