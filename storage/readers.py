"""A reader process: follows a writer's folder without ever taking its lock or blocking it.

    refs/heads/main changed    the manifest anew; segments already open are kept
    log is longer              its new records, up to what the writer says is synced

While no writer lives, all whole frames count (the reader syncs them itself, so that what it shows
cannot be lost). A checkpoint may remove a file between two looks: then the look starts again. A
reader claims the manifest that it is at (registration.py), so that what that needs is not removed;
before it goes on to another one it opens what its older snapshots will still read.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from hartonomous.storage.catalog import ModelEntry
from hartonomous.storage.errors import Corruption, DiskFault
from hartonomous.storage.folder import Folder
from hartonomous.storage.manifest import object_names, read_head, read_manifest
from hartonomous.storage.manifest_state import repository_of
from hartonomous.storage.objects import Objects
from hartonomous.storage.registration import Registration
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
        self._reached = 0
        self._repository: Repository | None = None
        self._mark: DurableMark | None = None
        self._seen: tuple[int, int] | None = None
        self._base = ""  # the manifest of what is in _repository
        self._needed: set[str] = set()  # its objects
        self._held: Counter[str] = Counter()
        self._models: frozenset[str] = frozenset()
        self._catalogs: tuple[int, ...] = ()  # of which the models are claimed
        self._models_in_use: Callable[[], Iterable[ModelEntry]] = tuple
        self._registration = Registration(folder)

    def watch_models(self, in_use: Callable[[], Iterable[ModelEntry]]) -> None:
        """`in_use`: the models that snapshots of this process have."""
        self._models_in_use = in_use

    @contextmanager
    def holding(self) -> Iterator[tuple[str, int, int]]:
        """The newest moment, as the manifest's name, the end of the log and the last commit; what
        it needs stays meanwhile."""
        self.follow()
        with self.guard:
            assert self._repository is not None
            place = self._base, self._position, self._repository.sequence
            self._held[self._base] += 1
        try:
            yield place
        finally:
            with self.guard:
                self._held[place[0]] -= 1
                self._claim()

    def _claim(self, *more: str) -> None:
        held = {name for name, count in self._held.items() if count}
        manifests = {name for name in (self._base, *held, *more) if name}
        self._registration.claim(manifests, self._models)

    def close(self) -> None:
        with self.guard:
            self._registration.close()
            if self._mark is not None:
                self._mark.close()
                self._mark = None

    @property
    def reached(self) -> int:
        """The log's position up to which the last follow() saw everything."""
        return self._reached

    def follow(self) -> Repository:
        """Raises Corruption or DiskFault if what the head names cannot be read."""
        with self.guard:
            for _ in range(ATTEMPTS_MAX):
                name = read_head(self._disk, self._folder.head)
                try:
                    if name != self._base:
                        self._claim(name)
                        if read_head(self._disk, self._folder.head) != name:
                            continue
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
                if stop is not None and stop > self._reached:
                    self._read(stop)
                    self._reached = stop  # beyond the last frame where a new file has begun
            elif self._has_grown():
                self._read(None)
            return self._repository
        finally:
            if lock is not None:
                lock.close()

    def _load(self, name: str) -> None:
        manifest = read_manifest(self.objects, name)
        self._folder.check_log(manifest)
        before = [] if self._repository is None else self._repository.chunks()
        rows = [c.rows for c in before if isinstance(c.rows, SegmentRows)]
        known = {r.meta.ref.name: r for r in rows}
        repository = repository_of(self.objects, manifest, known)
        needed = object_names(self.objects, name)
        for chunk in before:  # older snapshots go on reading them
            chunk.detach_parts()
            if isinstance(chunk.rows, SegmentRows) and chunk.rows.meta.ref.name not in needed:
                chunk.rows.open()
        self._repository, self._needed = repository, needed
        self._name = self._base = name
        self._position, self._seen = manifest.wal_start, None
        self._reached = manifest.wal_start
        self._catalogs = ()
        self._claim_models(name)

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
        for chunk in self._repository.chunks():  # no manifest names yet what the log brought
            if isinstance(chunk.rows, SegmentRows):
                brought = chunk.rows.meta.ref.name
                if brought not in self._needed:
                    chunk.detach()
                    self._needed.add(brought)
        self._claim_models(name)
        self._position, self._name = position, name
        self._reached = position

    def _claim_models(self, name: str) -> None:
        """Claim also the models that a manifest's own catalogs do not name. Raises DiskFault if
        the manifest is not the newest any more: then some may be gone."""
        assert self._repository is not None
        catalogs = tuple(state.catalog.version for state in self._repository.states())
        if catalogs == self._catalogs:
            return
        entries = [e for e in self._repository.models() if isinstance(e, ModelEntry)]
        entries += self._models_in_use()
        self._models = frozenset(v.manifest for e in entries for v in e.versions)
        self._claim()
        if self._models and read_head(self._disk, self._folder.head) != name:
            self._name = ""
            raise DiskFault("the database has moved on")
        self._catalogs = catalogs
