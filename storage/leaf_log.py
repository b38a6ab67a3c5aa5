"""New leaves of Merkle logs, packed: in a WAL record, and in memory until the next checkpoint.

A leaf is 48 bytes: u64 sequence of the commit, u32 rows, u8 kind (leaves.py), three zeros,
32 bytes hash. A commit adds, per table it changed, its inserted rows in row-id order cut into runs
of at most 65,536, then one leaf for the ids it deleted. A row that the same commit inserted and
deleted was never true and is in no leaf.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from hartonomous.storage.frozen import frozen
from hartonomous.storage.leaves import Leaves

LEAF = np.dtype(
    [
        ("sequence", "<u8"),
        ("rows", "<u4"),
        ("kind", "u1"),
        ("zeros", "u1", 3),
        ("hash", "u1", 32),
    ]
)
LEAF_BYTES = LEAF.itemsize
_PACKED = struct.Struct("<QIB3x32s")
assert LEAF_BYTES == _PACKED.size == 48


@frozen
class NewLeaf:
    """A leaf of a commit that has no sequence yet."""

    kind: int
    rows: int
    hash: bytes


def pack_leaves(leaves: Sequence[NewLeaf], sequence: int) -> bytes:
    return b"".join([_PACKED.pack(sequence, x.rows, x.kind, x.hash) for x in leaves])


def unpack_leaves(data: bytes | bytearray) -> Leaves:
    """Packed leaves as columns."""
    rows = np.frombuffer(bytes(data), LEAF)
    return Leaves(
        np.ascontiguousarray(rows["hash"]),
        np.ascontiguousarray(rows["kind"]),
        rows["sequence"].astype(np.int64),
        rows["rows"].astype(np.int64),
    )


def hashes_of(data: bytes) -> list[bytes]:
    """The hashes of packed leaves, in order."""
    return [data[at + 16 : at + LEAF_BYTES] for at in range(0, len(data), LEAF_BYTES)]
