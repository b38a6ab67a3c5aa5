"""A worker process: answers queries from a database that it only reads (server/workers.py).

    python -m hartonomous.server.worker_process DESCRIPTOR FOLDER TEMPORARY MEMORY

DESCRIPTOR is the socket to the server, inherited, that keeps messages apart; FOLDER the database,
TEMPORARY a folder for temporary files, which is the process's own; MEMORY the bytes that
queries may take. The socket's other end is the server's alone, so where it ends the
server has ended, and so does the process: no signal, and no kill of the server, leaves one behind.
Each connection for queries has a thread, which computes when it is asked and sends as fast as the
server takes: a slow client's rows wait in the query.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.elsewhere import NotHere, ReadingSession
from hartonomous.hql.engine.relational import limit_memory
from hartonomous.hql.result import Result
from hartonomous.hql.security.accounts import Accounts
from hartonomous.server.memory import ENGINE_SHARE, MemoryGuard
from hartonomous.server.play import pieces
from hartonomous.server.worker_frames import (
    Ask,
    Began,
    Connect,
    Ended,
    Failed,
    Frames,
    NotMine,
    Ping,
    Pong,
    Ready,
    Some,
    Stop,
    packed,
)
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.security.accounts import Account

#: seconds between two looks at the log while nobody asks: what the reader claims goes on with it
FOLLOW_SECONDS: Final = 1.0
#: looks in a row that fail before the process gives itself up
FAILURES_MAX: Final = 5
#: sessions of one connection, one for each account: those used last
SESSIONS_MAX: Final = 16
#: rows are sent when there are so many bytes, or the first of them waited so long
HELD_BYTES, HELD_SECONDS = 1 << 16, 0.01
#: errors that say more of this process than of the query
OWN_CODES: Final = frozenset(("MEMORY", "DISK", "CORRUPTION", "INTERNAL"))
#: how much rather than others the system ends the process when memory runs out: 0 to 1000
OOM_SCORE: Final = "500"
#: bytes of one message of the server's own socket
MESSAGE_BYTES_MAX: Final = 1 << 16


class Lost(Exception):
    """The server has closed the connection: nobody wants what is computed."""


class Slot:
    """A connection for queries: one at a time."""

    def __init__(self, connection: socket.socket, folder: str) -> None:
        self._connection, self._folder = connection, folder
        self._frames = Frames()
        self._sessions: OrderedDict[str | None, ReadingSession] = OrderedDict()
        self._lock = threading.Lock()
        self._number = 0
        self._current: ReadingSession | None = None
        self._outgoing: list[Any] = []
        self._held = 0
        self._held_since = 0.0

    def serve(self) -> None:
        """Answers until the server closes the connection."""
        try:
            while True:
                ask = self._receive()
                self._answer(ask)
        except (Lost, OSError):
            return
        finally:
            self._connection.close()
            for session in self._sessions.values():
                session.close()

    def stop(self, number: int) -> None:
        """Ends a query if it still runs; from another thread."""
        with self._lock:
            if number == self._number and self._current is not None:
                self._current.stop()

    def _receive(self) -> Ask:
        while (frame := self._frames.next()) is None:
            count = self._connection.recv_into(self._frames.room)
            if count == 0:
                raise Lost
            self._frames.received(count)
        ask = frame[0]
        assert isinstance(ask, Ask), ask
        return ask

    # --- one query

    def _answer(self, ask: Ask) -> None:
        session = self._session(ask.account)
        with self._lock:
            self._number, self._current = ask.number, session
            session.allow()
        try:
            try:
                why = self._begin(session, ask)
                result = None if why else self._first(session, ask)
                if isinstance(result, Result):
                    self._give(session, result)
                else:
                    self._say(result or NotMine(why or "", lasts=False))
            except Error as error:
                self._say(Failed.of(error))
        finally:
            with self._lock:
                self._number, self._current = 0, None
            if session.is_closed:  # by a bug of ours: its state cannot be trusted
                self._sessions.pop(ask.account, None)
        self._flush()

    def _session(self, account: str | None) -> ReadingSession:
        """The session for queries of an account, which keeps their plans."""
        found = self._sessions.pop(account, None)
        if found is None:
            found = ReadingSession.open(self._folder)
        self._sessions[account] = found
        if len(self._sessions) > SESSIONS_MAX:
            _, oldest = self._sessions.popitem(last=False)
            oldest.close()
        return found

    def _begin(self, session: ReadingSession, ask: Ask) -> str | None:
        """Makes the session what the query needs; why that cannot be, if it cannot."""
        try:
            if not session.database.wait_until(ask.position, ask.wait):
                return "the log is not read so far yet"
            if ask.account is not None:
                session.account = _account(session, ask.account)
                if session.account is None:
                    return "the account is not what it was"
            if session.branch != ask.branch:
                session.use_branch(ask.branch)
        except Error as error:
            return f"it cannot be begun: {error}"
        session.timeout, session.memory = ask.timeout, ask.memory
        return None

    def _first(self, session: ReadingSession, ask: Ask) -> Result | NotMine:
        """The rows, of which the first are there; NotMine if the writer is to answer, also if it
        may have what this process lacks. Raises the query's errors."""
        try:
            result = session.query(ask.text, ask.parameters)
        except Error as error:
            if error.code in OWN_CODES:
                return NotMine(f"it failed here: {error}", lasts=False)
            raise
        return NotMine(str(result), lasts=True) if isinstance(result, NotHere) else result

    def _give(self, session: ReadingSession, result: Result) -> None:
        """Sends the rows as they are computed."""
        try:
            assert result.fields is not None
            begun = session.sequence, result.fields, result.row_count, session.is_bounded
            self._say(Began(*begun))
            for batch in result.batches():
                for piece in pieces(batch):
                    self._say(Some(piece.num_rows), piece.serialize())
            self._say(Ended(result.row_count))
        finally:
            result.close()

    # --- sending

    def _say(self, message: object, payload: pa.Buffer | None = None) -> None:
        """Sends a message, soon: small ones wait for each other for a moment."""
        if not self._outgoing:
            self._held_since = time.monotonic()
        for piece in packed(message, payload):
            self._outgoing.append(piece)
            self._held += len(piece)
        if self._held >= HELD_BYTES or time.monotonic() - self._held_since >= HELD_SECONDS:
            self._flush()

    def _flush(self) -> None:
        outgoing, self._outgoing, self._held = self._outgoing, [], 0
        views = [memoryview(piece) for piece in outgoing]
        while views:
            sent = self._connection.sendmsg(views)
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if sent:
                views[0] = views[0][sent:]


def _account(session: ReadingSession, name: str) -> Account | None:
    """The account as the log has it that far; "" is nobody's while there are no users."""
    accounts = Accounts.of(session.database)
    if name:
        return accounts.find(name)
    return None if accounts.has_users else accounts.open_account()


class Process:
    """The process: what the server says on its own socket, and the slots."""

    def __init__(self, server: socket.socket, folder: str) -> None:
        self._server, self._folder = server, folder
        self._slots: dict[int, Slot] = {}
        self._own = ReadingSession.open(folder)

    def run(self) -> None:
        """Until the server closes its socket."""
        self._warm_up()
        threading.Thread(target=self._follow, name="hql-follow", daemon=True).start()
        self._tell(Ready())
        for message, descriptors in self._messages():
            if isinstance(message, Connect):
                (descriptor,) = descriptors
                self._connect(message.connection, socket.socket(fileno=descriptor))
            elif isinstance(message, Stop):
                slot = self._slots.get(message.connection)
                if slot is not None:
                    slot.stop(message.number)
            else:
                assert isinstance(message, Ping), message
                self._tell(Pong(self._own.database.position, resident_bytes()))

    def _messages(self) -> Iterator[tuple[Any, list[int]]]:
        while True:
            data, descriptors, _, _ = socket.recv_fds(self._server, MESSAGE_BYTES_MAX, 1)
            if not data:
                return
            yield pickle.loads(data), descriptors

    def _tell(self, message: object) -> None:
        self._server.send(pickle.dumps(message))

    def _connect(self, number: int, connection: socket.socket) -> None:
        slot = self._slots[number] = Slot(connection, self._folder)

        def serve() -> None:
            try:
                slot.serve()
            finally:
                self._slots.pop(number, None)

        threading.Thread(target=serve, name=f"hql-slot-{number}", daemon=True).start()

    def _warm_up(self) -> None:
        """Imports what queries need, and starts the relational engine."""
        found = self._own.query("SELECT COUNT(*) FROM GENERATE_SERIES(1, 3) WHERE value > 1")
        assert not isinstance(found, NotHere), found
        found.to_table()

    def _follow(self) -> None:
        """Reads the log on, so that a query finds little left to read, and old manifests are let
        go. A reader that cannot is of no use: the process ends, and a new one begins."""
        failures = 0
        while failures < FAILURES_MAX:
            time.sleep(FOLLOW_SECONDS)
            try:
                self._own.database.snapshot()
                failures = 0
            except Error as error:
                failures += 1
                print(f"worker {os.getpid()}: {error}", file=sys.stderr, flush=True)
        end(1)


def resident_bytes() -> int:
    """Memory that the process has, as the system counts it."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def go_first() -> None:
    """Where memory runs out the system had better end a worker than the server."""
    with contextlib.suppress(OSError):  # not every system lets us say so
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")


def end(status: int) -> None:
    """Ends the process at once, whatever its threads do."""
    if tempfile.tempdir is not None:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    os._exit(status)


def main(descriptor: int, folder: str, temporary: str, memory_bytes: int) -> None:
    """Serves until the server ends."""
    tempfile.tempdir = temporary
    limit_memory(int(memory_bytes * ENGINE_SHARE))
    # what a supervisor tells all processes is for the server, which ends its workers
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    go_first()
    # the server's own bound moves on as it grows (memory.py); what it was when this began does not
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    server = socket.socket(fileno=descriptor)
    try:
        process = Process(server, folder)
        MemoryGuard(memory_bytes).start()
        process.run()
    except BrokenPipeError:
        end(0)  # the server ended meanwhile
    except (OSError, Error) as error:
        print(f"worker {os.getpid()}: {error}", file=sys.stderr, flush=True)
        end(1)
    end(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
