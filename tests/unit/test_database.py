"""A database on disk: reopening, checkpoints, counters, leftovers, locks, history."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from faulty_disk import TwoStepDisk
from unit.store_tools import (
    address_of,
    commit,
    content,
    entry,
    numbered,
    rows,
    with_table,
)

from hartonomous.storage import load
from hartonomous.storage.clock import FixedClock
from hartonomous.storage.database import Database
from hartonomous.storage.disk import File
from hartonomous.storage.errors import ConstraintFault, DiskFault, FormatFault, Locked


def objects_of(path: Path) -> set[str]:
    return {p.parent.name + p.name for p in (path / "objects").glob("??/*")}


@pytest.mark.parametrize("times", [1, 3])
def test_what_is_committed_is_there_after_reopening(tmp_path: Path, times: int) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db, (1, "a"), (2, "b"), (3, None))
    mine = db.begin()
    mine.update(table.id, address_of(mine, table, 2), rows((22, "bb")))
    mine.delete(table.id, address_of(mine, table, 1))
    commit(mine)
    for n in range(times):
        db.close()
        db = Database.open(tmp_path / "db")
        assert content(db.snapshot(), table)[-2:] == [(3, None), (22, "bb")]
        mine = db.begin()
        mine.insert(table.id, rows((100 + n, None)))
        with pytest.raises(ConstraintFault):
            mine.insert(table.id, rows((50, "bb")))
        mine.rollback()
    assert db.verify() == []
    db.close()


def test_bulk_rows_are_written_once(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db)
    mine = db.begin()
    mine.insert(table.id, numbered(0, 2_500_000).to_reader(100_000))
    log_before = db.figures()["wal_bytes"]
    commit(mine)
    figures = db.figures()
    assert figures["wal_bytes"] - log_before < 5_000
    assert (figures["segments"], figures["segment_rows"]) == (3, 2_500_000)
    before = objects_of(tmp_path / "db") - {db.manifest_name}
    db.close()
    db = Database.open(tmp_path / "db")
    assert before <= objects_of(tmp_path / "db"), "none was written again"
    assert db.figures()["segment_bytes"] == figures["segment_bytes"]
    assert db.snapshot().view(table.id).row_count == 2_500_000
    assert db.verify() == []
    db.close()


def test_a_rolled_back_bulk_insert_leaves_no_objects(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db)
    before = objects_of(tmp_path / "db")
    mine, other = db.begin(), db.begin()
    mine.insert(table.id, numbered(0, 2_200_000))
    assert objects_of(tmp_path / "db") > before
    mine.rollback()
    assert objects_of(tmp_path / "db") == before
    mine = db.begin()
    mine.insert(table.id, numbered(0, 2_200_000))
    other.insert(table.id, numbered(0, 2_200_000))  # the same bytes, the same objects
    commit(other)
    mine.rollback()
    assert db.snapshot().view(table.id).row_count == 2_200_000
    assert db.verify() == []
    db.close()


def test_a_killed_load_leaves_objects_that_the_next_opening_removes(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    with_table(db)
    assert db.objects is not None
    stray = db.objects.put(b"nobody's")
    db.close()
    db = Database.open(tmp_path / "db")
    assert stray not in objects_of(tmp_path / "db")
    db.close()


def test_own_bulk_rows_changed_in_the_same_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lie in a segment that is not written again: the log says which rows never were."""
    monkeypatch.setattr(load, "BULK_BYTES", 1000)
    db = Database.open(tmp_path / "db")
    table = with_table(db)
    mine = db.begin()
    mine.insert(table.id, numbered(0, 300))
    mine.delete(table.id, address_of(mine, table, 5, 6))
    mine.update(table.id, address_of(mine, table, 7, 9), rows((700, "x"), (900, "y")))
    expected = content(mine, table)
    assert len(expected) == 298
    commit(mine)
    mine = db.begin()
    ids = pa.array(range(1000, 1296), pa.int32())
    found = mine.view(table.id).scan(["name"], address=True).table.slice(0, 296)
    new = pa.table([ids, found["name"]], names=["id", "name"])
    mine.update(table.id, found["__address"].to_numpy(), new)  # a segment that keeps old ids
    commit(mine)
    expected = content(db.snapshot(), table)
    shutil.copytree(tmp_path / "db", tmp_path / "killed")
    assert db.verify() == []
    db.close()
    for path in (tmp_path / "killed", tmp_path / "db"):
        db = Database.open(path)
        assert content(db.snapshot(), table) == expected
        assert db.verify() == []
        db.close()


def test_checkpoints_come_by_themselves_and_leave_nothing_behind(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db", checkpoint_bytes=20_000)
    table = with_table(db)
    for i in range(300):
        mine = db.begin()
        mine.insert(table.id, rows((i, None)))
        commit(mine)
    figures = db.figures()
    assert figures["wal_bytes"] < 25_000
    assert 0 < figures["segments"] < 12
    assert len(list((tmp_path / "db" / "wal").glob("*.wal"))) == 1
    assert len(objects_of(tmp_path / "db")) < 100
    assert content(db.snapshot(), table) == [(i, None) for i in range(300)]
    assert db.verify() == []
    db.close()


def test_an_old_snapshot_outlives_checkpoints_and_drops(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db, (1, "a"), (2, "b"))
    db.close()
    db = Database.open(tmp_path / "db")
    old, mine = db.snapshot(), db.begin()
    mine.drop(mine.catalog.get("dbo", "t"))
    commit(mine)
    db.checkpoint()
    db.checkpoint()
    assert content(old, table) == [(1, "a"), (2, "b")]
    assert len(old.view(table.id).lookup(4, rows((1, "b")).select(["name"]))) == 1
    db.close()


def test_a_transaction_goes_on_through_a_checkpoint(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db, (1, "a"), (2, "b"))
    mine = db.begin()
    mine.update(table.id, address_of(mine, table, 1), rows((1, "changed")))
    db.checkpoint()
    mine.insert(table.id, rows((3, "c")))
    commit(mine)
    assert content(db.snapshot(), table) == [(1, "changed"), (2, "b"), (3, "c")]
    assert db.verify() == []
    db.close()


def test_identity_values_are_never_given_twice(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db)
    assert db.next_identity(table.id, 3, 10, 5) == 10
    assert db.next_identity(table.id, 1, 10, 5) == 25
    db.bump_identity(table.id, 27, 10, 5)
    assert db.next_identity(table.id, 1, 10, 5) == 30
    db.bump_identity(table.id, 41, 10, 5)
    assert db.next_identity(table.id, 1, 10, 5) == 46
    assert db.next_identity(999, 1, 0, -2) == 0
    db.bump_identity(999, -10, 0, -2)
    db.bump_identity(999, -3, 0, -2)
    assert db.next_identity(999, 1, 0, -2) == -12
    mine = db.begin()
    mine.insert(table.id, rows((46, None)))
    commit(mine)
    copied = tmp_path / "copy"  # what a crash leaves
    shutil.copytree(tmp_path / "db", copied)
    crashed = Database.open(copied)
    assert crashed.next_identity(table.id, 1, 10, 5) == 51
    crashed.close()
    db.close()
    db = Database.open(tmp_path / "db")
    assert db.next_identity(table.id, 1, 10, 5) == 51
    db.close()


def test_commits_are_a_chain(tmp_path: Path) -> None:
    clock = FixedClock(step_us=1_000_000)
    db = Database.open(tmp_path / "db", clock=clock)
    table = with_table(db)
    infos = []
    for n in range(4):
        mine = db.begin()
        mine.insert(table.id, rows((n, None)))
        infos.append(mine.commit(statement=f"INSERT {n}", author="ann"))
        if n == 1:
            db.close()
            clock.at_us -= 3_600_000_000  # the machine's clock was set back
            db = Database.open(tmp_path / "db", clock=clock)
    commits = db.commits().to_pylist()
    assert [c["Sequence"] for c in commits] == [5, 4, 3, 2, 1]
    assert [c["Hash"] for c in commits[:4]] == [i.hash for i in reversed(infos) if i]
    assert all(a["Parent"] == b["Hash"] for a, b in zip(commits, commits[1:], strict=False))
    assert commits[-1]["Parent"] is None
    assert commits[0]["Statement"] == "INSERT 3" and commits[0]["Author"] == "ann"
    times = [c["At"] for c in commits]
    assert times == sorted(times, reverse=True)
    assert commits[0]["At"] - datetime(2026, 1, 1, tzinfo=UTC) < timedelta(hours=1)
    assert db.commits().schema.field("At").type == pa.timestamp("us", "UTC")
    db.close()


def test_the_same_history_has_the_same_hashes_however_it_is_stored(tmp_path: Path) -> None:
    def history(db: Database, checkpoints: bool) -> list[bytes]:
        table = with_table(db, (1, "a"))
        for n in range(2, 12):
            mine = db.begin()
            mine.insert(table.id, rows((n, None)))
            mine.update(table.id, address_of(mine, table, n - 1), rows((n - 1, f"{n}")))
            commit(mine)
            if checkpoints and n % 3 == 0:
                db.checkpoint()
        hashes: list[bytes] = db.commits()["Hash"].to_pylist()
        assert db.verify() == []
        db.close()
        return hashes

    memory = history(Database.open(None, clock=FixedClock()), False)
    log = history(Database.open(tmp_path / "log", clock=FixedClock()), False)
    segments = history(Database.open(tmp_path / "segments", clock=FixedClock()), True)
    assert memory == log == segments


def test_opening_twice_in_a_process_is_one_database(tmp_path: Path) -> None:
    first = Database.open(tmp_path / "db")
    second = Database.open(tmp_path / "x" / ".." / "db")
    assert first is second
    first.close()
    table = with_table(second, (1, "a"))
    second.close()
    second.close()
    third = Database.open(tmp_path / "db")
    assert third is not first and content(third.snapshot(), table) == [(1, "a")]
    third.close()


HOLD = """
import sys
from hartonomous.storage.database import Database
db = Database.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


def test_one_process_writes(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stdin is not None
    assert child.stdout.readline() == b"ready\n"
    with pytest.raises(Locked, match=f"pid {child.pid} on ") as fault:
        Database.open(tmp_path / "db")
    assert fault.value.hint is not None and "read_only=True" in fault.value.hint
    child.kill()
    child.wait()
    Database.open(tmp_path / "db").close()


def test_folders_that_are_not_databases(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FormatFault, match=r"notes\.txt"):
        Database.open(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["LOCK", "notes.txt"]
    Database.open(tmp_path / "db").close()
    assert (tmp_path / "db").stat().st_mode & 0o777 == 0o700
    (tmp_path / "db" / "FORMAT").write_bytes(b"hartonomous database, format 9\n")
    with pytest.raises(FormatFault, match="format 9"):
        Database.open(tmp_path / "db")
    (tmp_path / "db" / "FORMAT").unlink()
    with pytest.raises(FormatFault, match="missing"):
        Database.open(tmp_path / "db")


class SlowDisk(TwoStepDisk):
    """Counts syncs, and takes its time over them as a device does."""

    def __init__(self) -> None:
        self.syncs = 0
        self.gate = threading.Event()

    def do_sync(self, file: File) -> None:
        self.syncs += 1
        self.gate.wait(0.005)
        super().do_sync(file)


def test_commits_of_many_threads_share_syncs(tmp_path: Path) -> None:
    disk = SlowDisk()
    db = Database.open(tmp_path / "db", disk=disk)
    table = with_table(db)
    before = disk.syncs

    def work(thread: int) -> None:
        for i in range(20):
            mine = db.begin()
            mine.insert(table.id, rows((thread * 1000 + i, None)))
            commit(mine)
            assert db.snapshot().view(table.id).row_count >= i + 1

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert disk.syncs - before < 160 // 2
    assert db.snapshot().view(table.id).row_count == 160
    assert db.verify() == []
    db.close()


def test_dropping_and_recreating_gives_fresh_ids(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db, (1, "a"))
    mine = db.begin()
    mine.drop(mine.catalog.get("dbo", "t"))
    again = mine.create(entry())
    commit(mine)
    db.close()
    db = Database.open(tmp_path / "db")
    mine = db.begin()
    third = mine.create(entry("third"))
    assert len({table.id, again.id, third.id}) == 3
    commit(mine)
    assert db.verify() == []
    db.close()


def test_a_commit_that_is_interrupted_half_way_ends_the_committing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between the log and memory: what the log has counts, at the next opening."""
    db = Database.open(tmp_path / "db")
    table = with_table(db, (1, "a"))
    with monkeypatch.context() as patch:

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(db.commits_path, "_apply", interrupted)
        mine = db.begin()
        mine.insert(table.id, rows((2, "b")))
        with pytest.raises(KeyboardInterrupt):
            commit(mine)
    mine = db.begin()
    mine.insert(table.id, rows((3, "c")))
    with pytest.raises(DiskFault, match="earlier commit"):
        commit(mine)
    assert content(db.snapshot(), table) == [(1, "a")]
    db.close()
    db = Database.open(tmp_path / "db")
    assert content(db.snapshot(), table) == [(1, "a"), (2, "b")]
    assert db.verify() == []
    db.close()


def test_a_statement_with_half_a_surrogate_pair_is_kept_without_it(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db)
    mine = db.begin()
    mine.insert(table.id, rows((1, None)))
    commit(mine, "SELECT '\ud800'")
    assert db.commits()["Statement"][0].as_py() == "SELECT '?'"
    assert db.verify() == []
    db.close()


def test_a_name_in_memory_is_shared_while_somebody_has_it_open() -> None:
    first, second = Database.open(":memory:shared"), Database.open(":memory:shared")
    assert first is second is not Database.open(":memory:other")
    with_table(first, (1, "a"))
    first.close()
    third = Database.open(":memory:shared")
    assert third is second
    second.close()
    third.close()
    assert Database.open(":memory:shared") is not third
    assert Database.open(":memory:") is not Database.open(":memory:")
