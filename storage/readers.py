"""A reader process: follows a writer's folder without ever taking its lock or blocking it.

    refs/heads/main changed    the manifest anew; segments already open are kept
    log is longer              its new records, up to what the writer says is synced

While no writer lives, all whole frames count (the reader syncs them itself, so that what it shows
cannot be lost). A checkpoint may remove a file between two looks: then the look starts again. The
locked file readers/<uuid> keeps objects from being removed while the reader lives.
"""

from __future__ import annotations

import threading
import uuid

from hartonomous.storage.disk import Lock
from hartonomous.storage.errors import Corruption, DiskFault
from hartonomous.storage.folder import Folder
from hartonomous.storage.manifest import read_head, read_manifest
from hartonomous.storage.manifest_state import repository_of
from hartonomous.storage.objects import Objects
from hartonomous.storage.replay import Replay
from hartonomous.storage.repository import Repository
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.wal import DurableMark
from hartonomous.storage.wal_frames import file_numbers, path_of, read_frames

ATTEMPTS_MAX = 20


class Follower:
    """The newest durable state of a folder, at every call of follow()."""

    def __init__(self, folder: Folder) -> None:
        folder.check()
        self._folder, self._disk = folder, folder.disk
        self.objects = Objects(folder.disk, folder.objects)
        #: held while the repository is looked at
        self.guard = threading.Lock()
        self._name = ""
        self._position = 0
        self._repository: Repository | None = None
        self._mark: DurableMark | None = None
        self._seen: tuple[int, int] | None = None
        self._registration = self._register()

    def _register(self) -> Lock | None:
        """None where the folder cannot be written: then there is no writer on this machine that
        could remove anything either."""
        try:
            self._disk.do_make_folder(self._folder.readers)
            while True:
                path = self._folder.readers / uuid.uuid4().hex
                lock = self._disk.lock(path, content=b"0\n")
                if lock is not None and self._disk.exists(path):
                    return lock
                if lock is not None:  # a writer took it for a dead one's before it was locked
                    lock.close()
        except DiskFault:
            return None

    def close(self) -> None:
        with self.guard:
            if self._registration is not None:
                self._disk.do_remove(self._registration.path)
                self._registration.close()
                self._registration = None
            if self._mark is not None:
                self._mark.close()
                self._mark = None

    def follow(self) -> Repository:
        """Raises Corruption or DiskFault if what the head names cannot be read."""
        with self.guard:
            for _ in range(ATTEMPTS_MAX):
                name = read_head(self._disk, self._folder.head)
                try:
                    return self._advance(name)
                except (Corruption, DiskFault):
                    # A file that a checkpoint removed meanwhile is no fault; one that is missing
                    # although the head still names it is.
                    if read_head(self._disk, self._folder.head) == name:
                        raise
            raise DiskFault(f'"{self._folder.head}" changes faster than it can be read')

    def _advance(self, name: str) -> Repository:
        lock = self._disk.lock(self._folder.lock_file, shared=True)
        try:
            if name != self._name or self._repository is None:
                self._load(name)
            assert self._repository is not None
            if lock is None:
                stop = self._durable()
                if stop is not None and stop > self._position:
                    self._read(stop)
            elif self._has_grown():
                self._read(None)
            return self._repository
        finally:
            if lock is not None:
                lock.close()

    def _load(self, name: str) -> None:
        manifest = read_manifest(self.objects, name)
        self._folder.check_log(manifest)
        known: dict[str, SegmentRows] = {}
        if self._repository is not None:
            for state in self._repository.states():
                for table in state.tables.values():
                    for chunk in table.chunks:
                        if isinstance(chunk.rows, SegmentRows):
                            known[chunk.rows.meta.ref.name] = chunk.rows
        self._repository = repository_of(self.objects, manifest, known)
        self._name, self._position = name, manifest.wal_start
        self._seen = None

    def _durable(self) -> int | None:
        """What the living writer has synced; None if it has not said yet."""
        if self._mark is None:
            if not self._disk.exists(self._folder.wal / "durable"):
                return None
            self._mark = DurableMark(self._disk, self._folder.wal, writable=False)
        return self._mark.read()

    def _has_grown(self) -> bool:
        """Without a writer: whether the log is another than at the last look. Syncs it."""
        numbers = file_numbers(self._disk, self._folder.wal)
        if not numbers:
            return False
        path = path_of(self._folder.wal, numbers[-1])
        file = self._disk.open(path)
        try:
            seen = numbers[-1], file.size()
            if seen == self._seen:
                return False
            file.sync()
            self._seen = seen
            return True
        finally:
            file.close()

    def _read(self, stop: int | None) -> None:
        assert self._repository is not None
        replay = Replay(self.objects, self._repository)
        position, name, self._name = self._position, self._name, ""  # if it fails, all is read anew
        for frame in read_frames(self._disk, self._folder.wal, position, stop):
            replay.add(frame.body)
            position = frame.end
        replay.finish()
        self._position, self._name = position, name
