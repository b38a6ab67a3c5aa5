"""Compaction of one table: segments written again without the rows that nobody can see any more.

A row that died at or before the horizon is in no state that AS OF may still show. `plan` says which
neighbouring segments are worth writing again; `compact` writes some as one, which takes long and
needs no lock: chunks are immutable but for their death logs, and deaths that came meanwhile are
brought over by `replaced`, under the commit lock. Order and ids of rows stay, and so do all hashes.
What comes out depends on the chunks, the horizon and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.storage import collected
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import (
    BATCH_ROWS,
    BIRTH_COLUMN,
    ROW_ID_COLUMN,
    SEGMENT_ROWS,
    Chunk,
    Int64,
    concat,
)
from hartonomous.storage.collected import Collected
from hartonomous.storage.deaths import DeathLog
from hartonomous.storage.frozen import frozen
from hartonomous.storage.memory import MemoryRows, rebatch
from hartonomous.storage.objects import Objects
from hartonomous.storage.replay import as_one, as_run
from hartonomous.storage.segment import SegmentWriter
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.shape import TableShape, shape_holding, shape_of
from hartonomous.storage.table import TableState

#: a segment is written again for itself once this share of its rows is dead
DEAD_SHARE = 0.25
#: small neighbours are joined when they are so many, and the largest is at most half of all:
#: so a row is written again a logarithmic number of times
JOINED_MIN = 4

#: called now and then between pieces of work; it may wait, or raise to give up
Pace = Callable[[], None]


def no_pace() -> None:
    """As fast as it goes."""


@frozen
class Replacement:
    """Neighbouring chunks of a table and the chunk that takes their place (None: no row is left).
    `kept`: per chunk, bool[rows]; deaths up to commit `now` are in `after` already."""

    table_id: int
    before: tuple[Chunk, ...]
    after: Chunk | None
    kept: tuple[npt.NDArray[np.bool_], ...]
    now: int
    collected: Collected


def plan(
    chunks: Sequence[Chunk],
    horizon: int,
    *,
    is_free: Callable[[Chunk], bool] = lambda _: True,
    thorough: bool = False,
) -> list[tuple[Chunk, ...]]:
    """The runs of neighbouring chunks that are to become one each. `is_free`: whether a chunk may
    be replaced; `thorough`: all that makes the table smaller, not only what pays at once."""
    out: list[tuple[Chunk, ...]] = []
    run: list[Chunk] = []
    rows = 0

    def close() -> None:
        if run and _pays(run, horizon, thorough):
            out.append(tuple(run))
        run.clear()

    for chunk in chunks:
        left = chunk.count - chunk.deaths.prefix(horizon)
        if not is_free(chunk) or rows + left > SEGMENT_ROWS:
            close()
            rows = 0
        if is_free(chunk):
            run.append(chunk)
            rows += left
    close()
    return out


def _pays(run: Sequence[Chunk], horizon: int, thorough: bool) -> bool:
    dead = [chunk.deaths.prefix(horizon) for chunk in run]
    counts = [chunk.count for chunk in run]
    if thorough:
        return len(run) > 1 or dead[0] > 0
    if sum(dead) >= DEAD_SHARE * sum(counts):
        return True
    return len(run) >= JOINED_MIN and 2 * max(counts) <= sum(counts)


def compact(
    objects: Objects | None,
    table: TableEntry,
    chunks: Sequence[Chunk],
    horizon: int,
    now: int,
    pace: Pace = no_pace,
) -> Replacement:
    """Chunks as one without the rows dead at the horizon; `now` is a commit, not before the
    horizon, whose deaths are all in the chunks' logs. A segment in `objects`; without, in memory.
    Raises Corruption, DiskFault, and what `pace` raises; then nothing has changed."""
    assert horizon <= now
    kept = tuple(_kept(chunk, horizon) for chunk in chunks)
    gone = [_collected(c, horizon) for c in chunks]
    shape = shape_holding(shape_of(table), lambda name: any(c.rows.has(name) for c in chunks))
    after = None
    if any(k.any() for k in kept):
        picked = [np.flatnonzero(k) for k in kept]
        ids = concat([c.row_ids_at(p) for c, p in zip(chunks, picked, strict=True)])
        births = concat([c.births_at(p) for c, p in zip(chunks, picked, strict=True)])
        numbers = as_run(ids), as_one(births)
        batches = _batches(chunks, kept, shape, pace)
        if objects is None:
            pieces = rebatch(shape.physical, list(batches))
            rows: MemoryRows | SegmentRows = MemoryRows(shape.physical, pieces)
        else:
            rows = _segment(objects, table, shape, batches, *numbers)
        deaths = DeathLog(*_deaths(chunks, kept, horizon, now))
        after = Chunk(rows, *numbers, deaths)
    return Replacement(table.id, tuple(chunks), after, kept, now, collected.concat(gone))


def replaced(
    state: TableState, replacements: Sequence[Replacement]
) -> tuple[TableState, list[Replacement]]:
    """The state with the replacements whose chunks are still in it, and which they were. Deaths
    that came since are in it too. Under the commit lock."""
    chunks = list(state.chunks)
    done = []
    for replacement in replacements:
        before = replacement.before
        places = {id(c): place for place, c in enumerate(chunks)}
        first = places.get(id(before[0]), len(chunks))
        if [id(c) for c in chunks[first : first + len(before)]] != [id(c) for c in before]:
            continue
        after = replacement.after
        if after is not None:
            after.deaths.extend(*_deaths(before, replacement.kept, replacement.now, state.sequence))
        chunks[first : first + len(before)] = [] if after is None else [after]
        done.append(replacement)
    if not done:
        return state, done
    return TableState(state.id, state.sequence, tuple(chunks), state.log), done


def _kept(chunk: Chunk, horizon: int) -> npt.NDArray[np.bool_]:
    kept = np.ones(chunk.count, np.bool_)
    kept[chunk.deaths.offsets(0, chunk.deaths.prefix(horizon))] = False
    return kept


def _collected(chunk: Chunk, horizon: int) -> Collected:
    count = chunk.deaths.prefix(horizon)
    offsets = chunk.deaths.offsets(0, count)
    return collected.of_rows(
        chunk.births_at(offsets), chunk.deaths.sequences(0, count), chunk.row_ids_at(offsets)
    )


def _deaths(
    chunks: Sequence[Chunk], kept: Sequence[npt.NDArray[np.bool_]], after: int, until: int
) -> tuple[Int64, Int64]:
    """Deaths with after < sequence <= until, as sequences and offsets among the rows kept."""
    sequences, offsets = [], []
    start = 0
    for chunk, keep in zip(chunks, kept, strict=True):
        first, last = chunk.deaths.prefix(after), chunk.deaths.prefix(until)
        if last > first:
            ranks = np.cumsum(keep) - 1
            sequences.append(chunk.deaths.sequences(first, last))
            offsets.append(ranks[chunk.deaths.offsets(first, last)] + start)
        start += int(keep.sum())
    if not sequences:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    when, where = concat(sequences), concat(offsets)
    order = np.argsort(when, kind="stable")
    return when[order], where[order]


def _batches(
    chunks: Sequence[Chunk],
    kept: Sequence[npt.NDArray[np.bool_]],
    shape: TableShape,
    pace: Pace,
) -> Iterator[pa.RecordBatch]:
    """The kept rows, batch by batch as they lie."""
    names = shape.physical.names
    for chunk, keep in zip(chunks, kept, strict=True):
        for batch in range(chunk.batch_count):
            start = batch * BATCH_ROWS
            mask = keep[start : start + chunk.batch_size(batch)]
            if not mask.any():
                continue
            columns = [chunk.column(n, t, batch) for n, t in zip(names, shape.types, strict=True)]
            rows = pa.RecordBatch.from_arrays(columns, schema=shape.physical)
            yield rows if mask.all() else rows.filter(pa.array(mask))
            pace()


def _segment(
    objects: Objects,
    table: TableEntry,
    shape: TableShape,
    batches: Iterator[pa.RecordBatch],
    ids: int | Int64,
    births: int | Int64,
) -> SegmentRows:
    hidden = [(ROW_ID_COLUMN, ids), (BIRTH_COLUMN, births)]
    columns = [(name, numbers) for name, numbers in hidden if not isinstance(numbers, int)]
    schema = shape.physical
    for name, _ in columns:
        schema = schema.append(pa.field(name, pa.int64()))
    writer = SegmentWriter(objects, schema)
    try:
        for rows in batches:
            stop = writer.rows + rows.num_rows
            more = [pa.array(numbers[writer.rows : stop]) for _, numbers in columns]
            writer.write(pa.RecordBatch.from_arrays([*rows.columns, *more], schema=schema))
        return SegmentRows(objects, writer.finish(), table.name)
    except BaseException:
        writer.abort()
        raise
