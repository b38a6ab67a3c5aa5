"""Logs beside the database: bounded, whole after a crash, patient with a disk that refuses."""

from pathlib import Path

import pytest

from hartonomous.storage.disk import Disk, File
from hartonomous.storage.errors import DiskFault
from hartonomous.storage.logs import LATE_BYTES, Log


def log(folder: Path | None, disk: Disk | None = None, **more: object) -> Log:
    given: dict[str, object] = {"writable": True, **more}
    return Log(disk or Disk(), folder, "l", **given)  # type: ignore[arg-type]


def test_records_come_back_in_their_order_also_in_another_process(tmp_path: Path) -> None:
    mine = log(tmp_path / "logs")
    for i in range(5):
        mine.append(b"%d" % i)
    assert mine.records() == [b"0", b"1", b"2", b"3", b"4"]
    other = log(tmp_path / "logs", writable=False)
    assert other.records() == mine.records()
    other.append(b"its own")
    assert other.records()[-1] == b"its own" and mine.records()[-1] == b"4"
    again = log(tmp_path / "logs")
    again.append(b"5")
    assert again.records() == [b"0", b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize("is_kept", [True, False])
def test_only_the_last_ones_are_kept(tmp_path: Path, is_kept: bool) -> None:
    mine = log(tmp_path if is_kept else None, bytes_max=200)
    for i in range(100):
        mine.append(b"%08d" % i)
    found = mine.records()
    assert found[-1] == b"00000099" and 10 <= len(found) <= 20
    assert found == [b"%08d" % i for i in range(100 - len(found), 100)]
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 400


@pytest.mark.parametrize("damage", ["cut", "bits", "zeros"])
def test_a_torn_end_is_cut_and_written_over(tmp_path: Path, damage: str) -> None:
    mine = log(tmp_path)
    mine.append(b"first")
    whole = (tmp_path / "l.log").stat().st_size
    mine.append(b"second, which is longer")
    data = bytearray((tmp_path / "l.log").read_bytes())
    if damage == "cut":
        del data[-3:]
    elif damage == "bits":
        data[-1] ^= 1
    else:
        data[whole:] = bytes(len(data) - whole)
    (tmp_path / "l.log").write_bytes(data)
    again = log(tmp_path)
    assert again.records() == [b"first"]
    again.append(b"x")
    assert log(tmp_path).records() == [b"first", b"x"]
    assert (tmp_path / "l.log").stat().st_size == whole + 12 + 1


class Refusing(Disk):
    """A full disk."""

    is_full = False

    def do_write(self, file: File, pieces: object, offset: int) -> int:
        if self.is_full:
            raise DiskFault("no space left")
        return super().do_write(file, pieces, offset)  # type: ignore[arg-type]


def test_what_cannot_be_written_waits(tmp_path: Path) -> None:
    disk = Refusing()
    mine = log(tmp_path, disk)
    mine.append(b"a")
    disk.is_full = True
    mine.append(b"b")
    mine.append(b"c")
    assert mine.records() == [b"a", b"b", b"c"]
    assert log(tmp_path, writable=False).records() == [b"a"]
    disk.is_full = False
    mine.append(b"d")
    assert log(tmp_path, writable=False).records() == [b"a", b"b", b"c", b"d"]


def test_records_that_may_wait_are_written_together(tmp_path: Path) -> None:
    """At LATE_BYTES, at a flush, or with the next one that may not; nothing is lost meanwhile."""
    mine, other = log(tmp_path), log(tmp_path, writable=False)
    mine.keep(b"a")
    mine.keep(b"b")
    assert mine.records() == [b"a", b"b"] and other.records() == []
    mine.append(b"c")
    assert other.records() == [b"a", b"b", b"c"]
    mine.keep(b"d" * LATE_BYTES)
    assert len(other.records()) == 4
    mine.keep(b"e")
    mine.flush()
    assert other.records() == mine.records() and len(other.records()) == 5
    mine.keep(b"f", quiet_seconds=0.0)
    assert other.records()[-1] == b"f"
    mine.keep(b"g", quiet_seconds=3_600.0)
    assert other.records()[-1] == b"f" and mine.records()[-1] == b"g"
