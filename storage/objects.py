"""Objects: immutable files named by the SHA-256 of their bytes.

objects/ab/cdef…   the first two hex digits are the folder, the other 62 the file
objects/tmp/…      what is being written; removed when a writer opens the database

An object is written to tmp, synced, renamed and its folder synced, so it is there whole or not
at all. Where many are written at once they are *staged*: read from tmp by this process, and made
durable together, as syncs that come together cost little more than one. Reading is by mapping.
`read` checks the whole digest (small objects: manifests, packs); large ones carry block checksums
that their readers check on first touch (blocks.py).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from hartonomous.storage.disk import Data, Disk, File
from hartonomous.storage.errors import Corruption

#: from this many bytes on, hashing runs beside writing in a thread of its own
THREAD_FROM: Final = 1 << 20
#: pieces waiting for the hashing thread
QUEUE_MAX: Final = 64
#: bytes after which the system is told to start writing them out
WRITEBACK_STEP: Final = 8 << 20

#: objects staged at once; each is an open file
STAGED_MAX: Final = 256

_numbers = itertools.count()


class Objects:
    """The objects of one database folder."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk, self.folder = disk, folder
        self._maps: dict[str, pa.Buffer] = {}
        self._kept: dict[str, dict[Any, Any]] = {}
        self._lock = threading.RLock()
        self._staged: dict[str, File] = {}  # guarded; whole, open, not durable under their names
        self._settling = threading.Lock()

    def prepare(self) -> None:
        """A writer's first act: folders, and leftovers of a writer that died."""
        temporary = self.folder / "tmp"
        self._disk.do_make_folder(temporary)
        for name in self._disk.list_folder(temporary):
            self._disk.do_remove(temporary / name)

    def path(self, name: str) -> Path:
        """Where an object is, or would be."""
        staged = self._staged.get(name)
        return self._final(name) if staged is None else staged.path

    def _final(self, name: str) -> Path:
        return self.folder / name[:2] / name[2:]

    def writer(self, also: Callable[[Data], None] | None = None) -> ObjectWriter:
        """A new object; `also` is called with every piece, in order, maybe in another thread."""
        return ObjectWriter(self, also)

    def put(self, data: Data) -> str:
        """Store bytes; their name."""
        digest = hashlib.sha256(data).hexdigest()
        if self.exists(digest):
            self.settle([digest])
            return digest
        with self.writer() as writer:
            writer.write(data)
            return writer.commit()

    def exists(self, name: str) -> bool:
        return name in self._staged or self._disk.exists(self._final(name))

    def is_whole(self, name: str) -> bool:
        """Whether the object is there and undamaged; reads all of it."""
        if not self.exists(name):
            return False
        try:
            self.verify(name)
        except Corruption:
            self._forget(name)
            return False
        return True

    def size(self, name: str) -> int:
        return self._disk.size(self.path(name))

    def map(self, name: str) -> pa.Buffer:
        """The object's bytes, mapped, not checked."""
        buffer = self._maps.get(name)
        if buffer is None:
            with self._lock:
                if not self._disk.exists(self.path(name)):
                    raise Corruption(f"object {name} is missing")
                buffer = self._maps.setdefault(name, self._disk.map(self.path(name)))
        return buffer

    def read(self, name: str) -> pa.Buffer:
        """The object's bytes, checked against its name."""
        buffer = self.map(name)
        found = hashlib.sha256(buffer).hexdigest()
        if found != name:
            raise Corruption(f"object {name} is damaged: its SHA-256 is {found}")
        return buffer

    def verify(self, name: str) -> None:
        """Re-read and re-hash; Corruption if the bytes are not those that were stored."""
        self._maps.pop(name, None)
        self.read(name)

    def kept(self, name: str) -> dict[Any, Any]:
        """What readers worked out from an object and want to find again while it is there."""
        return self._kept.setdefault(name, {})

    def _forget(self, name: str) -> None:
        self._maps.pop(name, None)
        self._kept.pop(name, None)

    def names(self) -> Iterator[str]:
        for folder in self._disk.list_folder(self.folder):
            if len(folder) == 2:
                for rest in self._disk.list_folder(self.folder / folder):
                    yield folder + rest

    def remove(self, name: str) -> None:
        """Remove an object; buffers already handed out stay valid."""
        self._forget(name)
        with self._settling, self._lock:
            staged = self._staged.pop(name, None)
            if staged is not None:
                staged.close()
                self._disk.do_remove(staged.path)
                return
        self._disk.do_remove(self._final(name))

    # --- staging

    def stage(self, name: str, file: File) -> None:
        """A file in tmp that holds an object whole, and is ours from now on."""
        with self._lock:
            if name not in self._staged:
                self._staged[name] = file
                is_full = len(self._staged) > STAGED_MAX
            else:
                file.close()
                self._disk.do_remove(file.path)
                return
        if is_full:
            self.settle(list(self._staged))

    def settle(self, names: Iterable[str]) -> None:
        """Return when those of the objects that are staged are durable under their names. After
        a DiskFault they are still staged."""
        if not self._staged:
            return
        with self._settling:
            with self._lock:
                files = {n: self._staged[n] for n in names if n in self._staged}
            if not files:
                return
            self._disk.do_sync_many(list(files.values()))
            folders = sorted({self._final(n).parent for n in files})
            for folder in folders:
                self._disk.do_make_folder(folder, sync=False)
            with self._lock:
                for name, file in files.items():
                    path = self._final(name)
                    if file.path != path:
                        self._disk.do_rename(file.path, path)
                        file.path = path
            self._disk.do_sync_many([], [self.folder, *folders])
            with self._lock:
                for name, file in files.items():
                    del self._staged[name]
                    file.close()

    def close(self) -> None:
        """Let go of what is staged: the next writer removes it."""
        with self._lock:
            for file in self._staged.values():
                file.close()
            self._staged.clear()


class ObjectWriter:
    """One object being written: write() any number of times, then commit() or abort().

    As a context manager it aborts unless commit() was reached. Large objects are hashed in a
    thread while they are written; `also` functions get the same pieces in that thread.
    """

    def __init__(self, objects: Objects, also: Callable[[Data], None] | None = None) -> None:
        self._objects, self._disk = objects, objects._disk
        path = objects.folder / "tmp" / f"{os.getpid()}-{next(_numbers)}"
        self._file = self._disk.do_create(path)
        self._sha = hashlib.sha256()
        self._also = also
        self._queue: queue.Queue[list[Data] | None] | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._written_back = 0
        self._done = False
        self.size = 0

    def write(self, *pieces: Data) -> None:
        """Append pieces. They must not change until commit() returns."""
        if self._failure is not None:
            raise self._failure
        self._hash(list(pieces))
        self.size += self._file.write(pieces, self.size)
        if self.size - self._written_back >= WRITEBACK_STEP:
            self._file.start_writeback(self._written_back, self.size - self._written_back)
            self._written_back = self.size

    def drain(self) -> None:
        """Return when every piece so far is hashed (and `also` has seen it)."""
        self._join()
        if self._failure is not None:
            raise self._failure

    def commit(self, *, staged: bool = False) -> str:
        """Make the object durable under its name and return the name; if `staged`, only when
        Objects.settle() is called. A damaged object of that name is replaced: what was made anew
        must not be found broken again."""
        assert not self._done
        self.drain()
        self._done = True
        name = self._sha.hexdigest()
        if self._objects.is_whole(name):
            self._file.close()
            self._disk.do_remove(self._file.path)
            if not staged:
                self._objects.settle([name])
            return name
        if staged:
            self._file.start_writeback(self._written_back, self.size - self._written_back)
            self._objects.stage(name, self._file)
            return name
        path = self._objects.path(name)
        try:
            self._file.sync()
        finally:
            self._file.close()
        self._disk.do_make_folder(path.parent)
        self._disk.do_rename(self._file.path, path)
        self._disk.do_sync_folder(path.parent)
        return name

    def abort(self) -> None:
        """Forget what was written."""
        if not self._done:
            self._done = True
            self._join()
            self._file.close()
            self._disk.do_remove(self._file.path)

    def __enter__(self) -> ObjectWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def _hash(self, pieces: list[Data]) -> None:
        if self._thread is None and self.size + sum(len(p) for p in pieces) < THREAD_FROM:
            self._digest(pieces)
            return
        if self._thread is None:
            self._queue = queue.Queue(QUEUE_MAX)
            self._thread = threading.Thread(target=self._run, name="object hash", daemon=True)
            self._thread.start()
        assert self._queue is not None
        self._queue.put(pieces)

    def _digest(self, pieces: list[Data]) -> None:
        for piece in pieces:
            self._sha.update(piece)
            if self._also is not None:
                self._also(piece)

    def _run(self) -> None:
        assert self._queue is not None
        while (pieces := self._queue.get()) is not None:
            if self._failure is None:
                try:
                    self._digest(pieces)
                except BaseException as fault:  # handed to the thread that writes
                    self._failure = fault

    def _join(self) -> None:
        if self._thread is not None and self._queue is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
