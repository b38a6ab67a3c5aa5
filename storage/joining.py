"""Packs of commits, of leaves and of collected rows, joined: few large ones in place of many small.

Every checkpoint adds a pack to such a list. `joined` writes neighbours as one; a list is changed by
`put_in`, which looks for them, so a list that grew meanwhile keeps what it grew by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from hartonomous.storage import collected, leaves
from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.commit_pack import CommitPack, write_commits
from hartonomous.storage.frozen import frozen
from hartonomous.storage.objects import Objects
from hartonomous.storage.segment import SEGMENT_ROWS, SegmentMeta

Item = TypeVar("Item")

#: packs of one size that are joined, so that a list is of logarithmic length
FAN: Final = 8
#: bytes of the packs that are joined; a larger pack stays as it is
BYTES_MAX: Final = 64 << 20


@frozen
class Joined(Generic[Item]):
    """Neighbours in a list, and the one that takes their place."""

    before: tuple[Item, ...]
    after: Item


def put_in(items: Sequence[Item], joined: Sequence[Joined[Item]]) -> tuple[Item, ...]:
    """The list with each of `joined` whose neighbours are in it."""
    out = list(items)
    for one in joined:
        first = out.index(one.before[0]) if one.before[0] in out else len(out)
        stop = first + len(one.before)
        if tuple(out[first:stop]) == one.before:
            out[first:stop] = [one.after]
    return tuple(out)


def runs(sizes: Sequence[int], size_max: int, *, thorough: bool = False) -> list[tuple[int, int]]:
    """Which neighbours [start, stop) to join, by their sizes: all that fit together if `thorough`,
    else those at the end of which FAN or more are of about one size or smaller."""
    if not thorough:
        start = len(sizes)
        level = sizes[-1].bit_length() // 3 if sizes else 0
        while (
            start > 0
            and sizes[start - 1] < size_max
            and sizes[start - 1].bit_length() // 3 <= (level)
        ):
            start -= 1
        if len(sizes) - start < FAN:
            return []
        return [(start + a, start + b) for a, b in runs(sizes[start:], size_max, thorough=True)]
    out = []
    start = total = 0
    for place, size in enumerate(sizes):
        if total + size > size_max:
            if place - start > 1:
                out.append((start, place))
            start, total = place, 0
        total += size
    if len(sizes) - start > 1:
        out.append((start, len(sizes)))
    return out


def join(
    items: Sequence[Item],
    sizes: Sequence[int],
    size_max: int,
    write: Callable[[Sequence[Item]], Item],
    *,
    thorough: bool = False,
) -> list[Joined[Item]]:
    """Write what `runs` says."""
    return [
        Joined(tuple(items[a:b]), write(items[a:b]))
        for a, b in runs(sizes, size_max, thorough=thorough)
    ]


def join_commits(
    objects: Objects, packs: Sequence[SegmentMeta], *, thorough: bool = False
) -> list[Joined[SegmentMeta]]:
    """Packs of commits, in segments of at most SEGMENT_ROWS commits."""

    def write(some: Sequence[SegmentMeta]) -> SegmentMeta:
        batches = [b for pack in some for b in CommitPack(objects, pack).table().to_batches()]
        (written,) = write_commits(objects, batches)
        return written

    sizes = [pack.rows for pack in packs]
    return join(packs, sizes, SEGMENT_ROWS, write, thorough=thorough)


def join_leaves(
    objects: Objects, packs: Sequence[ObjectRef], *, thorough: bool = False
) -> list[Joined[ObjectRef]]:
    """Packs of a table's leaves."""

    def write(some: Sequence[ObjectRef]) -> ObjectRef:
        parts = [leaves.read_leaves(objects, ref) for ref in some]
        return leaves.write_leaves(objects, leaves.concat(parts))

    return join(packs, [ref.bytes for ref in packs], BYTES_MAX, write, thorough=thorough)


def join_collected(
    objects: Objects, packs: Sequence[ObjectRef], *, thorough: bool = False
) -> list[Joined[ObjectRef]]:
    """Packs of what a table lost."""

    def write(some: Sequence[ObjectRef]) -> ObjectRef:
        return collected.write_collected(objects, collected.read_collected(objects, some))

    return join(packs, [ref.bytes for ref in packs], BYTES_MAX, write, thorough=thorough)
