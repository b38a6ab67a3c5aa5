"""The log: what is acknowledged is there, torn tails are cut, damage stops us, faults poison."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_disk import FaultyDisk, TwoStepDisk

from hartonomous.storage.disk import Disk, File
from hartonomous.storage.errors import Corruption, DiskFault, FormatFault
from hartonomous.storage.wal import DurableMark, Wal
from hartonomous.storage.wal_frames import (
    FILE_HEADER,
    MARK,
    cut_tail,
    file_header,
    file_number,
    file_offset,
    frame_size,
    make_frame,
    path_of,
    position,
    read_frames,
)
from hartonomous.storage.wal_turn import Turn


@pytest.fixture(autouse=True)
def small_allocation(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that tests read no megabytes of zeros."""
    monkeypatch.setattr("hartonomous.storage.wal.ALLOCATION", 16 << 10)


def opened(folder: Path, disk: Disk | None = None, start: int = 0) -> tuple[Wal, list[bytes]]:
    wal = Wal(disk or FaultyDisk(), folder)  # which does not really sync
    return wal, [bytes(f.body) for f in wal.recover(start)]


def bodies(folder: Path, start: int = position(1, 0), stop: int | None = None) -> list[bytes]:
    return [bytes(f.body) for f in read_frames(Disk(), folder, start, stop)]


def wrote(folder: Path, *records: bytes) -> bytes:
    """The bytes of a closed log file with these records."""
    wal, _ = opened(folder)
    for record in records:
        wal.append(record)
    wal.close()
    return path_of(folder, 1).read_bytes()


def test_records_come_back_in_order(tmp_path: Path) -> None:
    wal, found = opened(tmp_path)
    assert found == [] and wal.end == wal.durable == position(1, FILE_HEADER)
    records = [bytes([i]) * (i * 37 + 1) for i in range(50)]
    ends = [wal.append(r[:3], r[3:]) if r[3:] else wal.append(r) for r in records]
    assert ends == sorted(ends) and wal.durable == position(1, FILE_HEADER)
    wal.sync(ends[20])
    assert wal.durable == ends[-1]  # one sync for all that wait
    assert (tmp_path / "000001.wal").stat().st_size >= 16 << 10  # zeros ahead
    assert bodies(tmp_path) == records
    wal.close()
    assert (tmp_path / "000001.wal").stat().st_size == file_offset(ends[-1])
    again, found = opened(tmp_path)
    assert found == records and again.end == ends[-1]
    again.sync(again.append(b"more"))
    again.close()
    assert bodies(tmp_path) == [*records, b"more"]
    assert bodies(tmp_path, ends[47]) == [*records[48:], b"more"]
    assert bodies(tmp_path, ends[3], ends[5]) == records[4:6]


def test_frames_end_on_multiples_of_eight_and_in_a_mark() -> None:
    for size in range(1, 40):
        frame = b"".join(bytes(p) for p in make_frame([bytes(size)], position(1, 32)))
        assert len(frame) == frame_size(size) and len(frame) % 8 == 0 and frame[-8:] == MARK


def test_a_killed_writers_frames_are_kept_and_its_zeros_cut(tmp_path: Path) -> None:
    wal, _ = opened(tmp_path)
    wal.sync(wal.append(b"one"))  # and no close()
    again, found = opened(tmp_path)
    assert found == [b"one"] and path_of(tmp_path, 1).stat().st_size == file_offset(again.end)


def test_files_rotate_and_old_ones_go(tmp_path: Path) -> None:
    wal, _ = opened(tmp_path)
    wal.append(b"first")
    start = wal.start_file()
    assert start == position(2, FILE_HEADER) and wal.durable == start
    wal.sync(wal.append(b"second"))
    assert bodies(tmp_path) == [b"first", b"second"] and bodies(tmp_path, start) == [b"second"]
    wal.start_file()
    wal.append(b"third")
    wal.close()
    assert opened(tmp_path, start=start)[1] == [b"second", b"third"]
    wal, _ = opened(tmp_path, start=start)
    wal.remove_files_below(2)
    assert sorted(p.name for p in tmp_path.glob("*.wal")) == ["000002.wal", "000003.wal"]
    assert opened(tmp_path, start=start)[1] == [b"second", b"third"]
    with pytest.raises(Corruption, match='000001.wal" is missing'):
        opened(tmp_path)
    path_of(tmp_path, 2).rename(tmp_path / "gone")
    with pytest.raises(Corruption, match='000002.wal" is missing'):
        bodies(tmp_path, start)


@pytest.mark.parametrize("zeros", [0, 100, 5000])
def test_a_tail_cut_anywhere_is_torn_and_cut(tmp_path: Path, zeros: int) -> None:
    whole = wrote(tmp_path, b"first record", b"second " + bytes(20) + b" one" + bytes(9))
    second = FILE_HEADER + frame_size(12)
    path = path_of(tmp_path, 1)
    # the end mark is one word of eight bytes, which no device tears
    inside = [at for end in (second, len(whole)) for at in range(end - 7, end)]
    for length in [x for x in range(FILE_HEADER if zeros else 0, len(whole)) if x not in inside]:
        path.write_bytes(whole[:length] + bytes(zeros))
        expected = [b"first record"] if length >= second else []
        assert bodies(tmp_path) == expected  # a reader passes over it
        assert path.stat().st_size == length + zeros
        wal, found = opened(tmp_path)
        assert found == expected, length
        assert wal.end == position(1, second if expected else FILE_HEADER)
        wal.sync(wal.append(b"new"))
        wal.close()
        assert bodies(tmp_path) == [*expected, b"new"]


def test_any_flipped_byte_is_corruption_also_in_the_last_frame(tmp_path: Path) -> None:
    whole = wrote(tmp_path, b"first record", b"second " + bytes(20) + b" one" + bytes(9))
    path = path_of(tmp_path, 1)
    for place in range(len(whole)):
        for flip in (0x01, whole[place] or 0x80):
            data = bytearray(whole)
            data[place] ^= flip
            for zeros in (0, 64):
                path.write_bytes(bytes(data) + bytes(zeros))
                with pytest.raises((Corruption, FormatFault), match="000001.wal"):
                    opened(tmp_path)
                with pytest.raises((Corruption, FormatFault)):
                    bodies(tmp_path)
                assert path.read_bytes() == bytes(data) + bytes(zeros)  # nothing was changed


def test_a_frame_is_valid_only_where_it_was_written(tmp_path: Path) -> None:
    whole = wrote(tmp_path, b"aaaa", b"bbbb")
    size = frame_size(4)
    one, two = whole[FILE_HEADER : FILE_HEADER + size], whole[FILE_HEADER + size :]
    for data in (two + one, one + one, whole[:FILE_HEADER] + one):
        path_of(tmp_path, 1).write_bytes(whole[:FILE_HEADER] + data)
        with pytest.raises(Corruption, match="header of the frame"):
            opened(tmp_path)


def test_the_error_names_the_way_out_and_the_way_out_works(tmp_path: Path) -> None:
    whole = bytearray(wrote(tmp_path, b"first", b"second", b"third"))
    second = FILE_HEADER + frame_size(5)
    whole[second + 20] ^= 4
    path_of(tmp_path, 1).write_bytes(whole)
    with pytest.raises(Corruption, match=f"offset {second}") as caught:
        opened(tmp_path)
    assert "hql verify --cut-tail" in str(caught.value)
    path, offset, dropped = cut_tail(Disk(), tmp_path, 0) or (None, 0, 0)
    assert (path, offset, dropped) == (path_of(tmp_path, 1), second, len(whole) - second)
    assert opened(tmp_path)[1] == [b"first"]
    assert cut_tail(Disk(), tmp_path, 0) is None


def test_cutting_drops_later_files_too(tmp_path: Path) -> None:
    wal, _ = opened(tmp_path)
    wal.append(b"first")
    wal.start_file()
    wal.append(b"second")
    wal.close()
    data = path_of(tmp_path, 1).read_bytes()
    path_of(tmp_path, 1).write_bytes(data[:-3])  # broken off, though a later file follows
    for call in (lambda: opened(tmp_path), lambda: bodies(tmp_path)):
        with pytest.raises(Corruption, match="breaks off at offset 32"):
            call()
    assert cut_tail(Disk(), tmp_path, 0) is not None
    assert opened(tmp_path)[1] == []


def test_a_file_whose_making_was_cut_short_is_made_again(tmp_path: Path) -> None:
    for content in (b"", b"HRTM", bytes(FILE_HEADER), bytes(5000)):
        path_of(tmp_path, 1).write_bytes(content)
        wal, found = opened(tmp_path)
        wal.sync(wal.append(b"one"))
        wal.close()
        assert found == [] and bodies(tmp_path) == [b"one"]


def test_a_header_of_another_version_is_not_corruption(tmp_path: Path) -> None:
    wrote(tmp_path, b"first")
    data = path_of(tmp_path, 1).read_bytes()
    path_of(tmp_path, 1).write_bytes(b"HRTMWAL2" + data[8:])
    with pytest.raises(FormatFault, match="another format version"):
        opened(tmp_path)


@pytest.mark.parametrize("what", ["write", "sync", "allocate"])
def test_a_failed_write_or_sync_poisons_the_log(tmp_path: Path, what: str) -> None:
    """The fsync gate: the retry of a failed fsync may succeed without the data being there."""
    counting = FaultyDisk()
    wal, _ = opened(tmp_path / "count", counting)
    start = counting.operations
    wal.sync(wal.append(b"one"))
    at = start + [w for w, _ in counting.log[start:]].index(what) + 1
    disk = FaultyDisk(at, once=True)
    wal, _ = opened(tmp_path / "real", disk)
    end = wal.append(b"one")
    with pytest.raises(DiskFault, match=f"cannot {what}"):
        wal.sync(end)
    operations = disk.operations
    for call in (lambda: wal.sync(end), lambda: wal.append(b"two"), lambda: wal.start_file()):
        with pytest.raises(DiskFault, match="the log failed earlier") as caught:
            call()
        assert "open it again" in str(caught.value)
    assert disk.operations == operations and wal.durable == position(1, FILE_HEADER)
    wal.close()
    assert bodies(tmp_path / "real") in ([], [b"one"])


class SlowDisk(TwoStepDisk):
    """Counts syncs and takes its time over each."""

    def __init__(self) -> None:
        self.syncs = 0
        self.fails = False

    def do_sync(self, file: File) -> None:
        self.syncs += 1
        time.sleep(0.005)
        if self.fails:
            raise DiskFault("cannot sync")
        super().do_sync(file)


def test_one_sync_serves_all_that_wait(tmp_path: Path) -> None:
    disk = SlowDisk()
    wal, _ = opened(tmp_path, disk)
    disk.syncs = 0
    late: list[int] = []

    def client(number: int) -> None:
        for i in range(20):
            end = wal.append(f"{number} {i}".encode())
            wal.sync(end)
            if wal.durable < end:
                late.append(end)

    clients = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert late == [] and len(bodies(tmp_path)) == 160
    assert disk.syncs <= 80  # alone it would be 160
    for number in range(8):
        mine = [b for b in bodies(tmp_path) if b.startswith(f"{number} ".encode())]
        assert mine == [f"{number} {i}".encode() for i in range(20)]


def test_a_failed_sync_fails_all_that_wait(tmp_path: Path) -> None:
    disk = SlowDisk()
    wal, _ = opened(tmp_path, disk)
    disk.fails = True
    faults: list[DiskFault] = []

    def client() -> None:
        try:
            wal.sync(wal.append(b"x"))
        except DiskFault as fault:
            faults.append(fault)

    clients = [threading.Thread(target=client) for _ in range(6)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(5)
    assert len(faults) == 6


class HeldDisk(TwoStepDisk):
    """A sync takes until it is let go."""

    def __init__(self) -> None:
        self.begun, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def do_sync(self, file: File) -> None:
        self.begun.set()
        assert self.gate.wait(5)


@pytest.mark.parametrize("when", ["in line", "next to lead", "leading"])
def test_an_interrupted_thread_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Ctrl-C may come while a thread waits in line, when its turn has come, while it leads."""
    disk = HeldDisk()
    wal, _ = opened(tmp_path, disk)
    disk.begun.clear()
    disk.gate.clear()
    wait = Turn.wait
    ended: dict[str, str] = {}

    def interrupted_wait(turn: Turn) -> None:
        if threading.current_thread().name != "interrupted":
            return wait(turn)
        if when != "in line":
            wait(turn)
        raise KeyboardInterrupt

    def client() -> None:
        name = threading.current_thread().name
        try:
            wal.sync(wal.append(name.encode()))
        except (KeyboardInterrupt, DiskFault) as fault:
            ended[name] = type(fault).__name__
        else:
            ended[name] = "durable"

    monkeypatch.setattr(Turn, "wait", interrupted_wait)
    if when == "leading":
        monkeypatch.setattr(Turn, "wait", wait)
        monkeypatch.setattr(wal, "_write", interrupting_once(wal._write))
    threads = []
    for name in ("first", "interrupted", "third", "fourth"):
        threads.append(threading.Thread(target=client, name=name))
        threads[-1].start()
        assert disk.begun.wait(5)
        queued = len(threads) - 1 - (when == "in line" and len(threads) > 1)
        while len(wal._turns) < queued:
            time.sleep(0.001)
    disk.gate.set()
    for thread in threads:
        thread.join(5)
    others = {"first": "durable", "third": "durable", "fourth": "durable"}
    if when == "leading":  # a write that was broken off is a write that failed
        others |= {"third": "DiskFault", "fourth": "DiskFault"}
    assert ended == {"interrupted": "KeyboardInterrupt", **others}
    wal.close()


def interrupting_once(write: Callable[..., None]) -> Callable[..., None]:
    """`write`, but its second call is interrupted."""
    calls = iter(range(1_000))

    def interrupted(*arguments: object, **named: object) -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt
        write(*arguments, **named)

    return interrupted


def test_the_durable_mark_is_what_readers_may_see(tmp_path: Path) -> None:
    wal, _ = opened(tmp_path)
    mark = DurableMark(Disk(), tmp_path, writable=False)
    assert mark.read() == wal.durable
    end = wal.append(b"one")
    assert mark.read() < end
    wal.sync(end)
    assert mark.read() == end and bodies(tmp_path, stop=end) == [b"one"]
    start = wal.start_file()
    assert mark.read() == start
    assert (tmp_path / "durable").stat().st_size == 32


def test_the_durable_mark_survives_a_torn_store(tmp_path: Path) -> None:
    mark = DurableMark(Disk(), tmp_path, writable=True)
    assert mark.read() is None
    mark.publish(position(1, 500))
    for slot in (0, 16):
        mark.publish(position(1, 1000))
        mark.publish(position(1, 2000))
        data = bytearray((tmp_path / "durable").read_bytes())
        data[slot + 3] ^= 0xFF
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / "durable").write_bytes(data)
        torn = DurableMark(Disk(), tmp_path / "other", writable=False)
        assert torn.read() in (position(1, 1000), position(1, 2000))
    mark.reset(position(1, 800))  # a new writer that had to cut a tail
    assert mark.read() == position(1, 800)


def test_positions_increase_through_files() -> None:
    assert position(2, 32) > position(1, (1 << 40) - 1)
    assert file_number(position(7, 99)) == 7 and file_offset(position(7, 99)) == 99
    assert len(file_header(3)) == FILE_HEADER


@pytest.mark.parametrize("tear", [False, True])
@pytest.mark.parametrize("scattered", [False, True])
def test_whatever_fails_the_acknowledged_is_there(
    tmp_path: Path, tear: bool, scattered: bool
) -> None:
    """Every n-th change fails; then power goes. In front of the acknowledged nothing is missing;
    unordered sectors of what was not may make the log stop with Corruption, never lie."""
    records = [bytes([65 + i]) * (i * 211 % 900 + 1) for i in range(9)]

    def work(folder: Path, disk: Disk) -> int:
        acknowledged = 0
        try:
            wal, _ = opened(folder, disk)
            for i, record in enumerate(records):
                end = wal.append(record)
                if i == 4:
                    wal.start_file()
                    acknowledged = i + 1
                elif i % 2:
                    wal.sync(end)
                    acknowledged = i + 1
            wal.close()
            acknowledged = len(records)
        except DiskFault:
            pass
        return acknowledged

    counting = FaultyDisk()
    assert work(tmp_path / "count", counting) == len(records)
    for at in range(1, counting.operations + 2):
        for seed in range(3):
            folder = tmp_path / f"{at}-{seed}"
            disk = FaultyDisk(at, tear=tear)
            acknowledged = work(folder, disk)
            disk.cut_power(seed, scattered=scattered)
            try:
                wal, found = opened(folder)
            except Corruption:
                assert scattered
                cut_tail(Disk(), folder, 0)
                wal, found = opened(folder)
            assert records[:acknowledged] == found[:acknowledged], (at, seed)
            assert found == records[: len(found)]
            wal.sync(wal.append(b"goes on"))
            wal.close()
            assert bodies(folder) == [*found, b"goes on"]
