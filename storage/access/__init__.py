"""Access methods: ways to find rows that are no keys. One file and one line of METHODS each.

An index lies beside the rows: every chunk has its own part of it, immutable as the chunk is. A
segment's part is an object, mapped when first searched; a part over rows that have not reached a
segment is built in memory when first asked for, and a checkpoint writes it. Snapshots, updates and
deletes need nothing: what a part finds is looked up among the rows that a snapshot can see.
"""

from __future__ import annotations

from hartonomous.storage.access.base import AccessMethod
from hartonomous.storage.access.btree import BTREE
from hartonomous.storage.access.rtree import RTREE

METHODS: dict[str, AccessMethod] = {
    "BTREE": BTREE,
    "RTREE": RTREE,
}
"""By the word after USING."""
