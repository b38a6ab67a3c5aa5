"""Who is at work in a database of this process, and on what: sys.sessions, sys.statements, KILL.

A session begins a `Watched` for each statement that no other statement holds, and ends it when the
statement's limits stop: after its last row, or when it is given up. Whoever wants to know of every
end (metrics, QueryLog) is an observer. Nothing here keeps a session or a statement alive.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.query_log import QueryLog
    from hartonomous.hql.run import Prepared
    from hartonomous.hql.session import Session
    from hartonomous.storage.database import Database

_NUMBERS = itertools.count(1)


class Watched:
    """One statement while it runs. `rows`: given or changed so far. Times are of the monotonic
    clock, in seconds; `at_us` says when it began by the database's clock."""

    __slots__ = (
        "__weakref__",
        "_idle",
        "_limits",
        "_paused",
        "_session",
        "activity",
        "at_us",
        "begun",
        "code",
        "number",
        "prepared",
        "rows",
    )

    def __init__(
        self, activity: Activity, session: Session, prepared: Prepared, limits: Limits, at_us: int
    ) -> None:
        self.activity, self.prepared = activity, prepared
        self._session, self._limits = weakref.ref(session), weakref.ref(limits)
        self.number = next(_NUMBERS)
        self.at_us = at_us
        self.begun = time.monotonic()
        self.rows = 0
        #: of the error that it ended with
        self.code: str | None = None
        self._idle = 0.0
        self._paused: float | None = None

    @property
    def session(self) -> Session | None:
        """Whose statement it is, unless nobody has that session any more."""
        return self._session()

    @property
    def limits(self) -> Limits | None:
        return self._limits()

    @property
    def kind(self) -> str:
        """What the statement is called: SELECT, CREATE TABLE."""
        return self.prepared.statement.title

    @property
    def seconds(self) -> float:
        """How long it has run, without the time that its rows waited to be taken."""
        now = time.monotonic()
        paused = self._paused
        return now - self.begun - self._idle - (0.0 if paused is None else now - paused)

    @property
    def is_paused(self) -> bool:
        """Whether rows that are computed wait to be taken."""
        return self._paused is not None

    def pause(self, rows: int) -> None:
        """So many more rows are there, and wait to be taken."""
        self.rows += rows
        self._paused = time.monotonic()

    def go_on(self) -> None:
        """More rows are wanted."""
        if self._paused is not None:
            self._idle += time.monotonic() - self._paused
            self._paused = None

    def forget(self) -> None:
        """What was begun is not one statement after all."""
        self.activity.running.pop(self.number, None)

    def end(self) -> None:
        """The statement is over. Only the first time counts."""
        if self.activity.running.pop(self.number, None) is None:
            return
        self.go_on()
        seconds = time.monotonic() - self.begun - self._idle
        for observe in self.activity.observers:
            observe(self, seconds)


#: what is told of a statement that ended and of the seconds it took, in the statement's thread
Observer = Callable[[Watched, float], None]


class Elsewhere(Protocol):
    """A text that no session runs yet."""

    number: int
    session_number: int
    author: str
    text: str
    at_us: int
    seconds: float

    @property
    def kind(self) -> str | None: ...

    @property
    def status(self) -> str: ...

    @property
    def rows(self) -> int: ...

    @property
    def cancel(self) -> Callable[[], object]: ...


class Activity:
    """What goes on in one database. `elsewhere` are asked for statements that no session here
    runs."""

    def __init__(self, log: QueryLog) -> None:
        self.log = log
        self.observers: list[Observer] = [log.note]
        self.running: dict[int, weakref.ref[Watched]] = {}
        self.elsewhere: list[Callable[[], list[Elsewhere]]] = []
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    def enter(self, session: Session) -> None:
        """A session opened."""
        with self._lock:
            self._sessions.add(session)

    def sessions(self) -> list[Session]:
        """Those that are open, by number."""
        with self._lock:
            found = [s for s in self._sessions if not s.is_closed]
        return sorted(found, key=lambda s: s.number)

    def begin(self, session: Session, prepared: Prepared, limits: Limits) -> Watched:
        """A statement of a session begins; it ends when its limits stop."""
        made = Watched(self, session, prepared, limits, session.database.clock.now_us())
        self.running[made.number] = weakref.ref(made)
        limits.watched = made
        limits.at_stop(made.end)
        return made

    def statements(self) -> list[Watched]:
        """Those that run now, the oldest first."""
        found = []
        for number, reference in list(self.running.items()):
            watched = reference()
            if watched is None:  # given up without being closed
                self.running.pop(number, None)
            else:
                found.append(watched)
        return found


_activities: weakref.WeakKeyDictionary[Database, Activity] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def activity_of(database: Database) -> Activity:
    """The one of a database."""
    from hartonomous.hql.query_log import QueryLog

    with _lock:
        found = _activities.get(database)
        if found is None:
            found = _activities[database] = Activity(QueryLog())
        return found


def statements_here() -> list[Watched]:
    """Those that run now in any database of this process."""
    with _lock:
        activities = list(_activities.values())
    return [watched for activity in activities for watched in activity.statements()]


def next_number() -> int:
    """A number for a statement that is not run here."""
    return next(_NUMBERS)
