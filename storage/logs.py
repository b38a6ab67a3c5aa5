"""Logs beside the database: records that no commit holds, of which the last ones are kept.

    logs/NAME.log     frames: length u32, xxh3-64 of the record u64 (little-endian), the record
    logs/NAME.1.log   the file before it: the newest one is renamed to it at BYTES_MAX

Only the writer of a folder writes. Frames are not synced: after a power cut the last ones may be
missing, and a file ends at the first frame that is not whole. A reader process, and a database
without a folder, keep their own records in memory, the same number of bytes. A record that cannot
be written waits in memory and is written with the next one; so does one that is `kept`, until
there are LATE_BYTES of them or the database is closed.
"""

from __future__ import annotations

import math
import struct
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final

import xxhash

from hartonomous.storage.disk import Disk, File
from hartonomous.storage.errors import DiskFault

#: bytes of one file; twice as many are kept at most
BYTES_MAX: Final = 1 << 20
#: bytes of records that may wait for others, so that they are written together
LATE_BYTES: Final = 1 << 14

_HEAD: Final = struct.Struct("<IQ")


class Log:
    """One log. `folder`: where the database's logs are, None for memory alone; `writable`: whether
    this process may write there. Safe across threads."""

    def __init__(
        self, disk: Disk, folder: Path | None, name: str, *, writable: bool, bytes_max: int = 0
    ) -> None:
        self._disk, self._folder = disk, folder
        self._writable = writable and folder is not None
        self._bytes_max = bytes_max or BYTES_MAX
        self._path = Path(f"{name}.log") if folder is None else folder / f"{name}.log"
        self._before = self._path.with_name(f"{name}.1.log")
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._end: int | None = None
        self._written_at = -math.inf
        self._lock = threading.Lock()

    def append(self, record: bytes) -> None:
        """Keep a record; no error, also if the disk refuses it now."""
        with self._lock:
            self._keep(record)
            if self._writable:
                self._write()

    def keep(self, record: bytes, *, quiet_seconds: float | None = None) -> None:
        """As `append`, but the record may wait in memory for others, and is lost if the process is
        killed meanwhile. It does not wait if nothing was written for `quiet_seconds`."""
        with self._lock:
            self._keep(record)
            quiet = time.monotonic() - self._written_at
            is_quiet = quiet_seconds is not None and quiet >= quiet_seconds
            if self._writable and (is_quiet or self._kept_bytes >= LATE_BYTES):
                self._write()

    def flush(self) -> None:
        """Write what waits; no error if the disk refuses it."""
        with self._lock:
            if self._writable and self._kept:
                self._write()

    def records(self) -> list[bytes]:
        """What is kept, the oldest first. DiskFault."""
        with self._lock:
            stored: list[bytes] = []
            if self._folder is not None:
                for path in (self._before, self._path):
                    stored += self._read(path)[0]
            return [*stored, *self._kept]

    def _keep(self, record: bytes) -> None:
        self._kept.append(record)
        self._kept_bytes += _HEAD.size + len(record)
        while self._kept_bytes > 2 * self._bytes_max:
            self._kept_bytes -= _HEAD.size + len(self._kept.popleft())

    def _write(self) -> None:
        """All that is kept goes to the file, or stays kept if the disk refuses."""
        self._written_at = time.monotonic()
        frames = b"".join(_HEAD.pack(len(r), xxhash.xxh3_64_intdigest(r)) + r for r in self._kept)
        try:
            file, end = self._open(len(frames))
            try:
                file.write([frames], end)
            finally:
                file.close()
        except DiskFault:
            self._end = None  # what is there now is found out the next time
            return
        self._end = end + len(frames)
        self._kept.clear()
        self._kept_bytes = 0

    def _open(self, more: int) -> tuple[File, int]:
        """The file to write, and where its whole frames end; room for `more` bytes."""
        assert self._folder is not None
        if self._end is None:
            self._disk.do_make_folder(self._folder, sync=False)
            self._end = self._cut()
        if self._end and self._end + more > self._bytes_max:
            self._disk.do_rename(self._path, self._before)
            self._end = 0
        if not self._disk.exists(self._path):
            return self._disk.do_create(self._path), 0
        return self._disk.open(self._path, writable=True), self._end

    def _cut(self) -> int:
        """Where the file's whole frames end, which is its end now."""
        end = self._read(self._path)[1]
        if self._disk.exists(self._path):
            file = self._disk.open(self._path, writable=True)
            try:
                file.truncate(end)
            finally:
                file.close()
        return end

    def _read(self, path: Path) -> tuple[list[bytes], int]:
        """The whole frames' records, and where they end."""
        try:
            data = self._disk.read(path)
        except DiskFault:
            if self._disk.exists(path):
                raise
            return [], 0
        found, at = [], 0
        while at + _HEAD.size <= len(data):
            length, digest = _HEAD.unpack_from(data, at)
            record = data[at + _HEAD.size : at + _HEAD.size + length]
            if len(record) < length or xxhash.xxh3_64_intdigest(record) != digest:
                break
            found.append(record)
            at += _HEAD.size + length
        return found, at
