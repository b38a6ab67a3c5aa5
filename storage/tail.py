"""Merging of small chunks, so that one-row commits cost O(log n) and tables have O(log n) chunks.

Sizes are counted in powers of FAN: once FAN chunks at a table's end are of one size or smaller,
they become one of the next. Old snapshots keep the old chunks; the new one carries their deaths.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import physical_name
from hartonomous.storage.chunk import BATCH_ROWS, Chunk, Int64
from hartonomous.storage.deaths import DeathLog
from hartonomous.storage.keys import merge_keys
from hartonomous.storage.memory import MemoryRows, rebatch
from hartonomous.storage.shape import TableShape, shape_holding

FAN_BITS = 3
FAN = 1 << FAN_BITS
#: larger chunks stay as they are
MERGE_ROWS_MAX = 2 * BATCH_ROWS


def settle(chunks: tuple[Chunk, ...], shape: TableShape) -> tuple[Chunk, ...]:
    """Chunks with those at the end merged as far as it is due."""
    while (start := _due(chunks)) is not None:
        chunks = (*chunks[:start], merge(chunks[start:], shape))
    return chunks


def _due(chunks: Sequence[Chunk]) -> int | None:
    """Where the chunks begin that are due to be merged."""
    if len(chunks) < FAN:
        return None
    level = _level(chunks[-1])
    if _level(chunks[-FAN]) > level:  # after most commits this one look tells
        return None
    start = len(chunks)
    while start > 0 and _can_merge(chunks[start - 1]) and _level(chunks[start - 1]) <= level:
        start -= 1
    return start if len(chunks) - start >= FAN else None


def _level(chunk: Chunk) -> int:
    return (chunk.count.bit_length() - 1) // FAN_BITS


def _can_merge(chunk: Chunk) -> bool:
    return not chunk.rows.is_mapped and chunk.count < MERGE_ROWS_MAX


def merge(parts: Sequence[Chunk], shape: TableShape) -> Chunk:
    """One chunk in memory with the rows of all parts, in order, and their deaths."""
    shape = shape_holding(shape, lambda name: any(p.rows.has(name) for p in parts))
    starts = list(accumulate((p.count for p in parts[:-1]), initial=0))
    rows = _merge_rows(parts, shape)
    deaths = _merge_deaths(parts, starts)
    merged = Chunk(rows, _merge_numbers(parts, "row_ids"), _merge_numbers(parts, "births"), deaths)
    merge_keys(parts, merged)
    return merged


def _merge_rows(parts: Sequence[Chunk], shape: TableShape) -> MemoryRows:
    if sum(p.count for p in parts) > BATCH_ROWS:
        return MemoryRows(shape.physical, rebatch(shape.physical, batches_of(parts, shape)))
    columns = [
        pa.concat_arrays([part.column(name, type_, 0) for part in parts])
        for name, type_ in zip(shape.physical.names, shape.types, strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=shape.physical)
    return MemoryRows(shape.physical, [batch], columns)


def batches_of(parts: Sequence[Chunk], shape: TableShape) -> list[pa.RecordBatch]:
    """The parts' rows as batches of the table's present columns."""
    return [
        pa.RecordBatch.from_arrays(
            [part.column(physical_name(c), c.arrow, batch) for c in shape.stored],
            schema=shape.physical,
        )
        for part in parts
        for batch in range(part.batch_count)
    ]


def _merge_numbers(parts: Sequence[Chunk], name: str) -> int | Int64:
    """Row ids or births of the parts as one number where they allow it."""
    numbers = [getattr(part, name) for part in parts]
    if all(isinstance(n, int) for n in numbers):
        step = [p.count for p in parts] if name == "row_ids" else [0] * len(parts)
        if all(a + s == b for a, s, b in zip(numbers, step, numbers[1:], strict=False)):
            return int(numbers[0])
        if name == "births":
            return np.repeat(np.array(numbers, np.int64), [p.count for p in parts])
    read = Chunk.row_ids_at if name == "row_ids" else Chunk.births_at
    return np.concatenate([read(part, slice(None)) for part in parts])


def _merge_deaths(parts: Sequence[Chunk], starts: Sequence[int]) -> DeathLog:
    if not any(p.deaths.count for p in parts):
        return DeathLog()
    counts = [p.deaths.count for p in parts]
    sequences = np.concatenate(
        [p.deaths.sequences(0, n) for p, n in zip(parts, counts, strict=True)]
    )
    offsets = np.concatenate(
        [p.deaths.offsets(0, n) + s for p, n, s in zip(parts, counts, starts, strict=True)]
    )
    order = np.argsort(sequences, kind="stable")
    return DeathLog(sequences[order], offsets[order])
