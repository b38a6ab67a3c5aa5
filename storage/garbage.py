"""Objects that nobody needs: written by transactions that did not commit, or superseded.

Objects are named by content, so two transactions may have written the same one. It goes only when
no open transaction has it, no writing is under way that might be about to find it there, the head
and the manifest do not name it, and no reader process lives.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hartonomous.storage.folder import Folder
from hartonomous.storage.manifest import object_names
from hartonomous.storage.objects import Objects
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.state import DatabaseState

if TYPE_CHECKING:
    from hartonomous.storage.database import Database


class Garbage:
    """What may be removed, of one writer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._writing = 0
        self._pending: Counter[str] = Counter()
        self._suspects: set[str] = set()

    @contextmanager
    def writing(self, objects: list[str]) -> Iterator[None]:
        """Around the writing of objects; those added to `objects` belong to the transaction."""
        before = len(objects)
        with self._lock:
            self._writing += 1
        try:
            yield
        finally:
            with self._lock:
                self._writing -= 1
                self._pending.update(objects[before:])

    def release(self, objects: list[str]) -> None:
        """A transaction is over: what the head does not name of its objects may go."""
        if not objects:
            return
        with self._lock:
            self._pending.subtract(objects)
            self._suspects.update(objects)
            objects.clear()
        self.collect()

    def suspect(self, names: Iterable[str]) -> None:
        """Objects that a checkpoint superseded and that are open wherever they are needed."""
        with self._lock:
            self._suspects.update(names)

    def collect(self) -> None:
        """Remove what is surely not needed; the rest waits."""
        database = self._database
        if database.objects is None or database.folder is None or not self._suspects:
            return
        with database.commits_path.lock, self._lock:
            if self._writing or live_readers(database.folder):
                return
            kept = {name for name, count in self._pending.items() if count > 0}
            kept |= names_of(database.commits_path.head)
            if database.manifest_name is not None:
                kept |= object_names(database.objects, database.manifest_name)
            for name in self._suspects - kept:
                database.objects.remove(name)
            self._suspects.clear()


def names_of(state: DatabaseState) -> set[str]:
    """The segments and indexes of a state."""
    names = set()
    for table in state.tables.values():
        for chunk in table.chunks:
            if isinstance(chunk.rows, SegmentRows):
                names.add(chunk.rows.meta.ref.name)
            # lists: readers add to both meanwhile, and a part may be detached at any moment
            parts = [k.stored for k in list(chunk.keys.values())]
            parts += [i.stored for i in list(chunk.indexes.values())]
            names |= {stored.name for stored in parts if stored is not None}
    return names


def live_readers(folder: Folder) -> bool:
    """Whether a reader process has the folder open; files of dead ones are removed."""
    alive = False
    for name in folder.disk.list_folder(folder.readers):
        path = folder.readers / name
        lock = folder.disk.lock(path)
        if lock is None:
            alive = True
        else:
            folder.disk.do_remove(path)
            lock.close()
    return alive


def sweep(folder: Folder, objects: Objects, kept: set[str]) -> None:
    """At a writer's opening: remove every object that is not in `kept`."""
    if not live_readers(folder):
        for name in list(objects.names()):
            if name not in kept:
                objects.remove(name)
