"""QueryLog: which statements ran, for whom, how long, and how they ended.

Slow statements and those that failed are noted one by one as long as they are few; of the others,
and of many, a sample: a bucket of tokens for each of the two kinds, so that the log costs little
however many statements run. A record says how many statements of its text and kind it stands for,
so sums over `Executions` and `Executions * Milliseconds` are those of all statements. Records wait
in memory for others (storage/logs.py), so a process that is killed loses the last ones.

What a statement holds or calls is part of it. Nothing is noted of texts that cannot be read, nor
of parameters' values.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.frozen import frozen
from hartonomous.hql.run import shorten
from hartonomous.storage.settings import QUERY_LOG

if TYPE_CHECKING:
    from hartonomous.hql.activity import Watched
    from hartonomous.hql.session import Session
    from hartonomous.storage.database import Database

#: what the log is called
LOG: Final = "queries"
#: from here on a statement is slow
SLOW_SECONDS: Final = 0.1
#: records a second, and at once, of statements that are slow or failed
SLOW_RATE, SLOW_BURST = 50.0, 200
#: … and of the others
FAST_RATE, FAST_BURST = 10.0, 200
#: notes that wait
WAITING_MAX: Final = 32


@frozen
class Query:
    """One record, its fields in their order. `seconds` are those of computing: rows that wait to be
    taken cost none."""

    id: bytes
    at_us: int
    session: int
    author: str
    door: str
    branch: str
    hash: str
    text: str
    kind: str
    seconds: float
    rows: int
    error: str | None
    executions: int


class Bucket:
    """Tokens that come at a rate, `burst` of them at most."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, float(burst)
        self._tokens = float(burst)
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether there was one."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
            self._at = now
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True


class QueryLog:
    """Takes notes for one database. A few of them wait to be written down together."""

    def __init__(self) -> None:
        self._slow = Bucket(SLOW_RATE, SLOW_BURST)
        self._fast = Bucket(FAST_RATE, FAST_BURST)
        self._waiting: list[tuple[Any, ...]] = []
        self._lock = threading.Lock()

    def note(self, watched: Watched, seconds: float) -> None:
        """A statement ended."""
        session, prepared = watched.session, watched.prepared
        if session is None:
            return
        executions = self._executions(prepared.skipped, seconds, watched.code)
        if executions:
            made = (watched.at_us, watched.kind, seconds, watched.rows, watched.code, executions)
            self._keep(session, prepared.text, *made)

    def _executions(self, skipped: list[int], seconds: float, code: str | None) -> int:
        """How many runs of its text a record would stand for, or 0 if there is to be none."""
        is_slow = seconds >= SLOW_SECONDS or code is not None
        if not (self._slow if is_slow else self._fast).take():
            skipped[is_slow] += 1
            return 0
        executions, skipped[is_slow] = 1 + skipped[is_slow], 0
        return executions

    def _keep(
        self,
        session: Session,
        text: str,
        at_us: int,
        kind: str,
        seconds: float,
        rows: int,
        error: str | None,
        executions: int,
    ) -> None:
        """A note of a statement of `session`, unless the database's setting says no."""
        if session.database.settings.get(QUERY_LOG) == "OFF":
            return
        who = (session.number, session.author, session.door, session.branch)
        note = (at_us, *who, text, kind, seconds, rows, error, executions)
        with self._lock:
            self._waiting.append(note)
            is_enough = len(self._waiting) >= WAITING_MAX
        if is_enough:
            self.flush(session.database)

    def flush(self, database: Database) -> None:
        """Writes down what waits."""
        with self._lock:
            notes, self._waiting = self._waiting, []
        if not notes:
            return
        import msgpack

        log = database.log(LOG)
        for note in notes:
            log.keep(msgpack.packb(_record(note)))


def _record(note: tuple[Any, ...]) -> list[Any]:
    """A note as a record's values: with an id, the text's hash, and the text as it may be seen."""
    import uuid

    from hartonomous.hql.normal_text import hash_of, without_secrets

    *who, text, kind, seconds, rows, error, executions = note
    shown = shorten(without_secrets(text))
    return [uuid.uuid4().bytes, *who, hash_of(text), shown, kind, seconds, rows, error, executions]


def queries_of(database: Database) -> list[Query]:
    """The last records, the oldest first."""
    import msgpack

    from hartonomous.hql.activity import activity_of

    activity_of(database).log.flush(database)
    return [Query(*msgpack.unpackb(data)) for data in database.log(LOG).records()]
