"""Merkle trees over lists of 32-byte leaf hashes, hashed as RFC 6962 does.

leaf hash = SHA-256(0x00 ‖ data), node = SHA-256(0x01 ‖ left ‖ right), empty tree = SHA-256("").
The left subtree of n leaves holds the greatest power of two below n; equivalently each level
pairs neighbours and an odd last node moves up unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from hartonomous.storage.frozen import frozen

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


@frozen
class Log:
    """An append-only list of leaves, of which only the peaks are kept.

    `peaks` are the roots of the full subtrees from left to right: one for each 1 in the binary
    form of `size`. Values are immutable: appending gives a new Log.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> Log:
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> Log:
        """With more leaf hashes at the end."""
        size, peaks = self.size, list(self.peaks)
        sha = hashlib.sha256
        for node in leaves:
            count = size
            while count & 1:
                node = sha(b"\1" + peaks.pop() + node).digest()
                count >>= 1
            peaks.append(node)
            size += 1
        return Log(size, tuple(peaks))

    @property
    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        sha = hashlib.sha256
        for peak in self.peaks[-2::-1]:
            node = sha(b"\1" + peak + node).digest()
        return node

    def to_list(self) -> list[int | bytes]:
        """Plain values for msgpack: size and the peaks end to end."""
        return [self.size, b"".join(self.peaks)]

    @staticmethod
    def from_list(data: Sequence[int | bytes]) -> Log:
        size, joined = data
        assert isinstance(size, int) and isinstance(joined, bytes)
        peaks = [joined[i : i + HASH_BYTES] for i in range(0, len(joined), HASH_BYTES)]
        assert len(peaks) == size.bit_count()
        return Log(size, tuple(peaks))


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    return Log().extend(leaves).root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The sibling hashes from leaf `index` up to the root."""
    assert 0 <= index < len(leaves)
    proof: list[bytes] = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level = _parents(level)
        index >>= 1
    return proof


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether `leaf` (a leaf hash) stands at `index` of the `size` leaves under `root`."""
    if not 0 <= index < size:
        return False
    node, rest = leaf, list(proof)
    while size > 1:
        if index ^ 1 < size:
            if not rest:
                return False
            sibling = rest.pop(0)
            node = node_hash(sibling, node) if index & 1 else node_hash(node, sibling)
        index >>= 1
        size = (size + 1) >> 1
    return not rest and node == root


def _parents(level: list[bytes]) -> list[bytes]:
    pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + level[-1:] if len(level) % 2 else pairs


class Tree:
    """A tree whose leaves may be replaced, kept whole: O(log n) for each replacement.

    The commit's tree over the tables' logs is one, with a leaf for each table.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [list(leaves)]
        while len(self._levels[-1]) > 1:
            self._levels.append(_parents(self._levels[-1]))

    def __len__(self) -> int:
        return len(self._levels[0])

    def replace(self, index: int, leaf: bytes) -> None:
        """Put another leaf hash at `index`, which exists."""
        self._levels[0][index] = leaf
        for level in range(1, len(self._levels)):
            below, above = self._levels[level - 1], self._levels[level]
            left = index & ~1
            index >>= 1
            pair = below[left : left + 2]
            above[index] = node_hash(*pair) if len(pair) == 2 else pair[0]

    @property
    def root(self) -> bytes:
        return self._levels[-1][0] if self._levels[-1] else EMPTY_ROOT
