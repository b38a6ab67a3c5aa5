"""The commits of a repository, found by sequence, hash and time: packs first, then those since.

Both are in order of their sequences, which have no gaps, and so of their times. What is looked at
of packs stays mapped; a million commits are searched by hash in some milliseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.storage.commit import HASH_BYTES, Commit
from hartonomous.storage.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.storage.commit_pack import CommitPack
    from hartonomous.storage.objects import Objects
    from hartonomous.storage.segment import SegmentMeta

Int64 = npt.NDArray[np.int64]


@frozen
class CommitPlace:
    """A commit, and the branch on which it was made. Sequence 0 is the empty database."""

    sequence: int
    hash: bytes
    branch_id: int
    at_us: int


#: before the first commit
BEFORE_ALL = CommitPlace(0, b"", 0, 0)


class PackColumns:
    """Columns of a pack as NumPy arrays, read when first asked for."""

    def __init__(self, pack: CommitPack) -> None:
        self._pack = pack
        self._columns: dict[str, pa.Array] = {}
        self._sequences: Int64 | None = None

    @property
    def sequences(self) -> Int64:
        if self._sequences is None:
            self._sequences = self.column("sequence").to_numpy()
        return self._sequences

    def column(self, name: str) -> pa.Array:
        found = self._columns.get(name)
        if found is None:
            column = self._pack.table([name]).column(0)
            found = self._columns[name] = (
                column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
            )
        return found

    def times(self) -> Int64:
        times: Int64 = self.column("at").cast(pa.int64()).to_numpy()
        return times

    def branches(self) -> Int64:
        branches: Int64 = self.column("branch").to_numpy()
        return branches

    def hashes(self) -> npt.NDArray[np.uint8]:
        """uint8[commits, 32]."""
        column = self.column("hash")
        data = np.frombuffer(column.buffers()[1], np.uint8)
        start = column.offset * HASH_BYTES
        return data[start : start + len(column) * HASH_BYTES].reshape(-1, HASH_BYTES)

    def place(self, at: int) -> CommitPlace:
        return CommitPlace(
            int(self.sequences[at]),
            self.column("hash")[at].as_py(),
            self.column("branch")[at].as_py(),
            self.column("at")[at].value,
        )


class CommitLog:
    """`packs` and `recent` of one moment, with the hashes of the latter."""

    def __init__(
        self, packs: Sequence[PackColumns], recent: Sequence[Commit], hashes: Sequence[bytes]
    ) -> None:
        self._packs, self._recent, self._hashes = packs, recent, hashes

    def find(self, sequence: int) -> CommitPlace | None:
        """The commit of that sequence."""
        index = self._index(sequence)
        if index is not None:
            return self._place(index)
        found = self._packed(sequence)
        return None if found is None else found[0].place(found[1])

    def catalog_hash(self, sequence: int) -> bytes:
        """The hash of a commit's catalog; the commit is there."""
        index = self._index(sequence)
        if index is not None:
            return self._recent[index].catalog_hash
        found = self._packed(sequence)
        assert found is not None, sequence
        pack, at = found
        hashed: bytes = pack.column("catalog")[at].as_py()
        return hashed

    def _index(self, sequence: int) -> int | None:
        index = bisect_left(self._recent, sequence, key=lambda c: c.sequence)
        if index < len(self._recent) and self._recent[index].sequence == sequence:
            return index
        return None

    def _place(self, index: int) -> CommitPlace:
        commit = self._recent[index]
        return CommitPlace(commit.sequence, self._hashes[index], commit.branch, commit.at_us)

    def _packed(self, sequence: int) -> tuple[PackColumns, int] | None:
        for pack in reversed(self._packs):
            numbers = pack.sequences
            if numbers[0] <= sequence:
                at = int(np.searchsorted(numbers, sequence))
                return (pack, at) if at < len(numbers) and numbers[at] == sequence else None
        return None

    def with_prefix(self, prefix: str) -> list[CommitPlace]:
        """Commits whose hash begins with hex digits, in order."""
        prefix = prefix.lower()
        whole, half = bytes.fromhex(prefix[: len(prefix) & ~1]), prefix[-1:]
        wanted = np.frombuffer(whole, np.uint8)
        out = []
        for pack in self._packs:
            hashes = pack.hashes()
            found = np.arange(len(hashes))
            for column, byte in enumerate(wanted.tolist()):
                found = found[hashes[found, column] == byte]
            if len(prefix) % 2:
                found = found[hashes[found, len(whole)] >> 4 == int(half, 16)]
            out += [pack.place(int(at)) for at in found]
        for index, hashed in enumerate(self._hashes):
            if hashed.startswith(whole) and hashed.hex().startswith(prefix):
                out.append(self._place(index))
        return out

    def named(self, hashes: Collection[bytes]) -> dict[bytes, CommitPlace]:
        """The commits of these hashes, as far as they are there; one look at all hashes."""
        out = {}
        firsts = np.array([int.from_bytes(h[:8], "little") for h in hashes], np.uint64)
        for pack in self._packs if hashes else ():
            whole = np.ascontiguousarray(pack.hashes()[:, :8]).view("<u8")[:, 0]
            for at in np.flatnonzero(np.isin(whole, firsts)).tolist():
                place = pack.place(at)
                if place.hash in hashes:
                    out[place.hash] = place
        for index, hashed in enumerate(self._hashes):
            if hashed in hashes:
                out[hashed] = self._place(index)
        return out

    def last_at(self, at_us: int, limits: Mapping[int, int]) -> CommitPlace | None:
        """The last commit of a lineage (branches.limits_of) that was not made later."""
        for index in range(len(self._recent) - 1, -1, -1):
            commit = self._recent[index]
            if commit.at_us <= at_us and commit.sequence <= limits.get(commit.branch, -1):
                return self._place(index)
        for pack in reversed(self._packs):
            stop = int(np.searchsorted(pack.times(), at_us, "right"))
            found = np.flatnonzero(in_lineage(pack, limits)[:stop])
            if len(found):
                return pack.place(int(found[-1]))
        return None

    def first(self, limits: Mapping[int, int]) -> CommitPlace | None:
        """The first commit of a lineage."""
        for pack in self._packs:
            found = np.flatnonzero(in_lineage(pack, limits))
            if len(found):
                return pack.place(int(found[0]))
        for index, commit in enumerate(self._recent):
            if commit.sequence <= limits.get(commit.branch, -1):
                return self._place(index)
        return None

    def merges(self) -> Iterator[tuple[CommitPlace, tuple[bytes, ...]]]:
        """Commits with more than one parent, and all parents of each, in order."""
        for pack in self._packs:
            parents = pack.column("parents")
            ends = np.frombuffer(parents.buffers()[1], np.int32)
            ends = ends[parents.offset : parents.offset + len(parents) + 1]
            for at in np.flatnonzero(np.diff(ends) > HASH_BYTES).tolist():
                joined = parents[at].as_py()
                split = range(0, len(joined), HASH_BYTES)
                yield pack.place(at), tuple(joined[i : i + HASH_BYTES] for i in split)
        for index, commit in enumerate(self._recent):
            if len(commit.parents) > 1:
                yield self._place(index), commit.parents


def in_lineage(pack: PackColumns, limits: Mapping[int, int]) -> npt.NDArray[np.bool_]:
    """Which commits of a pack belong to a lineage."""
    branches, sequences = pack.branches(), pack.sequences
    out = np.zeros(len(sequences), np.bool_)
    for branch, limit in limits.items():
        out |= (branches == branch) & (sequences <= limit)
    return out


def pack_columns(
    objects: Objects, metas: Sequence[SegmentMeta], known: dict[str, PackColumns]
) -> list[PackColumns]:
    """The packs, opened at most once: `known` keeps them by object name."""
    from hartonomous.storage.commit_pack import CommitPack

    for meta in metas:
        if meta.ref.name not in known:
            known[meta.ref.name] = PackColumns(CommitPack(objects, meta))
    names = [meta.ref.name for meta in metas]
    for name in set(known) - set(names):
        del known[name]
    return [known[name] for name in names]
