"""What compaction removed for good: which row, born when, dead since when. Its values are gone.

The leaves of commits stay, and so do all hashes. With this record VERIFY still knows which rows a
leaf was over, so that it can check every deletion and every other leaf, and says of a leaf that
lost rows `collected` instead of altered. Kept as runs of consecutive row ids of one birth and one
death: a bulk delete is one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.chunk import NO_ROWS, Int64
from hartonomous.storage.frozen import frozen
from hartonomous.storage.objects import Objects
from hartonomous.storage.packs import Pack, write_pack

KIND: Final = "collected"
_NAMES: Final = ("births", "deaths", "firsts", "counts")


@frozen
class Collected:
    """Runs of rows, int64[runs] each: born at, dead since, first row id, number of ids."""

    births: Int64
    deaths: Int64
    firsts: Int64
    counts: Int64

    @property
    def runs(self) -> int:
        return len(self.counts)

    @property
    def rows(self) -> int:
        """How many rows it is."""
        return int(self.counts.sum())

    def expand(self) -> tuple[Int64, Int64, Int64]:
        """Row by row: births, deaths, row ids."""
        starts = np.cumsum(self.counts) - self.counts
        within = np.arange(self.rows) - np.repeat(starts, self.counts)
        ids = np.repeat(self.firsts, self.counts) + within
        return np.repeat(self.births, self.counts), np.repeat(self.deaths, self.counts), ids


NOTHING: Final = Collected(NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS)


def of_rows(births: Int64, deaths: Int64, ids: Int64) -> Collected:
    """Rows as runs. Those that died when they were born were never true, are in no leaf, and are
    left out."""
    true = births < deaths
    births, deaths, ids = births[true], deaths[true], ids[true]
    if not len(ids):
        return NOTHING
    order = np.lexsort((ids, deaths, births))
    births, deaths, ids = births[order], deaths[order], ids[order]
    goes_on = (births[1:] == births[:-1]) & (deaths[1:] == deaths[:-1]) & (ids[1:] == ids[:-1] + 1)
    starts = np.concatenate([[0], np.flatnonzero(~goes_on) + 1])
    counts = np.diff(np.append(starts, len(ids)))
    return Collected(births[starts], deaths[starts], ids[starts], counts)


def concat(parts: Sequence[Collected]) -> Collected:
    """The runs of all parts."""
    if not parts:
        return NOTHING
    return Collected(*(np.concatenate([getattr(p, n) for p in parts]) for n in _NAMES))


def write_collected(objects: Objects, collected: Collected) -> ObjectRef:
    """Store runs as one pack."""
    arrays = {name: getattr(collected, name).astype("<i8", copy=False) for name in _NAMES}
    return write_pack(objects, KIND, arrays)


def read_collected(objects: Objects, refs: Sequence[ObjectRef], label: str = "") -> Collected:
    """The runs of some packs. Raises Corruption."""
    packs = [Pack(objects, ref, KIND, label) for ref in refs]
    return concat([Collected(*(pack.array(name) for name in _NAMES)) for pack in packs])
