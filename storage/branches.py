"""Branches: the heads of a database, and how they hang together.

A branch is a state of its own over rows that it shares: where it was made, every chunk was forked
(chunk.py), which copies nothing but what says who died. Sequences are the database's, so commits of
all branches interleave; on a branch they have gaps. `main` is branch 0 and is always there.

    main     1 ── 2 ── 5 ── 6          Origin(0, "main", None, 0)
                  └─ 3 ── 4            Origin(1, "b", 0, fork=2)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.catalog import TableEntry, fold
from hartonomous.storage.commit import TableRoots
from hartonomous.storage.errors import NotFound
from hartonomous.storage.frozen import frozen
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.table import TableState

if TYPE_CHECKING:
    from hartonomous.storage.manifest import DroppedManifest, TableManifest

MAIN: Final = 0
MAIN_NAME: Final = "main"


@frozen
class Branch:
    """A branch as users see it: where it began and its last commit."""

    id: int
    name: str
    parent: int | None
    fork: int
    sequence: int
    commit: bytes


@frozen
class Tag:
    """A name for a commit."""

    name: str
    sequence: int
    commit: bytes


@frozen
class Origin:
    """Where a branch began: after commit `fork`, which is one of branch `parent` itself. Kept after
    the branch was dropped, since later branches may hang on it."""

    id: int
    name: str
    parent: int | None
    fork: int


MAIN_ORIGIN: Final = Origin(MAIN, MAIN_NAME, None, 0)


@frozen
class DroppedTable:
    """A table that commit `sequence` dropped, as it was before."""

    sequence: int
    entry: TableEntry
    state: TableState


@frozen
class SettledLine:
    """A branch of which everything lies in objects, and where."""

    state: DatabaseState
    tables: Mapping[int, TableManifest]
    gone: Mapping[int, DroppedTable]
    dropped: tuple[DroppedManifest, ...]


@dataclass(slots=True)
class Line:
    """A branch at work. `state` is its newest state, maybe not durable yet, `published` the newest
    that is; `leaves` (packed, by table) are those since the last checkpoint, `packs` the older
    ones, `collected` packs of what compaction removed (collected.py); `dropped` are tables that
    older commits still have."""

    origin: Origin
    state: DatabaseState
    published: DatabaseState
    roots: TableRoots
    leaves: dict[int, bytearray] = field(default_factory=dict)
    packs: Mapping[int, tuple[ObjectRef, ...]] = field(default_factory=dict)
    dropped: dict[int, DroppedTable] = field(default_factory=dict)
    settled: SettledLine | None = None
    collected: Mapping[int, tuple[ObjectRef, ...]] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return self.origin.id

    @property
    def name(self) -> str:
        return self.origin.name

    def all_tables(self) -> Iterator[TableState]:
        """The newest state's, and those that only older commits have."""
        yield from self.state.tables.values()
        yield from (gone.state for gone in self.dropped.values())

    def to_branch(self) -> Branch:
        origin, state = self.origin, self.published
        return Branch(
            origin.id, origin.name, origin.parent, origin.fork, state.sequence, state.commit_hash
        )

    def publish(self, state: DatabaseState) -> None:
        """Let new snapshots see a state, unless they see a later one already."""
        if state.sequence >= self.published.sequence:
            self.published = state

    def settle(self, settled: SettledLine) -> None:
        """After a checkpoint: the same state over objects."""
        self.settled, self.state, self.dropped = settled, settled.state, dict(settled.gone)
        self.packs = {i: table.leaves for i, table in settled.tables.items()}
        self.packs |= {d.entry.id: d.table.leaves for d in settled.dropped}
        self.collected = {i: table.collected for i, table in settled.tables.items()}
        self.collected |= {d.entry.id: d.table.collected for d in settled.dropped}
        self.leaves.clear()


def roots_of(state: DatabaseState) -> TableRoots:
    """The tree over the logs of a state's tables."""
    logs = {i: t.log for i, t in state.tables.items() if t.log.size}
    return TableRoots({i: (log.size, log.root) for i, log in logs.items()})


def find_line(lines: Iterable[Line], name: str) -> Line | None:
    folded = fold(name)
    return next((line for line in lines if fold(line.name) == folded), None)


def get_line(lines: Iterable[Line], name: str) -> Line:
    """The branch of that name; raises NotFound."""
    found = find_line(lines, name)
    if found is None:
        raise NotFound(f'branch "{name}" does not exist', hint="SHOW BRANCHES lists them")
    return found


def limits_of(origins: Mapping[int, Origin], branch: int, sequence: int) -> dict[int, int]:
    """The lineage of commit `sequence` as `branch` sees it, by first parents: branch id -> the
    last sequence on it that belongs to the lineage."""
    out: dict[int, int] = {}
    at: int | None = branch
    while at is not None:
        origin = origins[at]
        if origin.parent is None or sequence > origin.fork:
            out[at] = sequence
        sequence = min(sequence, origin.fork)
        at = origin.parent
    return out


def owner_of(origins: Mapping[int, Origin], branch: int, sequence: int) -> int:
    """The branch on which a commit of `branch`'s lineage was made."""
    origin = origins[branch]
    while origin.parent is not None and sequence <= origin.fork:
        origin = origins[origin.parent]
    return origin.id


def ancestry(origins: Mapping[int, Origin], branch: int) -> Iterator[int]:
    """The branch, its parent, and so on up to main."""
    at: int | None = branch
    while at is not None:
        yield at
        at = origins[at].parent
