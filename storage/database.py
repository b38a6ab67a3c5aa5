"""Database: one folder, or nothing but memory. What hql calls; read this first.

A writer recovers the folder, then commits (commit_path.py) and checkpoints (checkpoint.py). A
reader follows the writer's log (readers.py). Either way a branch's `published` is the newest state
that others may see, and a snapshot is nothing but a reference to it. Branches and the past are in
past.py.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from hartonomous.storage.branches import MAIN, MAIN_NAME, Line, get_line
from hartonomous.storage.care import Care
from hartonomous.storage.catalog import first_catalog
from hartonomous.storage.catalog_maps import catalog_hash
from hartonomous.storage.clock import Clock, SystemClock
from hartonomous.storage.commit_path import CommitPath
from hartonomous.storage.counters import Counters
from hartonomous.storage.disk import Disk, Lock
from hartonomous.storage.errors import Locked
from hartonomous.storage.garbage import Garbage
from hartonomous.storage.interrupts import Interrupts
from hartonomous.storage.repository import Repository
from hartonomous.storage.state import CommitInfo, DatabaseState, Snapshot, TempStore
from hartonomous.storage.temporary import publish_temporary
from hartonomous.storage.transaction import Transaction

# what only a database in a folder needs is imported when one is opened
if TYPE_CHECKING:
    from hartonomous.storage.folder import Folder
    from hartonomous.storage.logs import Log
    from hartonomous.storage.objects import Objects
    from hartonomous.storage.readers import Follower
    from hartonomous.storage.wal import Wal

#: how long wait_until sleeps between two looks
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.0005, 0.005

_open: dict[tuple[Path, bool], Database] = {}
#: those in memory that have a name; nobody but their users keeps them
_named: weakref.WeakValueDictionary[str, Database] = weakref.WeakValueDictionary()
_open_lock = threading.Lock()


class Database(Care):
    """See docs/ARCHITECTURE.md section 3. Any number of threads may use it at once."""

    path: Path | None = None
    read_only: bool = False
    objects: Objects | None = None
    folder: Folder | None = None
    manifest_name: str | None = None

    def __init__(
        self,
        disk: Disk,
        clock: Clock,
        repository: Repository,
        counters: Counters,
        wal: Wal | None = None,
    ) -> None:
        super().__init__()
        self.disk, self.clock, self.counters, self.wal = disk, clock, counters, wal
        self.garbage = Garbage(self)
        self.checkpoint_bytes = 0
        self.commits_path = CommitPath(self, repository, wal)
        self._publishing = threading.Lock()
        self._follower: Follower | None = None
        self._lock: Lock | None = None
        self._memory: Objects | None = None
        self._uses = 1
        self._is_forked = False
        self._logs: dict[str, Log] = {}

    # --- opening and closing

    @staticmethod
    def open(
        path: str | Path | None,
        *,
        read_only: bool = False,
        disk: Disk | None = None,
        clock: Clock | None = None,
        checkpoint_bytes: int = 64 << 20,
    ) -> Database:
        """A database in a folder, made if missing (not for a reader); None or ":memory:" keeps
        nothing. Opening a folder twice gives the same Database; close() once for each. So does
        ":memory:NAME", a database in memory that all of this process share who know the name,
        until the last one closes it.

        Raises Locked (another process writes), NotFound (nothing there to read), FormatFault,
        Corruption, DiskFault.
        """
        disk, clock = disk or Disk(), clock or SystemClock()
        text = ":memory:" if path is None else str(path)
        if text == ":memory:":
            return Database._in_memory(disk, clock)
        with _open_lock:
            if text.startswith(":memory:"):
                return Database._in_named_memory(text, disk, clock)
            from hartonomous.storage.folder import Folder

            real = Path(text).resolve()
            found = _open.get((real, read_only))
            if found is not None:
                found._uses += 1
                return found
            make = Database._reader if read_only else Database._writer
            database = make(Folder(disk, real), clock)
            database.checkpoint_bytes = checkpoint_bytes
            _open[real, read_only] = database
            return database

    @staticmethod
    def _in_named_memory(name: str, disk: Disk, clock: Clock) -> Database:
        found = _named.get(name)
        if found is not None and found._uses > 0:
            found._uses += 1
            return found
        database = _named[name] = Database._in_memory(disk, clock)
        return database

    @staticmethod
    def cut_tail(path: str | Path, *, disk: Disk | None = None) -> int:
        """Drop a damaged end of the log, on the user's word: the first bad frame and all after
        it. How many bytes; 0 if nothing was damaged. Raises Locked while it is open."""
        from hartonomous.storage.folder import Folder
        from hartonomous.storage.manifest import read_head, read_manifest
        from hartonomous.storage.objects import Objects
        from hartonomous.storage.wal_frames import cut_tail

        folder = Folder(disk or Disk(), Path(path).resolve())
        folder.check()
        lock = folder.lock()
        try:
            manifest = read_manifest(
                Objects(folder.disk, folder.objects), read_head(folder.disk, folder.head)
            )
            cut = cut_tail(folder.disk, folder.wal, manifest.wal_start)
            return 0 if cut is None else cut[2]
        finally:
            lock.close()

    @staticmethod
    def _in_memory(disk: Disk, clock: Clock) -> Database:
        catalog = first_catalog()
        state = DatabaseState(0, catalog, catalog_hash=catalog_hash(catalog))
        return Database(disk, clock, Repository.of(state), Counters(1, 2, {}))

    @staticmethod
    def _writer(folder: Folder, clock: Clock) -> Database:
        from hartonomous.storage.recovery import open_folder

        opened = open_folder(folder)
        database = Database(folder.disk, clock, opened.repository, opened.counters, opened.wal)
        database.folder, database.path, database._lock = folder, folder.path, opened.lock
        database.objects, database.manifest_name = opened.objects, opened.manifest_name
        return database

    @staticmethod
    def _reader(folder: Folder, clock: Clock) -> Database:
        from hartonomous.storage.readers import Follower

        follower = Follower(folder)
        try:
            repository = follower.follow()
        except BaseException:
            follower.close()  # its registration would hold back the writer's collection
            raise
        database = Database(folder.disk, clock, repository, Counters(0, 0, {}))
        database.folder, database.path, database.read_only = folder, folder.path, True
        database.objects, database._follower = follower.objects, follower
        follower.watch_models(database.garbage.models_in_use)
        return database

    def close(self) -> None:
        """Give back one opening; the last one writes a checkpoint if the log is not empty, and
        releases the folder. Does nothing when closed."""
        with _open_lock:
            self._uses -= 1
            if self._uses != 0 or self._is_forked:
                return
            if self.path is not None:
                _open.pop((self.path, self.read_only), None)
            self.keeper.stop()
            self.flush_logs()
            try:
                if self.wal is not None:
                    self._close_log(self.wal)
            finally:
                if self.objects is not None:
                    self.objects.close()
                if self._follower is not None:
                    self._follower.close()
                if self._lock is not None:
                    self._lock.close()

    def announce(self, address: str) -> None:
        """Tells whoever finds the folder locked where it is served."""
        if self._lock is not None:
            from hartonomous.storage.folder import holder

            self._lock.rewrite(holder(address))

    def _close_log(self, wal: Wal) -> None:
        try:
            if self.commits_path.repository.has_news and not self.commits_path.has_failed:
                self.checkpoint()
        finally:
            wal.close()

    def log(self, name: str) -> Log:
        """The log of that name, which stands outside commits."""
        from hartonomous.storage.logs import Log

        found = self._logs.get(name)
        if found is None:
            folder = None if self.folder is None else self.folder.logs
            is_mine = not self.read_only and not self._is_forked
            made = Log(self.disk, folder, name, writable=is_mine)
            found = self._logs.setdefault(name, made)
        return found

    def flush_logs(self) -> None:
        """Have what waits in the logs written, where this process may."""
        for log in tuple(self._logs.values()):
            log.flush()

    # --- transactions

    def begin(self, temp: TempStore | None = None, branch: str = MAIN_NAME) -> Transaction:
        """A transaction on the last published state of a branch; `temp`: the session's temporary
        tables. Raises NotFound."""
        self._follow()
        if self._memory is not None:
            self.garbage.collect()  # what a snapshot that is gone by now held back
        line = self._line(branch)
        transaction = Transaction(self, line.published, temp, line.name, line.id)
        self.garbage.watch(transaction)
        return transaction

    def snapshot(self, branch: str = MAIN_NAME) -> Snapshot:
        """The last published state of a branch, for reading. Raises NotFound."""
        self._follow()
        line = self._line(branch)
        snapshot = Snapshot(line.published, line.name)
        self.garbage.watch(snapshot)
        return snapshot

    def _line(self, branch: str) -> Line:
        lines = self.commits_path.repository.lines
        if branch == MAIN_NAME:
            return lines[MAIN]
        return get_line(list(lines.values()), branch)

    @property
    def published(self) -> DatabaseState:
        """The newest state of main that others may see."""
        return self.commits_path.repository.main.published

    def _check_process(self) -> None:
        if self._is_forked:
            raise Locked(
                f'"{self.path}" was opened before this process was forked, and is the parent\'s',
                hint="connect in the child; read_only=True works beside the parent",
            )

    def _follow(self) -> None:
        self._check_process()
        if self._follower is not None:
            self.commits_path.repository = self._follower.follow()

    # --- one database in several processes

    @property
    def position(self) -> int:
        """A place in the log before which everything stands that a snapshot of now shows; places
        increase. 0 in memory."""
        if self._follower is not None:
            return self._follower.reached
        return 0 if self.wal is None else self.wal.durable

    def wait_until(self, position: int, seconds: float) -> bool:
        """Whether a snapshot of now shows all that stands in the log before `position`, a place
        that the writer told; it is waited for so long. Raises as snapshot() does."""
        deadline = time.monotonic() + seconds
        pause = PAUSE_SECONDS_MIN
        while True:
            self._follow()
            if self.position >= position:
                return True
            if time.monotonic() + pause > deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    def shows(self, branch: str, sequence: int) -> bool:
        """Whether a snapshot of a branch shows its commit of that sequence. A reader may see a
        commit a moment before the writer itself shows it. Raises NotFound."""
        self._follow()
        return self._line(branch).published.sequence >= sequence

    def commit(self, transaction: Transaction, statement: str, author: str) -> CommitInfo | None:
        """Transaction.commit's other half."""
        try:
            self._check_process()
            if transaction.objects:
                self.object_store.settle(transaction.objects)
            with Interrupts() as interrupts:
                info = self.commits_path.commit(transaction, statement, author, interrupts)
                publish_temporary(transaction)
            self.garbage.suspect_models(transaction.changes.values())
        finally:
            self.garbage.release(transaction.objects)
        self.checkpoint_if_due()
        return info

    def discard(self, transaction: Transaction) -> None:
        """Transaction.rollback's other half."""
        self.garbage.release(transaction.objects)

    def publish(self, line: Line, state: DatabaseState) -> None:
        """Let new snapshots of a branch see a state, unless they see a later one already."""
        with self._publishing:
            line.publish(state)

    # --- counters

    @property
    def object_store(self) -> Objects:
        """Where objects are: in the folder, or in memory for a database that has none."""
        if self.objects is not None:
            return self.objects
        with self._publishing:
            if self._memory is None:
                from hartonomous.storage.memory_disk import MemoryDisk
                from hartonomous.storage.objects import Objects

                self._memory = Objects(MemoryDisk(), Path("objects"))
            return self._memory

    def reserve_row_ids(self, count: int) -> int:
        """The first of `count` row ids that nobody else gets."""
        return self.counters.reserve_row_ids(count)

    def next_identity(self, table_id: int, count: int, seed: int, step: int) -> int:
        """The first of `count` identity values, `step` apart; they are nobody else's. Durable
        with the next commit that changes the table."""
        return self.counters.next_identity(table_id, count, seed, step)

    def bump_identity(self, table_id: int, value: int, seed: int, step: int) -> None:
        """Move the counter past a value that was given explicitly, if it is not past it."""
        self.counters.bump_identity(table_id, value, seed, step)


def _leave_to_parent() -> None:
    """In a child made by fork: the parent's databases are not the child's, which would write over
    what the parent writes. Their locks are let go, or they would outlive the parent."""
    global _open_lock
    _open_lock = threading.Lock()  # a thread that is not here may have held it
    for database in _open.values():
        database._is_forked = True
        if database._lock is not None:
            database._lock.close()
    _open.clear()
    _named.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
