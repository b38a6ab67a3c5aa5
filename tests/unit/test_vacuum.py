"""VACUUM: what is older than the retention goes, everything else stays what it was, hashes too."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.store_tools import address_of, commit, content, entry, numbered, rows, with_table

from hartonomous.storage import keeper
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.clock import FixedClock
from hartonomous.storage.database import Database
from hartonomous.storage.errors import Conflict, DataError, HistoryGone
from hartonomous.storage.settings import retention_us

SECOND = 1_000_000


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(step_us=SECOND)


@pytest.fixture
def database(tmp_path: Path, clock: FixedClock) -> Iterator[Database]:
    database = Database.open(tmp_path / "db", clock=clock)
    database.set_setting("retention", "0 seconds")
    yield database
    database.close()


def change(database: Database, table: TableEntry, id_: int, text: str, branch: str = "main") -> int:
    mine = database.begin(branch=branch)
    mine.update(table.id, address_of(mine, table, id_), rows((id_, text)))
    return commit(mine)


def checkpoint_and_wait(database: Database) -> None:
    """Until the keeper has looked."""
    turns = database.keeper.turns
    database.checkpoint()
    while database.keeper.turns == turns:
        time.sleep(0.001)


def verified(database: Database) -> list[str]:
    notes: list[str] = []
    assert database.verify(notes=notes) == []
    return notes


def test_dead_rows_go_and_all_agrees(database: Database) -> None:
    table = with_table(database, *((i, f"{i}") for i in range(50)))
    for n in range(20):
        change(database, table, n % 5, f"changed {n}")
        if n % 4 == 0:
            database.checkpoint()
    hashes = database.commits()["Hash"]
    before = content(database.snapshot(), table)
    figures = database.vacuum()
    assert (figures.rows_removed, figures.segments_after) == (20, 1)
    assert figures.segments_before > 1 and figures.bytes_after < figures.bytes_before
    assert content(database.snapshot(), table) == before
    assert database.commits()["Hash"] == hashes
    assert verified(database) == ["16 leaves: rows that were dead were collected, not altered"]
    again = database.vacuum()
    assert (again.rows_removed, again.segments_before, again.segments_after) == (0, 1, 1)
    path = database.path
    assert path is not None
    database.close()
    other = Database.open(path)
    assert content(other.snapshot(), table) == before
    assert len(verified(other)) == 1
    change(other, table, 3, "after all")
    assert len(verified(other)) == 1
    other.close()
    Database.open(path)  # for the fixture to close


def test_what_the_retention_covers_stays(database: Database, clock: FixedClock) -> None:
    table = with_table(database, (1, "a"), (2, "b"))
    places = [database.place_of(change(database, table, 1, f"{n}")) for n in range(10)]
    clock.step_us = 0
    clock.at_us = places[5].at_us + 7 * 86400 * SECOND
    database.set_setting("retention", "7 days")
    assert database.vacuum().horizon == places[5].sequence
    for n, place in enumerate(places[5:], 5):
        assert content(database.as_of(place), table) == [(1, f"{n}"), (2, "b")]
    for place in places[:5]:
        with pytest.raises(HistoryGone, match="kept"):
            database.as_of(place)
    assert verified(database)
    database.set_setting("retention", "8 days")
    assert database.vacuum().horizon == places[5].sequence, "it never goes back"


def test_snapshots_and_transactions_go_on(database: Database) -> None:
    table = with_table(database, *((i, f"{i}") for i in range(9)))
    database.checkpoint()
    snapshot, mine, theirs = database.snapshot(), database.begin(), database.begin()
    before = content(snapshot, table)
    mine.update(table.id, address_of(mine, table, 1), rows((1, "mine")))
    theirs.update(table.id, address_of(theirs, table, 2), rows((2, "theirs")))
    change(database, table, 2, "first")
    assert database.vacuum().rows_removed == 1
    assert content(snapshot, table) == before
    commit(mine)
    with pytest.raises(Conflict):
        commit(theirs)
    assert dict(content(database.snapshot(), table))[1] == "mine"
    assert verified(database)


def test_a_dropped_table_goes(database: Database) -> None:
    table = with_table(database, (1, "a"))
    mine = database.begin()
    big = mine.create(entry("big"))
    mine.insert(big.id, numbered(0, 100_000))
    here = database.place_of(commit(mine))
    database.checkpoint()
    mine = database.begin()
    mine.drop(big)
    commit(mine)
    database.set_setting("retention", "1 day")
    assert database.vacuum().bytes_after > 400_000
    assert database.as_of(here).view(big.id).row_count == 100_000
    database.set_setting("retention", "0 seconds")
    assert database.vacuum().bytes_after < 100_000
    with pytest.raises(HistoryGone):
        database.as_of(here)
    assert content(database.snapshot(), table) == [(1, "a")]
    assert verified(database) == []


def test_branches_keep_what_they_share(database: Database) -> None:
    table = with_table(database, (1, "a"), (2, "b"), (3, "c"))
    database.checkpoint()
    fork = change(database, table, 1, "before")
    database.create_branch("b")
    change(database, table, 2, "main")
    change(database, table, 3, "branch", "b")
    figures = database.vacuum()
    assert figures.horizon == fork and figures.rows_removed == 0
    assert figures.held_by == database.horizon_holders() == ("b",)
    database.create_branch("a", source="b")
    assert database.horizon_holders() == ("a", "b"), "its lineage left main where that of b did"
    database.create_branch("newer")
    assert database.horizon_holders() == ("a", "b")
    database.drop_branch("a")
    database.drop_branch("newer")
    assert content(database.snapshot(), table) == [(1, "before"), (2, "main"), (3, "c")]
    assert content(database.snapshot("b"), table) == [(1, "before"), (2, "b"), (3, "branch")]
    assert verified(database) == []
    database.drop_branch("b")
    figures = database.vacuum()
    assert (figures.rows_removed, figures.held_by) == (2, ())
    assert content(database.snapshot(), table) == [(1, "before"), (2, "main"), (3, "c")]
    database.create_branch("c")
    assert verified(database), "the new branch knows too what was collected"
    change(database, table, 1, "later", "c")
    database.vacuum()
    assert verified(database)


def test_catalogs_of_the_past_go(database: Database) -> None:
    table = with_table(database, (1, "a"))
    for n in range(10):
        mine = database.begin()
        mine.create(entry(f"t{n}"))
        place = database.place_of(commit(mine))
    assert len(list(database.as_of(place).catalog.tables())) == 11
    database.vacuum()
    assert list(database.repository.catalogs.deltas()) == []
    assert len(list(database.as_of(place).catalog.tables())) == 11
    path = database.path
    assert path is not None
    database.close()
    other = Database.open(path)
    assert len(list(other.as_of(place).catalog.tables())) == 11
    assert content(other.snapshot(), table) == [(1, "a")]


def test_in_memory(clock: FixedClock) -> None:
    database = Database.open(None, clock=clock)
    table = with_table(database, (1, "a"), (2, "b"))
    for n in range(40):
        change(database, table, 1, f"{n}")
    held = database.snapshot()
    assert database.vacuum().rows_removed == 40
    assert content(held, table) == content(database.snapshot(), table) == [(1, "39"), (2, "b")]
    assert verified(database)


def test_in_memory_commits_collect(clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "DEAD_ROWS_MIN", 50)
    database = Database.open(None, clock=clock)
    table = with_table(database, *((i, f"{i}") for i in range(20)))

    def stored() -> int:
        return sum(c.count for c in database.published.table(table.id).chunks)

    held, mine = database.snapshot(), database.begin()
    mine.update(table.id, address_of(mine, table, 19), rows((19, "mine")))
    before = content(held, table)
    most = 0
    for n in range(400):
        change(database, table, n % 10, f"changed {n}")
        most = max(most, stored())
    assert 20 < most < 130, "never far more than there are"
    commit(mine)
    assert content(held, table) == before
    now = [*((i, f"changed {390 + i}") for i in range(10)), *before[10:19], (19, "mine")]
    assert content(database.snapshot(), table) == now
    assert verified(database)
    database.set_setting("compaction", "OFF")
    for n in range(200):
        change(database, table, 1, f"again {n}")
    assert stored() > 200


def test_of_one_table(database: Database) -> None:
    table = with_table(database, (1, "a"))
    mine = database.begin()
    other = mine.create(entry("other"))
    mine.insert(other.id, rows((1, "x")))
    commit(mine)
    change(database, table, 1, "b")
    mine = database.begin()
    mine.truncate(other.id)
    commit(mine)
    assert database.vacuum(other.id).rows_removed == 1
    assert database.vacuum().rows_removed == 1


def test_commits_beside_it(database: Database) -> None:
    """Rows that die between a segment's writing and its being put in place."""
    table = with_table(database, *((i, f"{i}") for i in range(200)))
    stop = threading.Event()
    done: list[int] = []
    faults: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                change(database, table, len(done) % 200, f"changed {len(done)}")
                done.append(0)
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=work)
    thread.start()
    removed = 0
    try:
        while removed < 60 and not faults:
            removed += database.vacuum().rows_removed
    finally:
        stop.set()
        thread.join()
    assert faults == []
    removed += database.vacuum().rows_removed
    assert removed == len(done)
    found = content(database.snapshot(), table)
    last = {n % 200: f"changed {n}" for n in range(len(done))}
    assert found == sorted({i: last.get(i, f"{i}") for i in range(200)}.items())
    assert verified(database)


def segments_of(database: Database) -> set[str]:
    """The files of objects that are segments of rows."""
    assert database.objects is not None
    names = set(database.objects.names())
    return {n for n in names if bytes(database.objects.map(n)[:6]) == b"ARROW1"}


def test_a_reader_keeps_what_it_may_open_and_no_more(database: Database) -> None:
    table = with_table(database, *((i, f"{i}") for i in range(20)))
    database.checkpoint()
    path = database.path
    assert path is not None
    reader = Database.open(path, read_only=True)
    snapshot = reader.snapshot()  # opened nothing yet
    before = segments_of(database)
    for n in range(3):
        change(database, table, n, f"changed {n}")
        database.vacuum()
    assert before <= segments_of(database), "the reader may still open them"
    assert reader.snapshot().sequence > snapshot.sequence
    change(database, table, 4, "changed")
    database.vacuum()
    assert not before & segments_of(database), "the reader has gone on"
    assert content(snapshot, table) == sorted((i, f"{i}") for i in range(20))
    assert len(content(reader.snapshot(), table)) == 20
    assert reader.verify() == []
    reader.close()


def test_the_keeper_works_by_itself(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "DELAY_S", 0.0)
    table = with_table(database, *((i, f"{i}") for i in range(20)))
    database.set_setting("compaction", "OFF")
    mine = database.begin()
    mine.delete(table.id, address_of(mine, table, *range(10)))
    commit(mine)
    checkpoint_and_wait(database)
    assert database.published.table(table.id).chunks[0].count == 20
    database.set_setting("compaction", "ON")
    checkpoint_and_wait(database)
    assert database.published.table(table.id).chunks[0].count == 10
    assert verified(database) and database.keeper.fault is None
    checkpoint_and_wait(database)
    turns, manifest = database.keeper.turns, database.manifest_name
    time.sleep(0.05)
    assert (database.keeper.turns, database.manifest_name) == (turns, manifest), "it rests"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7 days", 604_800), ("1 hour", 3600), ("90Minutes", 5400), (" 0 seconds ", 0)],
)
def test_lengths_of_time(text: str, seconds: int) -> None:
    assert retention_us(text) == seconds * SECOND


@pytest.mark.parametrize("text", ["", "7", "days", "-1 days", "7 months", "1.5 days"])
def test_no_lengths_of_time(text: str) -> None:
    with pytest.raises(DataError, match="length of time"):
        retention_us(text)
