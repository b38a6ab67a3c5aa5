"""The leaves of a table's log, kept as packs: what VERIFY needs to regroup rows and re-hash.

Leaf i hashes either the next `counts[i]` rows, in row-id order, that commit `sequences[i]`
inserted, or all `counts[i]` row ids that it deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.errors import Corruption
from hartonomous.storage.frozen import frozen
from hartonomous.storage.objects import Objects
from hartonomous.storage.packs import Pack, write_pack

KIND: Final = "leaves"
INSERTED: Final = 0
DELETED: Final = 1


@frozen
class Leaf:
    """One leaf: its hash, INSERTED or DELETED, the commit's sequence, the number of rows."""

    hash: bytes
    kind: int
    sequence: int
    count: int


@frozen
class Leaves:
    """Many leaves as columns: uint8[n,32], uint8[n], int64[n], int64[n]."""

    hashes: npt.NDArray[np.uint8]
    kinds: npt.NDArray[np.uint8]
    sequences: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kinds)

    def hash_list(self) -> list[bytes]:
        joined = self.hashes.tobytes()
        return [joined[i : i + 32] for i in range(0, len(joined), 32)]

    def to_leaves(self) -> list[Leaf]:
        columns = (self.kinds.tolist(), self.sequences.tolist(), self.counts.tolist())
        return [Leaf(h, k, s, c) for h, k, s, c in zip(self.hash_list(), *columns, strict=True)]


def of(leaves: Sequence[Leaf]) -> Leaves:
    """Leaves as columns."""
    joined = b"".join(leaf.hash for leaf in leaves)
    return Leaves(
        np.frombuffer(joined, np.uint8).reshape(-1, 32),
        np.array([leaf.kind for leaf in leaves], np.uint8),
        np.array([leaf.sequence for leaf in leaves], np.int64),
        np.array([leaf.count for leaf in leaves], np.int64),
    )


def concat(parts: Sequence[Leaves]) -> Leaves:
    return Leaves(
        np.concatenate([p.hashes for p in parts]),
        np.concatenate([p.kinds for p in parts]),
        np.concatenate([p.sequences for p in parts]),
        np.concatenate([p.counts for p in parts]),
    )


def write_leaves(objects: Objects, leaves: Leaves) -> ObjectRef:
    """Store leaves as one pack."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "hashes": leaves.hashes,
        "kinds": leaves.kinds,
        "sequences": leaves.sequences,
        "counts": leaves.counts,
    }
    return write_pack(objects, KIND, arrays)


def read_leaves(objects: Objects, ref: ObjectRef, label: str = "") -> Leaves:
    """The leaves of a pack."""
    pack = Pack(objects, ref, KIND, label)
    leaves = Leaves(*(pack.array(n) for n in ("hashes", "kinds", "sequences", "counts")))
    if len(leaves.hashes) != len(leaves):
        raise Corruption(f"object {ref.name}: {len(leaves.hashes)} hashes, {len(leaves)} leaves")
    return leaves
