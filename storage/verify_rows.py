"""VERIFY of a table's rows: those that each leaf of its log is over, hashed again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import Int64, concat
from hartonomous.storage.collected import Collected
from hartonomous.storage.encoding import deletion_leaf_hash
from hartonomous.storage.frozen import frozen
from hartonomous.storage.leaves import DELETED, Leaves
from hartonomous.storage.prepare import run_leaf
from hartonomous.storage.shape import shape_holding, shape_of
from hartonomous.storage.table import TableState

#: the place of a row that was collected
_NOWHERE = -1


@frozen
class Problem:
    """One disagreement. `what`: object, log, leaf, root, commit, index or head."""

    what: str
    where: str
    expected: str
    found: str


class RowsOfLeaves:
    """All versions of a table's rows, ordered by birth and id, and all deaths; of those that were
    collected all but their values. `collected`: leaves over some of these, as far as checked."""

    def __init__(self, where: str, entry: TableEntry, table: TableState, lost: Collected) -> None:
        self.where, self.chunks = where, table.chunks
        self.collected = 0
        self.shape = shape_holding(
            shape_of(entry), lambda name: any(c.rows.has(name) for c in self.chunks)
        )
        lost_births, lost_at, lost_ids = lost.expand()
        ids, births, dead_ids, dead_at = [lost_ids], [lost_births], [lost_ids], [lost_at]
        places = [np.full(lost.rows, _NOWHERE)]
        for number, chunk in enumerate(self.chunks):
            count = chunk.deaths.prefix(table.sequence)
            offsets, at = chunk.deaths.offsets(0, count), chunk.deaths.sequences(0, count)
            born = chunk.births_at(slice(None))
            died = np.full(chunk.count, np.iinfo(np.int64).max)
            died[offsets] = at
            kept = np.flatnonzero((born <= table.sequence) & (died > born))
            ids.append(chunk.row_ids_at(kept))
            births.append(born[kept])
            places.append(kept + (number << 32))
            before = born[offsets] < at
            dead_ids.append(chunk.row_ids_at(offsets[before]))
            dead_at.append(at[before])
        all_ids, all_births = concat(ids), concat(births)
        order = np.lexsort((all_ids, all_births))
        self.ids, self.births = all_ids[order], all_births[order]
        self.places = concat(places)[order]
        dead, when = concat(dead_ids), concat(dead_at)
        order = np.lexsort((dead, when))
        self.dead_ids, self.dead_at = dead[order], when[order]

    def check(self, leaves: Leaves) -> Iterator[tuple[int, Problem | None]]:
        """Leaf after leaf: the rows it covers, and what is wrong with it."""
        born = died = 0
        columns = (leaves.kinds.tolist(), leaves.sequences.tolist(), leaves.counts.tolist())
        for expected, kind, sequence, count in zip(leaves.hash_list(), *columns, strict=True):
            if kind == DELETED:
                part, when = self.dead_ids[died : died + count], self.dead_at[died : died + count]
                died += count
            else:
                part, when = self.ids[born : born + count], self.births[born : born + count]
                born += count
            if len(part) != count or (when != sequence).any():
                found = f"{int((when == sequence).sum())}"
                yield 0, self._problem(sequence, f"{count} rows", found)
                return
            if kind != DELETED and (self.places[born - count : born] == _NOWHERE).any():
                self.collected += 1
                yield count, None
                continue
            hashed = self._hash(kind, part, born - count)
            wrong = hashed != expected
            problem = self._problem(sequence, expected.hex(), hashed.hex()) if wrong else None
            yield 0 if kind == DELETED else count, problem
        for name, seen, held in (("inserted", born, self.ids), ("deleted", died, self.dead_ids)):
            if seen != len(held):
                yield 0, Problem("leaf", self.where, f"{seen} rows {name}", f"{len(held)}")

    def _hash(self, kind: int, ids: Int64, start: int) -> bytes:
        if kind == DELETED:
            return deletion_leaf_hash(ids)
        return run_leaf(self.chunks, self.places[start : start + len(ids)], ids, self.shape)

    def _problem(self, sequence: int, expected: str, found: str) -> Problem:
        return Problem("leaf", f"{self.where}, commit {sequence}", expected, found)
