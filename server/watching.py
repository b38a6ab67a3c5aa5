"""Watching a server: one observer that feeds its log, its metrics, spans, QueryLog and
sys.statements.

    on the event loop     texts, sessions and log-ins, as the engine tells of them
    on engine threads     statements where they end (hql/activity.py): log, metrics, QueryLog

`start` once the engine has started, `stop` before it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.activity import Watched
from hartonomous.hql.errors import InternalFault
from hartonomous.hql.normal_text import hash_of, normal_text
from hartonomous.hql.query_log import Bucket
from hartonomous.server.logs import ServerLog
from hartonomous.server.metrics import Metrics
from hartonomous.server.tracing import find_tracing

if TYPE_CHECKING:
    from hartonomous.hql.activity import Activity, Elsewhere
    from hartonomous.server.engine import Engine
    from hartonomous.server.running import Running
    from hartonomous.server.sessions import ServerSession
    from hartonomous.storage.errors import Error

#: how often the event loop is looked at
LAG_SECONDS: Final = 0.1
#: how often what waits in QueryLog is written
FLUSH_SECONDS: Final = 2.0
#: lines a second, and at once, about slow statements
SLOW_RATE, SLOW_BURST = 10.0, 100


class Watching:
    """Watches one engine. `metrics` is what HTTP's door gives at /metrics. Raises
    ConfigurationFault and FileFault for settings that cannot be."""

    def __init__(self, engine: Engine) -> None:
        settings = engine.settings
        self.engine = engine
        self.figures = Metrics(engine)
        self.tracing = find_tracing()
        self.log = ServerLog(settings.log_level, settings.log_file, self.figures.lost_lines.inc)
        self.slow_seconds = settings.slow_statement
        self._slow = Bucket(SLOW_RATE, SLOW_BURST)
        self._suppressed = 0
        self._tasks: list[asyncio.Task[None]] = []

    # --- life ---

    async def start(self) -> None:
        """Begins to watch."""
        self.engine.own.door = "server"
        activity = self._activity
        activity.observers.append(self.on_statement)
        activity.elsewhere.append(self._elsewhere)
        self.engine.observers.append(self)
        self._tasks = [
            asyncio.create_task(self._look_at_loop()),
            asyncio.create_task(self._flush_often()),
        ]

    async def stop(self) -> None:
        """Ends watching; what waits is written. The log is written on until `close`."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self in self.engine.observers:
            self.engine.observers.remove(self)
            self._activity.observers.remove(self.on_statement)
            self._activity.elsewhere.remove(self._elsewhere)
            await asyncio.to_thread(self._flush)
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)

    def close(self) -> None:
        """Nothing more is logged."""
        self.log.close()

    def metrics(self) -> tuple[str, bytes]:
        """Content type and text for /metrics; from any thread."""
        return self.figures.exposition()

    @property
    def _activity(self) -> Activity:
        return self.engine.own.activity

    async def _look_at_loop(self) -> None:
        """Notes how late the event loop is."""
        while True:
            due = time.monotonic() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self.figures.lag(max(0.0, time.monotonic() - due))

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        database = self.engine.database
        self._activity.log.flush(database)
        database.flush_logs()

    # --- texts, sessions, log-ins: on the event loop ---

    def on_begin(self, running: Running) -> None:
        """See hooks.Observer."""
        if self.tracing is not None:
            self.tracing.begin(running)

    def on_end(self, running: Running, error: Error | None) -> None:
        """See hooks.Observer."""
        session, seconds = running.session, running.elapsed
        ended = "ok" if running.is_complete else "closed"
        outcome = ended if error is None else "failed"
        self.figures.text(session.door, outcome, seconds, running.bytes)
        if self.tracing is not None:
            self.tracing.end(running, error)
        if isinstance(error, InternalFault):
            self.log.write("error", "internal error", error, code=error.code, **_about(running))
        elif self.log.is_on("debug"):
            code = None if error is None else error.code
            self.log.write(
                "debug",
                "text ended",
                outcome=outcome,
                code=code,
                milliseconds=seconds * 1e3,
                rows=running.rows,
                **_about(running),
            )

    def on_login(self, name: str | None, peer: str, door: str, error: Error | None) -> None:
        """See hooks.Observer. The name of who was refused is not told: people type their password
        where the name goes."""
        self.figures.login(door, "ok" if error is None else "refused")
        if error is None:
            self.log.write("info", "login", user=name, peer=peer, door=door)
        else:
            self.log.write("warning", "login refused", code=error.code, peer=peer, door=door)

    def on_session(self, session: ServerSession, opened: bool) -> None:
        """See hooks.Observer."""
        if opened:
            self.figures.session(session.door)
        self.log.write(
            "debug" if session.door == "http" else "info",  # a request of HTTP's is one
            "session opened" if opened else "session closed",
            session=session.number,
            user=session.author,
            peer=session.peer,
            door=session.door,
        )

    # --- statements: on engine threads ---

    def on_statement(self, watched: Watched, seconds: float) -> None:
        """A statement ended (hql/activity.py)."""
        code = watched.code
        self.figures.statement(watched.kind, seconds, watched.rows, code)
        if self.slow_seconds is not None and seconds >= self.slow_seconds:
            self._log_slow(watched, seconds, code)

    def _log_slow(self, watched: Watched, seconds: float, code: str | None) -> None:
        if not self._slow.take():
            self._suppressed += 1
            return
        suppressed, self._suppressed = self._suppressed, 0
        session, text = watched.session, watched.prepared.text
        self.log.write(
            "warning",
            "slow statement",
            session=None if session is None else session.number,
            user=None if session is None else session.author,
            kind=watched.kind,
            milliseconds=seconds * 1e3,
            rows=watched.rows,
            code=code,
            hash=hash_of(text),
            form=normal_text(text),
            suppressed=suppressed or None,
        )

    # --- sys.statements ---

    def _elsewhere(self) -> list[Elsewhere]:
        """Texts that wait for a thread. Called on engine threads."""
        loop = self._tasks[0].get_loop()
        return [
            Waiting(running, loop)
            for session in list(self.engine.sessions.values())
            for running in list(session.runnings.values())
            if not running.has_begun
        ]


class Waiting:
    """A text in sys.statements that nobody runs yet."""

    rows = 0
    kind: str | None = None
    status = "queued"

    def __init__(self, running: Running, loop: asyncio.AbstractEventLoop) -> None:
        self._running, self._loop = running, loop
        self.number, self.text = running.number, running.text
        self.session_number, self.author = running.session.number, running.session.author
        self.at_us = int(running.begun * 1e6)
        self.seconds = running.elapsed

    @property
    def cancel(self) -> Callable[[], object]:
        """Stops it, from any thread."""
        return lambda: self._loop.call_soon_threadsafe(self._running.cancel)


def _about(running: Running) -> dict[str, Any]:
    """Which text it was, without what is nobody's business."""
    session = running.session
    return {
        "session": session.number,
        "user": session.author,
        "door": session.door,
        "kind": running.title,
        "hash": hash_of(running.text),
        "form": normal_text(running.text),
        "traceparent": running.traceparent,
    }
