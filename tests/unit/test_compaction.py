"""Compaction: what a state still shows from the horizon on stays, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from unit.store_tools import Row, address_of, commit, numbered, rows, with_table

from hartonomous.storage import collected, joining
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import SEGMENT_ROWS
from hartonomous.storage.compaction import Replacement, compact, plan, replaced
from hartonomous.storage.database import Database
from hartonomous.storage.table import TableState


def seen(state: TableState, table: TableEntry, sequence: int) -> list[tuple[int, Row]]:
    """(row id, row) of what is visible at a sequence, in the order of a scan."""
    view = TableState(state.id, sequence, state.chunks, state.log).view(table)
    found = view.scan(["id", "name"], row_id=True).table
    ids, names = found["id"].to_pylist(), found["name"].to_pylist()
    return list(zip(found["__row_id"].to_pylist(), zip(ids, names, strict=True), strict=True))


def many_segments(database: Database) -> TableEntry:
    """A table of several segments in which rows were changed and deleted."""
    table = with_table(database, (1, "a"), (2, "b"), (3, "c"))
    for n in range(4, 12):
        mine = database.begin()
        mine.insert(table.id, rows(*((100 * n + i, f"{n}.{i}") for i in range(20 - n))))
        mine.update(table.id, address_of(mine, table, 2), rows((2, f"b{n}")))
        if n % 2:
            mine.delete(table.id, address_of(mine, table, 100 * n, 100 * n + 1))
        if n % 3 == 0:
            mine.delete(table.id, address_of(mine, table, 100 * (n - 1) + 5))
        commit(mine)
        database.checkpoint()
    return table


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "db")


def segments(database: Database, table: TableEntry) -> TableState:
    """The table, whose rows lie in segments."""
    state = database.published.table(table.id)
    assert all(c.rows.is_mapped for c in state.chunks)
    return state


def replacements(
    database: Database,
    table: TableEntry,
    state: TableState,
    horizon: int | None = None,
    *,
    thorough: bool = True,
) -> list[Replacement]:
    """What compaction makes of a state, as of its newest commit if no horizon is given."""
    horizon = state.sequence if horizon is None else horizon
    return [
        compact(database.objects, table, group, horizon, state.sequence)
        for group in plan(state.chunks, horizon, thorough=thorough)
    ]


def compacted(
    database: Database, table: TableEntry, state: TableState, horizon: int, *, thorough: bool
) -> tuple[TableState, list[Replacement]]:
    return replaced(state, replacements(database, table, state, horizon, thorough=thorough))


@pytest.mark.parametrize("thorough", [False, True])
def test_every_moment_since_the_horizon_stays(database: Database, thorough: bool) -> None:
    table = many_segments(database)
    state = segments(database, table)
    for horizon in range(1, state.sequence + 1):
        small, done = compacted(database, table, state, horizon, thorough=thorough)
        for sequence in range(horizon, state.sequence + 1):
            assert seen(small, table, sequence) == seen(state, table, sequence)
        gone = collected.concat([r.collected for r in done])
        if thorough:
            assert sum(c.deaths.prefix(horizon) for c in small.chunks) == 0
            assert gone.rows == sum(c.deaths.prefix(horizon) for c in state.chunks)
            assert plan(small.chunks, horizon, thorough=True) == []
        births, deaths, ids = gone.expand()
        assert (births < deaths).all() and (deaths <= horizon).all()
        assert len(np.unique(np.stack([births, ids]), axis=1).T) == gone.rows


def test_deaths_that_come_meanwhile_are_brought_over(database: Database) -> None:
    table = many_segments(database)
    before = segments(database, table)
    done = replacements(database, table, before)
    mine = database.begin()
    mine.delete(table.id, address_of(mine, table, 1, 1103))
    mine.update(table.id, address_of(mine, table, 3), rows((3, "changed")))
    commit(mine)
    state = database.published.table(table.id)
    small, put = replaced(state, done)
    assert len(put) == len(done) > 0
    for sequence in (before.sequence, state.sequence):
        assert seen(small, table, sequence) == seen(state, table, sequence)


def test_what_was_changed_by_others_is_left(database: Database) -> None:
    table = many_segments(database)
    state = segments(database, table)
    done = replacements(database, table, state)
    other, _ = replaced(state, done)
    assert replaced(other, done) == (other, [])


def test_no_row_left_is_no_chunk(database: Database) -> None:
    table = with_table(database, (1, "a"))
    database.checkpoint()
    mine = database.begin()
    mine.truncate(table.id)
    commit(mine)
    state = database.published.table(table.id)
    small, (done,) = compacted(database, table, state, state.sequence, thorough=False)
    assert small.chunks == () and done.after is None and done.collected.rows == 1
    kept, none = compacted(database, table, state, state.sequence - 1, thorough=True)
    assert kept is state and none == []


def test_in_memory_too() -> None:
    database = Database.open(None)
    table = with_table(database, (1, "a"), (2, "b"))
    mine = database.begin()
    mine.delete(table.id, address_of(mine, table, 1))
    commit(mine)
    state = database.published.table(table.id)
    small, done = compacted(database, table, state, state.sequence, thorough=True)
    assert [c.count for c in small.chunks] == [1] and len(done) == 1
    assert seen(small, table, state.sequence) == seen(state, table, state.sequence)


def test_segments_stay_below_their_greatest_size(database: Database) -> None:
    table = with_table(database, (-1, "a"))
    for start in (0, 700_000, 1_400_000):
        mine = database.begin()
        mine.insert(table.id, numbered(start, 700_000))
        commit(mine)
        database.checkpoint()
    state = database.published.table(table.id)
    small, _ = compacted(database, table, state, state.sequence, thorough=True)
    assert sum(c.count for c in small.chunks) == 2_100_001
    assert all(c.count <= SEGMENT_ROWS for c in small.chunks)


def test_runs_of_collected_rows() -> None:
    births = np.array([1, 1, 2, 1, 3, 3], np.int64)
    deaths = np.array([5, 5, 5, 5, 3, 0], np.int64)
    ids = np.array([7, 8, 9, 6, 10, 11], np.int64)
    runs = collected.of_rows(births, deaths, ids)
    assert (runs.runs, runs.rows) == (2, 4), "those never true are left out"
    assert [x.tolist() for x in runs.expand()] == [[1, 1, 1, 2], [5, 5, 5, 5], [6, 7, 8, 9]]
    assert collected.of_rows(births[:0], deaths[:0], ids[:0]).rows == 0


def test_which_packs_are_joined() -> None:
    assert joining.runs([5, 5, 5], 12, thorough=True) == [(0, 2)]
    assert joining.runs([20, 5, 5, 20], 12, thorough=True) == [(1, 3)]
    assert joining.runs([5] * 7, 100) == []
    assert joining.runs([1000, *[5] * 8], 100) == [(1, 9)]
    assert joining.runs([], 100) == joining.runs([], 100, thorough=True) == []
    items = joining.put_in([1, 2, 3, 4], [joining.Joined((2, 3), 9)])
    assert items == (1, 9, 4)
    assert joining.put_in([1, 3, 2], [joining.Joined((2, 3), 9)]) == (1, 3, 2)
