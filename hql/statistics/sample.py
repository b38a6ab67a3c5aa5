"""A sample of a view's rows: which rows, spread evenly, without reading the whole table.

All rows of a small table. Of a larger one about SAMPLE_ROWS rows, each as likely as any other,
drawn from at most BATCHES_MAX batches: blocks that are never read cost nothing, and a column of a
hundred million rows costs what one of eight million does. The same rows of the same table give the
same sample.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hartonomous.storage.chunk import BATCH_BITS, BATCH_ROWS, NO_ROWS, Int64, Selection
from hartonomous.storage.table import ADDRESS_BITS, TableView

#: 300 a bucket of a histogram of 100
SAMPLE_ROWS: Final = 30_000
#: a table with fewer rows is looked at whole: drawing from it would cost as much
WHOLE_ROWS: Final = 2 * SAMPLE_ROWS
BATCHES_MAX: Final = 128


def sample_addresses(view: TableView) -> Int64:
    """Addresses of the sampled rows, ascending."""
    parts = [(ordinal, s) for ordinal, s in view.parts if s.row_count]
    if not parts:
        return NO_ROWS
    is_whole = view.row_count <= WHOLE_ROWS
    random = np.random.default_rng((view.row_count, len(parts)))
    batches = [(o, s, b) for o, s in parts for b in range(s.chunk.batch_count)]
    if not is_whole and len(batches) > BATCHES_MAX:
        picked = np.sort(random.choice(len(batches), BATCHES_MAX, replace=False))
        batches = [batches[i] for i in picked.tolist()]
    sizes = np.array([_visible(s, b) for _, s, b in batches], np.int64)
    if is_whole:
        counts = sizes
    else:
        share = min(1.0, SAMPLE_ROWS / max(1, int(sizes.sum())))
        counts = np.ceil(sizes * share).astype(np.int64)
    found = []
    for (ordinal, selection, batch), size, count in zip(
        batches, sizes.tolist(), counts.tolist(), strict=True
    ):
        if not count:
            continue
        rows = np.arange(size) if count >= size else _drawn(random, size, count)
        hidden = selection.hidden.get(batch)
        if hidden is not None:
            rows = np.flatnonzero(hidden.keep())[rows]
        found.append(rows + (batch << BATCH_BITS) + (ordinal << ADDRESS_BITS))
    return np.concatenate(found) if found else NO_ROWS


def _visible(selection: Selection, batch: int) -> int:
    hidden = selection.hidden.get(batch)
    return hidden.kept if hidden is not None else selection.chunk.batch_size(batch)


def _drawn(random: np.random.Generator, size: int, count: int) -> Int64:
    assert size <= BATCH_ROWS
    return np.sort(random.choice(size, count, replace=False))
