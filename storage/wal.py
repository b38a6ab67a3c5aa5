"""The write-ahead log: records of commits since the last checkpoint.

wal/000001.wal    header, frames (wal_frames.py), then zeros that were written ahead (they make
                  fdatasync cheaper: neither the file's length nor its blocks change)
wal/durable       32 bytes, mapped: how far the log is synced, for reader processes

A failed write or sync poisons the log: after it the page cache cannot be trusted, so nothing is
acknowledged any more until the database is opened again.
"""

from __future__ import annotations

import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import xxhash

from hartonomous.storage.disk import Data, Disk, File
from hartonomous.storage.errors import DiskFault
from hartonomous.storage.wal_frames import (
    FILE_HEADER,
    Frame,
    Scan,
    broken_off,
    check_gapless,
    file_header,
    file_number,
    file_numbers,
    file_offset,
    make_frame,
    path_of,
    position,
)
from hartonomous.storage.wal_turn import Turn

#: zeros written ahead of the end: as many bytes as the file has, between these
ALLOCATION_MIN: Final = 64 << 10
ALLOCATION: Final = 4 << 20

_SLOT: Final = struct.Struct("<QQ")
DURABLE_SIZE: Final = 2 * _SLOT.size


class DurableMark:
    """wal/durable: how far the log is synced, shared by mapping.

    Two slots of (position, xxh3-64 of it) written in turn, so that one is always whole; the
    greater whole one counts. It is not synced: it means something only while a writer lives.
    """

    def __init__(self, disk: Disk, folder: Path, *, writable: bool) -> None:
        self._map = disk.map_shared(folder / "durable", DURABLE_SIZE, writable=writable)
        self._slot = 0

    def publish(self, at: int) -> None:
        packed = at.to_bytes(8, "little")
        checksum = xxhash.xxh3_64_intdigest(packed)
        self._map[self._slot : self._slot + _SLOT.size] = _SLOT.pack(at, checksum)
        self._slot = _SLOT.size - self._slot

    def reset(self, at: int) -> None:
        """What a new writer found durable; it may be less than its predecessor published."""
        self.publish(at)
        self.publish(at)

    def read(self) -> int | None:
        """The published position; None if no writer ever published one."""
        found = None
        for slot in (0, _SLOT.size):
            at, checksum = _SLOT.unpack(self._map[slot : slot + _SLOT.size])
            if xxhash.xxh3_64_intdigest(at.to_bytes(8, "little")) == checksum:
                found = at if found is None else max(found, at)
        return found

    def close(self) -> None:
        self._map.close()


class Wal:
    """The writer's log. First recover(), then append() and sync() from any thread.

    Threads that want the log synced stand in line (`_turns`). The first of them writes and syncs
    for all (`_leader`), then wakes those whom that served, and one more, who leads next: a thread
    is woken once, whatever the number of threads."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk, self._folder = disk, folder
        self._lock = threading.RLock()
        self._turns: deque[Turn] = deque()
        self._leader: Turn | None = None
        self._file: File | None = None
        self._number = 0
        self._end = 0  # offset after the last appended frame
        self._written = 0  # offset up to which the file is written
        self._allocated = 0
        self._pending: list[Data] = []
        self._durable = 0
        self._failure: DiskFault | None = None
        self._mark: DurableMark | None = None

    # --- opening -------------------------------------------------------------------------

    def recover(self, start: int) -> Iterator[Frame]:
        """All whole frames from position `start` on; after the last, the log is ready for
        append(). A torn tail is cut. If there is no log yet, its first file is made.

        Raises Corruption for a damaged frame or a missing file.
        """
        self._disk.do_make_folder(self._folder)
        first = max(1, file_number(start))
        numbers = [n for n in file_numbers(self._disk, self._folder) if n >= first]
        check_gapless(self._folder, numbers, first)
        scan = None
        for number in numbers:
            scan = Scan(
                self._disk, self._folder, number, file_offset(start) if number == first else 0
            )
            yield from scan.frames()
            if (scan.torn or scan.headless) and number != numbers[-1]:
                raise broken_off(self._folder, number, scan.end)
        if scan is None:
            self._create(first)
        elif scan.headless:
            self._disk.do_remove(path_of(self._folder, numbers[-1]))
            self._create(numbers[-1])
        else:
            self._continue(numbers[-1], scan)
        self._mark = DurableMark(self._disk, self._folder, writable=True)
        self._mark.reset(self._durable)

    def _continue(self, number: int, scan: Scan) -> None:
        self._file = self._disk.open(path_of(self._folder, number), writable=True)
        if scan.size != scan.end:
            self._file.truncate(scan.end)
        self._file.sync()  # what a killed writer left in the page cache is durable from here on
        self._at_end(number, scan.end)

    def _create(self, number: int) -> None:
        file = self._disk.do_create(path_of(self._folder, number))
        try:
            file.write([file_header(number)], 0)
            file.sync()
            self._disk.do_sync_folder(self._folder)
        except BaseException:
            file.close()
            raise
        self._file = file
        self._at_end(number, FILE_HEADER)

    def _at_end(self, number: int, offset: int) -> None:
        self._number, self._end, self._written, self._allocated = number, offset, offset, offset
        self._durable = position(number, offset)

    # --- writing -------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """The position after the last appended frame."""
        return position(self._number, self._end)

    @property
    def durable(self) -> int:
        """The position up to which the log is synced."""
        return self._durable

    @property
    def has_failed(self) -> bool:
        """Whether what the file holds is not known any more: nothing is appended then."""
        return self._failure is not None

    @property
    def file_bytes(self) -> int:
        """Bytes in the current file."""
        return self._end

    def reserve(self, size: int) -> None:
        """Make room on the disk for a record of about `size` bytes, before there is no return.
        Raises DiskFault if there is none: nothing has happened then, and later records go on."""
        with self._lock:
            self._check()
            end, file = self._end, self._file
            if end + size <= self._allocated:
                return
            assert file is not None
            # of a disk that is nearly full no more is taken than this record needs
            for ahead in (max(size, min(max(end, ALLOCATION_MIN), ALLOCATION)), size):
                try:
                    file.allocate(end, ahead)
                except DiskFault as fault:
                    failed = fault
                    file.truncate(max(end, self._allocated))
                else:
                    self._allocated = end + ahead
                    return
            raise failed

    def append(self, *pieces: Data) -> int:
        """Put a record at the end; the position after it, for sync(). The pieces (its body, cut
        anyhow) must not change until then."""
        with self._lock:
            self._check()
            frame = make_frame(pieces, position(self._number, self._end))
            self._pending += frame
            self._end += sum(map(len, frame))
            return position(self._number, self._end)

    def sync(self, at: int) -> None:
        """Return when the log is durable up to `at`. One caller at a time writes and syncs for
        all that wait. DiskFault for all of them if that fails, and from then on."""
        turn = Turn(at)
        try:
            with self._lock:
                if self._durable >= at:
                    return
                self._check()
                self._join(turn)
            turn.wait()
            if self._leader is turn:
                self._lead()
            elif self._durable < at:
                self._check()
        except BaseException:
            self._leave(turn)
            raise

    def start_file(self) -> int:
        """Begin a new file; the position where it begins. What was appended before is synced."""
        turn = Turn(sys.maxsize)
        try:
            self._join(turn)
            turn.wait()
            with self._lock:
                self._check()
                assert self._file is not None
                old = self._file
                with self._poisoning():
                    pending, self._pending = self._pending, []
                    self._write(pending, self._end, is_last=True)
                    self._allocated = self._end
                    self._reach(self._end)
                self._create_next()
                with self._poisoning():
                    old.close()
                    self._reach(self._end)
                return position(self._number, FILE_HEADER)
        finally:
            self._leave(turn)

    def _create_next(self) -> None:
        """The file after this one. Where there is no room for it the log goes on with this one."""
        number = self._number + 1
        try:
            self._create(number)
        except DiskFault:
            with self._poisoning():
                self._disk.do_remove(path_of(self._folder, number))
                self._disk.do_sync_folder(self._folder)
            raise

    def remove_files_below(self, number: int) -> None:
        """Drop files that a checkpoint has made superfluous."""
        for old in file_numbers(self._disk, self._folder):
            if old < number:
                self._disk.do_remove(path_of(self._folder, old))

    def close(self) -> None:
        """Sync what was appended, give back what was allocated ahead, close. After a failure it
        only closes."""
        turn = Turn(sys.maxsize)
        try:
            self._join(turn)
            turn.wait()
            with self._lock:
                self._close()
        finally:
            self._leave(turn)

    def _close(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            if self._failure is None:
                file.write(self._pending, self._written)
                file.truncate(self._end)
                file.sync()
        finally:
            file.close()
            if self._mark is not None:
                self._mark.close()

    # --- taking turns --------------------------------------------------------------------

    def _join(self, turn: Turn) -> None:
        """To the end of the line; who finds nobody there leads."""
        with self._lock:
            if self._leader is None:
                self._leader = turn
            else:
                turn.close_gate()
                self._turns.append(turn)

    def _lead(self) -> None:
        """Write and sync for all, as the leader."""
        try:
            with self._lock:
                pending, self._pending = self._pending, []
                end = self._end
            self._write(pending, end)
            with self._lock:
                self._reach(end)
                self._pass_on()
        except BaseException as fault:
            self._poison(fault)
            raise

    def _leave(self, turn: Turn) -> None:
        """Out of the line, wherever in it; if it led, the next one does."""
        with self._lock:
            if turn in self._turns:
                self._turns.remove(turn)
            if self._leader is turn:
                self._pass_on()

    def _pass_on(self) -> None:
        """Who has what it waited for goes, and the first of the others leads."""
        turns = self._turns
        while turns and turns[0].at <= self._durable:
            turns[0].wake()
            turns.popleft()
        self._leader = turns[0] if turns else None
        if self._leader is not None:
            self._leader.wake()
            turns.popleft()

    def _write(self, pending: list[Data], end: int, *, is_last: bool = False) -> None:
        file = self._file
        assert file is not None
        if end > self._allocated:
            length = min(max(end, ALLOCATION_MIN), ALLOCATION)
            file.allocate(end, length)
            self._allocated = end + length
        assert self._written + sum(map(len, pending)) == end, (self._written, end)
        if pending and not is_last:
            file.write_through(pending, self._written)
        else:
            file.write(pending, self._written)
            if is_last:
                file.truncate(end)
            file.sync()
        self._written = end

    def _reach(self, end: int) -> None:
        """The current file is synced up to `end`."""
        self._durable = position(self._number, end)
        if self._mark is not None:
            self._mark.publish(self._durable)

    def _check(self) -> None:
        if self._failure is not None:
            raise DiskFault(
                f"the log failed earlier: {self._failure.message}",
                hint="close the database and open it again",
            )
        assert self._file is not None, "recover() first"

    @contextmanager
    def _poisoning(self) -> Iterator[None]:
        """Around what leaves the log as nobody knows it if it fails."""
        try:
            yield
        except BaseException as fault:
            self._poison(fault)
            raise

    def _poison(self, fault: BaseException) -> None:
        with self._lock:
            self._failure = fault if isinstance(fault, DiskFault) else DiskFault(repr(fault))
            self._leader = None
            while self._turns:
                self._turns.popleft().wake()
