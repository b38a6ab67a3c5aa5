"""The log's files: headers, frames, and where they stop.

| file header | size | meaning |       | frame | size | meaning |
| 0  | 8 | "HRTMWAL1"        |         | 0  | 4 | length of the body, at least 1          |
| 8  | 8 | file number       |         | 4  | 4 | low half of the header's xxh3-64        |
| 16 | 8 | zero              |         | 8  | 8 | xxh3-64 of the body                     |
| 24 | 8 | xxh3-64 of 0..24  |         | 16 | … | body, then zeros up to 8·k              |
                                        | 8k | 8 | end mark: eight bytes 0xA5              |

A position is `file number << 40 | offset`, so positions increase through all files. The header's
checksum covers the frame's position too. A tail is *torn* if the file ends before its frame does
or if the rest of the file reads as zeros from the end mark or from an earlier place on: nobody
was told of it, a writer cuts it. Any other bad frame is Corruption, also at the end. (One damaged
byte cannot look like a torn tail: it takes eight to clear an end mark.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import xxhash

from hartonomous.storage.disk import Data, Disk
from hartonomous.storage.errors import Corruption, FormatFault
from hartonomous.storage.frozen import frozen

MAGIC: Final = b"HRTMWAL1"
FILE_HEADER: Final = 32
FRAME_HEADER: Final = 16
MARK: Final = b"\xa5" * 8
BODY_MAX: Final = 1 << 30
#: up to this size copying the pieces of a frame together is cheaper than handling them one by one
JOINED_MAX: Final = 1 << 14
OFFSET_BITS: Final = 40

_FRAME: Final = struct.Struct("<IIQ")
_HEAD: Final = struct.Struct("<8sQQ")
_SEAL: Final = struct.Struct("<IQQ")  # what a frame's header checksum covers


def position(number: int, offset: int) -> int:
    return number << OFFSET_BITS | offset


def file_number(at: int) -> int:
    return at >> OFFSET_BITS


def file_offset(at: int) -> int:
    return at & ((1 << OFFSET_BITS) - 1)


@frozen
class Frame:
    """One record: where it begins, where it ends, its body."""

    start: int
    end: int
    body: memoryview


def path_of(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.wal"


def file_numbers(disk: Disk, folder: Path) -> list[int]:
    """The numbers of the log files in a folder, ascending."""
    names = [n[:-4] for n in disk.list_folder(folder) if n.endswith(".wal")]
    return sorted(int(n) for n in names if n.isdigit())


def make_frame(pieces: Sequence[Data], at: int) -> list[Data]:
    """The bytes of a frame that begins at position `at`."""
    size = sum(map(len, pieces))
    assert 0 < size <= BODY_MAX, size
    if size <= JOINED_MAX:
        body = b"".join(pieces)
        return [b"".join((_header(size, xxhash.xxh3_64_intdigest(body), at), body, _tail(size)))]
    state = xxhash.xxh3_64()
    for piece in pieces:
        state.update(piece)
    return [_header(size, state.intdigest(), at), *pieces, _tail(size)]


def _header(size: int, checksum: int, at: int) -> bytes:
    seal = xxhash.xxh3_64_intdigest(_SEAL.pack(size, checksum, at)) & 0xFFFFFFFF
    return _FRAME.pack(size, seal, checksum)


def _tail(size: int) -> bytes:
    return bytes(-size % 8) + MARK


def frame_size(body: int) -> int:
    return FRAME_HEADER + body + -body % 8 + len(MARK)


def file_header(number: int) -> bytes:
    head = _HEAD.pack(MAGIC, number, 0)
    return head + xxhash.xxh3_64_intdigest(head).to_bytes(8, "little")


class Scan:
    """Reads the frames of one log file from an offset on; then `end` is where they stop and
    `torn` says whether something of an unfinished frame follows."""

    def __init__(self, disk: Disk, folder: Path, number: int, start: int = 0) -> None:
        self._path = path_of(folder, number)
        self._number = number
        file = disk.open(self._path)
        try:
            self.size = file.size()
            head = file.read(0, FILE_HEADER)
            self._first = max(start, FILE_HEADER)
            self._data = memoryview(file.read(self._first, max(0, self.size - self._first)))
        finally:
            file.close()
        self.end = self._first
        self.torn = False
        self.headless = not self._check_head(head)

    def frames(self, stop: int | None = None) -> Iterator[Frame]:
        """Frames up to offset `stop`; Corruption at a damaged one."""
        if self.headless:
            self.torn = self.size > 0
            return
        limit = self.size if stop is None else min(stop, self.size)
        while self.end < limit:
            frame = self._frame()
            if frame is None:
                return
            yield frame

    def _check_head(self, head: bytes) -> bool:
        """Whether the file has a header. It is synced before anything else is written, so a file
        whose making was cut short has only a part of it, or zeros."""
        if head == file_header(self._number):
            return True
        if len(head) < FILE_HEADER or (not any(head) and self._zeros_from(0)):
            return False
        if head[:7] == MAGIC[:7] and head[:8] != MAGIC:
            raise FormatFault(f'log file "{self._path}" is of another format version')
        raise Corruption(f'log file "{self._path}" is damaged: its header at offset 0')

    def _frame(self) -> Frame | None:
        at, data = self.end, self._data
        start = at - self._first
        if len(data) - start < FRAME_HEADER:
            self.torn = any(data[start:])
            return None
        size, seal, checksum = _FRAME.unpack_from(data, start)
        here = position(self._number, at)
        expected = xxhash.xxh3_64_intdigest(_SEAL.pack(size, checksum, here)) & 0xFFFFFFFF
        if size == 0 or seal != expected:
            if self._zeros_from(start + FRAME_HEADER):
                self.torn = any(data[start : start + FRAME_HEADER])
                return None
            raise self._corruption(at, "header", expected, seal)
        end = start + frame_size(size)
        if end > len(data):
            self.torn = True
            return None
        if self._zeros_from(end - len(MARK)):
            self.torn = True
            return None
        body = data[start + FRAME_HEADER : start + FRAME_HEADER + size]
        found = xxhash.xxh3_64_intdigest(body)
        if found != checksum:
            raise self._corruption(at, "body", checksum, found)
        if data[start + FRAME_HEADER + size : end] != bytes(-size % 8) + MARK:
            raise self._corruption(at, "end mark", int.from_bytes(MARK), int(data[end - 1]))
        self.end = at + end - start
        return Frame(here, position(self._number, self.end), body)

    def _zeros_from(self, start: int) -> bool:
        """Whether the rest reads as zeros. Looks at eight bytes before it looks at all."""
        return not any(self._data[start : start + 8]) and not bytes(self._data[start:]).strip(b"\0")

    def _corruption(self, at: int, what: str, expected: int, found: int) -> Corruption:
        return Corruption(
            f'log file "{self._path}" is damaged: {what} of the frame at offset {at}: '
            f"expected {expected:x}, found {found:x}",
            hint="`hql verify --cut-tail` drops this frame and all after it",
        )


def read_frames(disk: Disk, folder: Path, start: int, stop: int | None = None) -> Iterator[Frame]:
    """Frames from position `start` to `stop` (default: the end), through all files; for readers.

    Stops at a torn tail without cutting it. Corruption if a frame is damaged or a file missing.
    """
    first, last = file_number(start), None if stop is None else file_number(stop)
    numbers = [n for n in file_numbers(disk, folder) if n >= first and (last is None or n <= last)]
    check_gapless(folder, numbers, first)
    for number in numbers:
        offset = file_offset(start) if number == first else 0
        scan = Scan(disk, folder, number, offset)
        yield from scan.frames(file_offset(stop) if stop is not None and number == last else None)
        if scan.torn and number != numbers[-1]:
            raise broken_off(folder, number, scan.end)


def cut_tail(disk: Disk, folder: Path, start: int) -> tuple[Path, int, int] | None:
    """Drop the first damaged frame and all after it, on the user's word (`--cut-tail`).

    Returns (file, offset, bytes dropped, later files included), or None if nothing was damaged.
    """
    numbers = [n for n in file_numbers(disk, folder) if n >= file_number(start)]
    for number in numbers:
        scan = Scan(disk, folder, number, file_offset(start) if number == numbers[0] else 0)
        try:
            for _ in scan.frames():
                pass
            if not scan.torn or number == numbers[-1]:
                continue
        except Corruption:
            pass  # this is what we came for
        dropped = scan.size - scan.end
        file = disk.open(path_of(folder, number), writable=True)
        try:
            file.truncate(scan.end)
            file.sync()
        finally:
            file.close()
        for later in numbers[numbers.index(number) + 1 :]:
            dropped += disk.size(path_of(folder, later))
            disk.do_remove(path_of(folder, later))
        disk.do_sync_folder(folder)
        return path_of(folder, number), scan.end, dropped
    return None


def check_gapless(folder: Path, numbers: list[int], first: int) -> None:
    for expected, number in enumerate(numbers, first):
        if number != expected:
            raise Corruption(f'log file "{path_of(folder, expected)}" is missing')


def broken_off(folder: Path, number: int, offset: int) -> Corruption:
    return Corruption(
        f'log file "{path_of(folder, number)}" is damaged: it breaks off at offset {offset} '
        "although a later file follows",
        hint="`hql verify --cut-tail` drops what comes after",
    )
