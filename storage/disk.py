"""The disk: the only module that opens, maps, locks, renames or syncs files.

Every call of the operating system is made here, so that tests can put a disk in its place that
fails or tears the n-th write (tests/faulty_disk.py), and so that OSError is translated once:
into DiskFault, naming the path and what was tried. Folders are 0700, files 0600.

Methods whose names begin with `do_` change something; FaultyDisk overrides exactly these.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa

from hartonomous.storage.errors import DiskFault
from hartonomous.storage.mapping import map_file

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
#: of a write that returns when it is durable, as after fdatasync; 0 where there is none
_SYNCED: Final = getattr(os, "RWF_DSYNC", 0)
#: the system takes at most this many pieces in one writev
PIECES_MAX: Final = 1024

#: syncs under way at once
SYNC_THREADS: Final = 16

Data: TypeAlias = bytes | bytearray | memoryview | pa.Buffer


class translated:
    """OSError inside becomes DiskFault, `cannot WHAT "PATH": why`."""

    __slots__ = ("path", "what")

    def __init__(self, what: str, path: Path) -> None:
        self.what, self.path = what, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError):
            raise fault_of(error, self.what, self.path) from error


def fault_of(fault: OSError, what: str, path: Path) -> DiskFault:
    return DiskFault(f'cannot {what} "{path}": {fault.strerror or fault}')


class File:
    """An open file. Writing goes through its disk, so that a test's disk sees it."""

    def __init__(self, disk: Disk, path: Path, descriptor: int) -> None:
        self.disk, self.path, self.descriptor = disk, path, descriptor

    def write(self, pieces: Sequence[Data], offset: int) -> int:
        """Write the pieces one after another from `offset` on; their total length."""
        return self.disk.do_write(self, pieces, offset)

    def write_through(self, pieces: Sequence[Data], offset: int) -> int:
        """As write and then sync."""
        return self.disk.do_write_through(self, pieces, offset)

    def sync(self) -> None:
        """Return when the file's data (and its length) would survive a power cut."""
        self.disk.do_sync(self)

    def allocate(self, offset: int, length: int) -> None:
        """Fill a range beyond the end with zeros."""
        self.disk.do_allocate(self, offset, length)

    def truncate(self, length: int) -> None:
        self.disk.do_truncate(self, length)

    def start_writeback(self, offset: int, length: int) -> None:
        """Ask the system to begin writing a range out; promises nothing."""
        self.disk.start_writeback(self, offset, length)

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only at the end of the file."""
        with translated("read", self.path):
            pieces: list[bytes] = []
            while length > 0:
                piece = os.pread(self.descriptor, length, offset)
                if not piece:
                    break
                pieces.append(piece)
                offset, length = offset + len(piece), length - len(piece)
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def size(self) -> int:
        with translated("look at", self.path):
            return os.fstat(self.descriptor).st_size

    def close(self) -> None:
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            with translated("close", self.path):
                os.close(descriptor)


class Lock:
    """An advisory lock of the operating system on a file; freed by close() or by death."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor

    def rewrite(self, content: bytes) -> None:
        """Another content for the file. Others may meanwhile read some of both."""
        with translated("write", self.path):
            os.pwrite(self._descriptor, content, 0)
            os.ftruncate(self._descriptor, len(content))

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with translated("unlock", self.path):
                os.close(descriptor)


class Disk:
    """The real disk."""

    # --- changes -------------------------------------------------------------------------

    def do_make_folder(self, path: Path, *, sync: bool = True) -> None:
        """Make a folder and its parents durably, mode 0700; no error if it stands already.
        Without `sync` its name is durable when its parent is synced."""
        with translated("make the folder", path):
            if not path.is_dir():
                if not path.parent.is_dir():
                    self.do_make_folder(path.parent)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(path, FOLDER_MODE)
                if sync:
                    self.do_sync_folder(path.parent)

    def do_create(self, path: Path) -> File:
        """A new file, open for reading and writing; DiskFault if there is one of that name."""
        with translated("create", path):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return File(self, path, os.open(path, flags, FILE_MODE))

    def do_write(self, file: File, pieces: Sequence[Data], offset: int) -> int:
        if len(pieces) == 1:  # as commits come
            try:
                if os.pwritev(file.descriptor, pieces, offset) == len(pieces[0]):
                    return len(pieces[0])
            except OSError as fault:
                raise fault_of(fault, "write", file.path) from fault
        views = [memoryview(p).cast("B") for p in pieces if len(p)]
        total = sum(len(v) for v in views)
        with translated("write", file.path):
            first = 0
            while first < len(views):
                some = views[first : first + PIECES_MAX]
                written = os.pwritev(file.descriptor, some, offset)
                offset += written
                while first < len(views) and written >= len(views[first]):
                    written -= len(views[first])
                    first += 1
                if written:  # a short write: go on in the middle of a piece
                    views[first] = views[first][written:]
        return total

    def do_write_through(self, file: File, pieces: Sequence[Data], offset: int) -> int:
        """As do_write and do_sync, of few bytes in one call of the system: between two calls
        Python may let other threads run, and the log's commits would wait for them."""
        if len(pieces) == 1 and _SYNCED:
            try:
                if os.pwritev(file.descriptor, pieces, offset, _SYNCED) == len(pieces[0]):
                    return len(pieces[0])
            except OSError as fault:
                if fault.errno != errno.EOPNOTSUPP:
                    raise fault_of(fault, "write", file.path) from fault
        written = self.do_write(file, pieces, offset)
        self.do_sync(file)
        return written

    def do_sync(self, file: File) -> None:
        try:
            os.fdatasync(file.descriptor)
        except OSError as fault:
            raise fault_of(fault, "sync", file.path) from fault

    def do_allocate(self, file: File, offset: int, length: int) -> None:
        with translated("allocate space in", file.path):
            # posix_fallocate would leave blocks that count as not written: the first sync after
            # a write into each of them writes metadata too
            zeros = memoryview(bytes(length))
            while zeros:
                written = os.pwrite(file.descriptor, zeros, offset)
                zeros, offset = zeros[written:], offset + written

    def do_truncate(self, file: File, length: int) -> None:
        with translated("truncate", file.path):
            os.ftruncate(file.descriptor, length)

    def do_rename(self, source: Path, target: Path) -> None:
        """Rename within a file system; an existing target is replaced."""
        with translated(f'rename "{source.name}" to', target):
            os.rename(source, target)

    def do_link(self, source: Path, target: Path) -> bool:
        """Give a file a second name; False where the file system cannot, and then nothing was
        done. Durable when the target's folder is synced."""
        try:
            os.link(source, target)
        except OSError as fault:
            if fault.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                return False
            raise fault_of(fault, f'link "{source}" to', target) from fault
        return True

    def do_remove(self, path: Path) -> None:
        """Remove a file; no error if it is gone."""
        with translated("remove", path), contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def do_sync_folder(self, path: Path) -> None:
        """Return when the names in a folder would survive a power cut."""
        with translated("sync the folder", path):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def do_sync_many(self, files: Sequence[File], folders: Sequence[Path] = ()) -> None:
        """As do_sync and do_sync_folder of each. The system joins syncs that come at once: 270
        of them took 1.3 s one after another, 0.07 s by 16 threads."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(SYNC_THREADS, "sync") as pool:
            for done in (pool.map(self.do_sync, files), pool.map(self.do_sync_folder, folders)):
                for _ in done:
                    pass

    # --- made of the above ---------------------------------------------------------------

    def replace(self, path: Path, data: Data) -> None:
        """The file's whole content at once: after a crash it is the old one or the new one."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self.do_remove(temporary)
        file = self.do_create(temporary)
        try:
            file.write([data], 0)
            file.sync()
        finally:
            file.close()
        self.do_rename(temporary, path)
        self.do_sync_folder(path.parent)

    # --- looking -------------------------------------------------------------------------

    def open(self, path: Path, *, writable: bool = False) -> File:
        with translated("open", path):
            flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC
            return File(self, path, os.open(path, flags))

    def read(self, path: Path) -> bytes:
        """The whole content of a file."""
        file = self.open(path)
        try:
            return file.read(0, file.size())
        finally:
            file.close()

    def exists(self, path: Path) -> bool:
        with translated("look at", path):
            return os.path.lexists(path)

    def size(self, path: Path) -> int:
        with translated("look at", path):
            return os.stat(path).st_size

    def list_folder(self, path: Path) -> list[str]:
        """Names in a folder, sorted; none if there is no such folder."""
        with translated("list", path):
            try:
                return sorted(os.listdir(path))
            except FileNotFoundError:
                return []

    def map(self, path: Path) -> pa.Buffer:
        """The file's bytes as a read-only mapping; it lives as long as the buffer does, and keeps
        no descriptor."""
        with translated("map", path):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.fstat(descriptor).st_size
                return map_file(descriptor, size) if size else pa.py_buffer(b"")
            finally:
                os.close(descriptor)

    def map_shared(self, path: Path, size: int, *, writable: bool) -> mmap.mmap:
        """A mapping of `size` bytes that processes share. The writer makes the file if need be."""
        with translated("map", path):
            flags = os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY
            descriptor = os.open(path, flags | os.O_CLOEXEC, FILE_MODE)
            try:
                if writable and os.fstat(descriptor).st_size < size:
                    os.pwrite(descriptor, bytes(size), 0)
                access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
                return mmap.mmap(descriptor, size, access=access)
            except ValueError as fault:  # the file is shorter than `size`
                raise DiskFault(f'cannot map "{path}": {fault}') from fault
            finally:
                os.close(descriptor)

    def lock(
        self, path: Path, *, shared: bool = False, content: bytes | None = None
    ) -> Lock | None:
        """Lock a file, made if missing, without waiting; None if another process holds it.

        `content` is written into it once it is ours (who holds it, for error messages).
        """
        with translated("lock", path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                fcntl.flock(
                    descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
                )
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError:
                os.close(descriptor)
                raise
            if content is not None:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, content, 0)
            return Lock(path, descriptor)

    def start_writeback(self, file: File, offset: int, length: int) -> None:
        """Begin writing a range to the device now, so that the sync at the end is short."""
        _sync_file_range(file.descriptor, offset, length)


def _sync_file_range(descriptor: int, offset: int, length: int) -> None:
    """Linux has a call for it that Python does not show; elsewhere nothing is lost but time."""
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if call is not None:
        begin_writing = 2  # SYNC_FILE_RANGE_WRITE
        call(
            ctypes.c_int(descriptor), ctypes.c_int64(offset), ctypes.c_int64(length), begin_writing
        )
