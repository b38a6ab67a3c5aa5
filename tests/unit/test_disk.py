"""The disk: modes, translated faults, locks, atomic replacement; and the faulty disk itself."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from faulty_disk import FaultyDisk

from hartonomous.storage.clock import FixedClock, SystemClock
from hartonomous.storage.disk import PIECES_MAX, Disk
from hartonomous.storage.errors import DiskFault


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folders_and_files_are_the_owners_alone(tmp_path: Path) -> None:
    disk = Disk()
    disk.do_make_folder(tmp_path / "a" / "b")
    disk.do_create(tmp_path / "a" / "f").close()
    disk.replace(tmp_path / "a" / "g", b"x")
    lock = disk.lock(tmp_path / "a" / "l")
    assert lock is not None
    lock.close()
    disk.map_shared(tmp_path / "a" / "m", 32, writable=True).close()
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
    assert {mode(p) for p in (tmp_path / "a").iterdir() if p.is_file()} == {0o600}


def test_faults_name_the_path_and_what_was_tried(tmp_path: Path) -> None:
    disk = Disk()
    missing = tmp_path / "no" / "file"
    for call, word in [
        (lambda: disk.do_create(missing), "create"),
        (lambda: disk.open(missing), "open"),
        (lambda: disk.map(missing), "map"),
        (lambda: disk.size(missing), "look at"),
        (lambda: disk.do_rename(missing, tmp_path / "x"), "rename"),
        (lambda: disk.do_sync_folder(missing), "sync the folder"),
        (lambda: disk.lock(missing), "lock"),
        (lambda: disk.map_shared(missing, 32, writable=False), "map"),
        (lambda: disk.do_make_folder(Path("/proc/no")), "make the folder"),
        (lambda: disk.list_folder(Path("/proc/self/status")), "list"),
    ]:
        with pytest.raises(DiskFault, match=f'cannot {word}.*"/.*: [A-Z]'):
            call()


def test_no_space_is_a_fault(tmp_path: Path) -> None:
    full = Disk().open(Path("/dev/full"), writable=True)
    with pytest.raises(DiskFault, match='cannot write "/dev/full": No space left'):
        full.write([b"x"], 0)


def test_many_pieces_and_empty_ones(tmp_path: Path) -> None:
    file = Disk().do_create(tmp_path / "f")
    pieces = [b"", *(bytes([i % 256]) * (i % 5) for i in range(3 * PIECES_MAX)), memoryview(b"e")]
    joined = b"".join(pieces)
    assert file.write(pieces, 3) == len(joined)
    assert file.read(3, 1 << 20) == joined and file.size() == 3 + len(joined)
    assert file.read(file.size(), 5) == b""
    file.close()
    file.close()


def test_a_short_write_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwritev

    def short(descriptor: int, pieces: list[memoryview], offset: int) -> int:
        return whole(descriptor, [b"".join(pieces)[:3]], offset)

    monkeypatch.setattr(os, "pwritev", short)
    file = Disk().do_create(tmp_path / "f")
    assert file.write([b"ab", b"cdefg", b"", b"h"], 0) == 8
    assert file.read(0, 99) == b"abcdefgh"


def test_mapping(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"some bytes")
    (tmp_path / "empty").write_bytes(b"")
    disk = Disk()
    buffer = disk.map(tmp_path / "f")
    (tmp_path / "f").unlink()  # the mapping lives on
    assert buffer.to_pybytes() == b"some bytes" and not buffer.is_mutable
    assert disk.map(tmp_path / "empty").size == 0
    with pytest.raises(DiskFault, match="cannot map"):
        disk.map_shared(tmp_path / "empty", 32, writable=False)


def test_a_lock_is_held_against_other_processes_and_freed_by_death(tmp_path: Path) -> None:
    path = tmp_path / "LOCK"
    code = (
        "import sys; from pathlib import Path; from hartonomous.storage.disk import Disk\n"
        f"lock = Disk().lock(Path({str(path)!r}), content=b'pid 7')\n"
        "print('held' if lock else 'no', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        assert Disk().lock(path) is None and Disk().lock(path, shared=True) is None
        assert path.read_bytes() == b"pid 7"
        child.kill()
    mine = Disk().lock(path, shared=True)
    again = Disk().lock(path, shared=True)
    assert mine is not None and again is not None and Disk().lock(path) is None
    mine.close()
    again.close()
    assert Disk().lock(path) is not None


def test_replacing_is_all_or_nothing(tmp_path: Path) -> None:
    """Whatever change fails and whatever a power cut takes, it is the old content or the new."""
    seen = set()
    for at in range(1, 7):
        for seed in range(12):
            path = tmp_path / f"{at}-{seed}"
            path.write_bytes(b"old")
            disk = FaultyDisk(at, tear=True)
            try:
                disk.replace(path, b"new content")
                returned = True
            except DiskFault:
                returned = False
            disk.cut_power(seed)
            found = path.read_bytes()
            assert found in (b"old", b"new content")
            assert found == b"new content" or not returned
            seen.add((returned, found))
    assert seen == {(True, b"new content"), (False, b"old"), (False, b"new content")}


def test_faulty_disk_breaks_at_the_nth_change_and_stays_broken(tmp_path: Path) -> None:
    counting = FaultyDisk()
    file = counting.do_create(tmp_path / "a")
    file.write([b"abcd"], 0)
    file.sync()
    assert counting.operations == 3
    assert counting.log == [("create", "a"), ("write", "a"), ("sync", "a")]
    torn = FaultyDisk(2, tear=True)
    file = torn.do_create(tmp_path / "b")
    with pytest.raises(DiskFault):
        file.write([b"abcd"], 0)
    assert (tmp_path / "b").read_bytes() == b"ab"
    with pytest.raises(DiskFault):
        torn.do_remove(tmp_path / "a")
    once = FaultyDisk(2, once=True)
    file = once.do_create(tmp_path / "c")
    with pytest.raises(DiskFault):
        file.write([b"abcd"], 0)
    file.write([b"abcd"], 0)
    assert (tmp_path / "c").read_bytes() == b"abcd"


def test_a_power_cut_takes_only_what_was_not_synced(tmp_path: Path) -> None:
    kept_name = lost_name = False
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / "old").write_bytes(b"o" * 2000)
        disk = FaultyDisk()
        file = disk.do_create(folder / "f")
        file.write([b"1" * 1000], 0)
        file.sync()
        disk.do_sync_folder(folder)
        file.write([b"2" * 1000], 1000)
        disk.do_create(folder / "new")
        disk.do_remove(folder / "old")
        disk.cut_power(seed, scattered=seed % 2 == 1)
        data = (folder / "f").read_bytes()
        assert data[:1000] == b"1" * 1000 and len(data) <= 2000
        assert set(data[1000:]) <= ({0, ord("2")} if seed % 2 else {ord("2")})
        names = {p.name for p in folder.iterdir()}
        assert names in ({"f", "old"}, {"f", "old", "new"}, {"f", "new"})
        kept_name, lost_name = kept_name or "new" in names, lost_name or "new" not in names
        with pytest.raises(DiskFault):
            file.sync()
    assert kept_name and lost_name


def test_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    clock = SystemClock()
    first = clock.now_us()
    assert abs(first - time.time() * 1e6) < 60e6
    monkeypatch.setattr(time, "time_ns", lambda: 5)
    assert clock.now_us() == first  # it never goes back
    fixed = FixedClock(100, step_us=7)
    assert [fixed.now_us(), fixed.now_us()] == [100, 107]


@pytest.mark.parametrize("answer", ["whole", "short", "not supported", "full"])
def test_a_write_that_is_durable_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Of the call that writes and syncs: what it leaves undone is done by write and sync."""
    file = Disk().do_create(tmp_path / "f")
    write, sync = os.pwritev, os.fdatasync
    syncs: list[int] = []

    def pwritev(descriptor: int, pieces: Sequence[bytes], offset: int, flags: int = 0) -> int:
        if flags and answer == "short":
            return write(descriptor, [pieces[0][:3]], offset, flags)
        if flags and answer != "whole":
            code = errno.EOPNOTSUPP if answer == "not supported" else errno.ENOSPC
            raise OSError(code, os.strerror(code))
        return write(descriptor, pieces, offset, flags)

    mine = threading.get_ident()  # databases of other tests may sync in the background

    def fdatasync(descriptor: int) -> None:
        if threading.get_ident() == mine:
            syncs.append(descriptor)
        sync(descriptor)

    monkeypatch.setattr(os, "pwritev", pwritev)
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    if answer == "full":
        with pytest.raises(DiskFault, match="cannot write"):
            file.write_through([b"0123456789"], 5)
        return
    assert file.write_through([b"0123456789"], 5) == 10
    assert file.read(0, 20) == bytes(5) + b"0123456789"
    assert len(syncs) == (answer != "whole" or not hasattr(os, "RWF_DSYNC"))
    assert file.write_through([b"ab", b"cd"], 0) == 4 and file.read(0, 5) == b"abcd\0"


def test_mappings_need_no_descriptors(tmp_path: Path) -> None:
    disk, count = Disk(), 2 * resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    (tmp_path / "a").write_bytes(b"abc" * 5000)
    kept = [disk.map(tmp_path / "a") for _ in range(min(count, 20_000))]
    (tmp_path / "a").unlink()
    assert {bytes(b[-3:]) for b in kept} == {b"abc"}
