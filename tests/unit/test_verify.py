"""VERIFY finds what was altered although every checksum of the files was made to fit again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from unit.store_tools import commit, numbered, rows, with_table

from hartonomous.storage.branches import Line
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.database import Database
from hartonomous.storage.memory import MemoryRows
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.table import TableState


@pytest.fixture
def db() -> Database:
    database = Database.open(None)
    table = with_table(database, (1, "a"), (2, "b"))
    mine = database.begin()
    mine.update(table.id, np.array([1]), rows((2, "c")))
    mine.delete(table.id, np.array([0]))
    commit(mine)
    assert database.verify() == []
    return database


def with_chunks(line: Line, chunks: list[Chunk]) -> None:
    """The head with other rows, as a forger would store them."""
    head = line.state
    (table,) = head.tables.values()
    forged = TableState(table.id, table.sequence, tuple(chunks), table.log)
    line.state = line.published = DatabaseState(
        head.sequence,
        head.catalog,
        {table.id: forged},
        head.commit_hash,
        head.at_us,
        head.catalog_hash,
    )


def altered(chunk: Chunk, name: str) -> Chunk:
    assert isinstance(chunk.rows, MemoryRows)
    (batch,) = chunk.rows.batches
    forged = pa.RecordBatch.from_arrays(
        [batch.column(0), pa.array([name] * batch.num_rows)], schema=batch.schema
    )
    return Chunk(MemoryRows(batch.schema, [forged]), chunk.row_ids, chunk.births, chunk.deaths)


def test_an_altered_value(db: Database) -> None:
    first, *rest = next(iter(db.repository.main.state.tables.values())).chunks
    with_chunks(db.repository.main, [altered(first, "forged"), *rest])
    (problem,) = db.verify()
    assert (problem.what, problem.where) == ("leaf", 'table "t", commit 1')
    assert problem.expected != problem.found


def test_a_removed_row(db: Database) -> None:
    first, *rest = next(iter(db.repository.main.state.tables.values())).chunks
    with_chunks(db.repository.main, rest)
    assert {p.what for p in db.verify()} == {"leaf"}


def test_a_row_deleted_behind_the_log(db: Database) -> None:
    *_, last = next(iter(db.repository.main.state.tables.values())).chunks
    last.deaths.append(2, np.array([0]))
    assert {p.what for p in db.verify()} == {"leaf"}


def test_an_altered_statement_breaks_the_chain(db: Database) -> None:
    from dataclasses import replace

    recent = db.repository.recent
    recent[0] = replace(recent[0], statement="nothing happened")
    assert {(p.what, p.where) for p in db.verify()} == {("commit", "commit 2")}


def test_a_forged_leaf_breaks_the_root(db: Database) -> None:
    (leaves,) = db.repository.main.leaves.values()
    leaves[20] ^= 1
    assert ("root", 'table "t", commit 1') in {(p.what, p.where) for p in db.verify()}


def test_progress_and_every_way_rows_can_lie(tmp_path: Path) -> None:
    """Tail, segments with ids and births of many commits, bulk segments, updates of their rows."""
    db = Database.open(tmp_path / "db")
    table = with_table(db, (-1, "a"))
    mine = db.begin()
    mine.insert(table.id, rows((-2, "b")))
    mine.insert(table.id, numbered(0, 2_200_000))
    mine.delete(table.id, np.array([5 + (2 << 32), 6 + (3 << 32)]))
    mine.update(table.id, np.array([(2 << 32) + 65_537]), rows((-65_537, "changed")))
    commit(mine)
    assert db.verify() == []
    for n in range(5):
        mine = db.begin()
        found = mine.view(table.id).scan(["id"], address=True).table.slice(0, 1000)
        new = pa.table([found["id"], pa.nulls(1000, pa.string())], names=["id", "name"])
        mine.update(table.id, found["__address"].to_numpy(), new)
        commit(mine)
        if n == 2:
            db.checkpoint()
    seen: list[tuple[int, float | None]] = []
    assert db.verify(lambda done, share: seen.append((done, share))) == []
    assert seen[-1][0] > 2_200_000 and seen == sorted(seen)
    db.close()
    db = Database.open(tmp_path / "db")
    assert db.verify() == []
    db.close()
