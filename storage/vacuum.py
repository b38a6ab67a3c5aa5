"""VACUUM, and what the keeper does in the background (keeper.py): rows, catalogs and tables go that
no commit since the horizon has, small segments and packs become large ones, objects that nobody
needs are removed.

The horizon is the oldest commit that AS OF can still show: the newest one of main that is older
than the setting `retention`, but not past the commit where a living branch began, as MERGE BRANCH
compares with it. It only rises. The long work, writing segments, is done beside queries and
commits; then a checkpoint puts everything in place at once (`Compaction`). Segments that two
branches share are left alone, since writing them again for one would only add to what is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.branches import MAIN, Line, ancestry
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.catalog_history import CatalogBase, CatalogHistory
from hartonomous.storage.checkpoint import store_parts
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.collected import concat, write_collected
from hartonomous.storage.compaction import Pace, Replacement, compact, no_pace, plan, replaced
from hartonomous.storage.frozen import frozen
from hartonomous.storage.joining import Joined, join_collected, join_commits, join_leaves, put_in
from hartonomous.storage.objects import Objects
from hartonomous.storage.repository import Repository
from hartonomous.storage.segment import SegmentMeta
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.settings import DEFAULTS, RETENTION, retention_us
from hartonomous.storage.state import DatabaseState

if TYPE_CHECKING:
    from hartonomous.storage.database import Database

_ALWAYS = 1 << 62


@frozen
class Figures:
    """What came of it; bytes are those of all objects. `held_by`: branches that keep the horizon
    from where the retention would have it."""

    horizon: int
    held_by: tuple[str, ...]
    rows_removed: int
    segments_before: int
    segments_after: int
    bytes_before: int
    bytes_after: int


@dataclass(slots=True)
class Compaction:
    """What a checkpoint is to put in the place of what, under the commit lock; what is not there
    any more as it was is left as it is. `rows` by branch and table."""

    horizon: int
    now: int
    rows: dict[tuple[int, int], list[Replacement]] = field(default_factory=dict)
    leaves: list[Joined[ObjectRef]] = field(default_factory=list)
    collected: list[Joined[ObjectRef]] = field(default_factory=list)
    commits: list[Joined[SegmentMeta]] = field(default_factory=list)
    rows_removed: int = 0

    def pays(self, lines: Iterable[Line]) -> bool:
        """Whether it is worth a checkpoint of its own."""
        gone = (d for line in lines for d in line.dropped.values() if d.sequence <= self.horizon)
        written = self.leaves or self.collected or self.commits or any(self.rows.values())
        return bool(written) or next(gone, None) is not None

    def object_names(self) -> Iterator[str]:
        """The packs that were written."""
        for joined in (*self.leaves, *self.collected):
            yield joined.after.name
        for commits in self.commits:
            yield commits.after.ref.name

    def put_in_place(self, repository: Repository, objects: Objects) -> None:
        """Under the commit lock, when the log is durable. A branch that was made of an older commit
        meanwhile needs all that would go: then nothing is done."""
        if horizon_cap(repository) < self.horizon:
            return
        repository.horizon = self.horizon
        for line in repository.lines.values():
            line.settled = None
            self._replace_rows(line, objects)
            line.packs = {i: put_in(refs, self.leaves) for i, refs in line.packs.items()}
            line.collected = {i: put_in(refs, self.collected) for i, refs in line.collected.items()}
            for table_id in [i for i, d in line.dropped.items() if d.sequence <= self.horizon]:
                for chunk in line.dropped.pop(table_id).state.chunks:
                    chunk.detach()
                line.packs = {i: refs for i, refs in line.packs.items() if i != table_id}
                line.collected = {i: refs for i, refs in line.collected.items() if i != table_id}
                line.leaves.pop(table_id, None)
        _forget_catalogs(repository, self.horizon)

    def _replace_rows(self, line: Line, objects: Objects) -> None:
        tables = dict(line.state.tables)
        for (branch, table_id), replacements in self.rows.items():
            state = tables.get(table_id)
            if branch != line.id or state is None:
                continue
            tables[table_id], done = replaced(state, replacements)
            for replacement in done:
                for chunk in replacement.before:
                    chunk.detach()
            lost = concat([r.collected for r in done])
            self.rows_removed += sum(int((~k).sum()) for r in done for k in r.kept)
            if lost.rows:
                known = line.collected.get(table_id, ())
                packs = {table_id: (*known, write_collected(objects, lost))}
                line.collected = {**line.collected, **packs}
        before = line.state
        line.state = DatabaseState(
            before.sequence,
            before.catalog,
            tables,
            before.commit_hash,
            before.at_us,
            before.catalog_hash,
        )


def _forget_catalogs(repository: Repository, horizon: int) -> None:
    """Let the past of catalogs begin at the horizon, where all living branches are still main."""
    known = repository.catalogs
    if not any(delta.sequence <= horizon for delta in known.deltas()):
        return
    place = repository.place_on(repository.main.id, horizon)
    entries = repository.catalog_at(place).entries.values()
    base = CatalogBase(horizon, tuple(sorted(entries, key=lambda e: e.id)))
    history = CatalogHistory(known.objects, base)
    history.recent = [delta for delta in known.deltas() if delta.sequence > horizon]
    repository.catalogs = history


def horizon_cap(repository: Repository) -> int:
    """Where the oldest living branch left main."""
    return min(_left_main(repository, line) for line in repository.lines.values())


def _left_main(repository: Repository, line: Line) -> int:
    """The commit of main up to which a branch's lineage is that of main."""
    origins = [repository.origins[i] for i in ancestry(repository.origins, line.id)]
    return min((o.fork for o in origins if o.parent is not None), default=_ALWAYS)


def next_horizon(repository: Repository, now_us: int) -> int:
    """The horizon by the retention, as far as branches let it."""
    old = _retained(repository, now_us)
    return max(repository.horizon, min(old, horizon_cap(repository)))


def horizon_holders(repository: Repository, now_us: int) -> tuple[str, ...]:
    """The branches, by name, without which the horizon would be a later commit."""
    cap = horizon_cap(repository)
    if cap >= _retained(repository, now_us):
        return ()
    lines = repository.lines.values()
    return tuple(sorted(line.name for line in lines if _left_main(repository, line) == cap))


def _retained(repository: Repository, now_us: int) -> int:
    """The horizon that the retention alone would give. In memory nothing is retained unless that
    was asked for."""
    default = DEFAULTS[RETENTION] if repository.objects is not None else "0 seconds"
    retention = retention_us(repository.settings.get(RETENTION, default))
    place = repository.commits().last_at(now_us - retention, {MAIN: _ALWAYS})
    return 0 if place is None else place.sequence


def vacuum(
    database: Database,
    table_id: int | None = None,
    branch: str | None = None,
    *,
    thorough: bool = True,
    pace: Pace = no_pace,
) -> Figures:
    """Of one table of a branch, or of all. `thorough`: all that makes the database smaller, not
    only what pays. Raises DiskFault, Corruption, and what `pace` raises; then nothing changed."""
    path = database.commits_path
    if thorough and database.wal is not None:
        database.checkpoint()
    with path.lock:
        repository = path.repository
        now_us = database.clock.now_us()
        compaction = Compaction(next_horizon(repository, now_us), repository.sequence)
        held_by = horizon_holders(repository, now_us)
        lines = [(line, line.state) for line in repository.lines.values()]
        packs = () if repository.manifest is None else repository.manifest.commit_packs
        users = _users(repository.lines.values())
    before = _measure(database)
    made: list[str] = []
    try:
        with database.garbage.writing(made):
            for line, state in lines:
                if branch in (None, line.name):
                    for table in _tables(state, table_id):
                        groups = plan(
                            state.table(table.id).chunks,
                            compaction.horizon,
                            is_free=lambda chunk: _is_free(database, chunk, users),
                            thorough=thorough,
                        )
                        compaction.rows[line.id, table.id] = [
                            _compact(database, compaction, table, group, made, pace)
                            for group in groups
                        ]
            if table_id is None and database.objects is not None:
                _join(database.objects, compaction, [line for line, _ in lines], packs, thorough)
                made += compaction.object_names()
        if thorough or compaction.pays(line for line, _ in lines):
            _put_in_place(database, compaction)
    finally:
        database.garbage.release(made)
    after = _measure(database)
    return Figures(
        horizon=compaction.horizon,
        held_by=held_by,
        rows_removed=compaction.rows_removed,
        segments_before=before[0],
        segments_after=after[0],
        bytes_before=before[1],
        bytes_after=after[1],
    )


def _tables(state: DatabaseState, table_id: int | None) -> list[TableEntry]:
    tables = state.catalog.tables_by_id
    return [tables[i] for i in sorted(state.tables) if table_id in (None, i)]


def _users(lines: Iterable[Line]) -> Counter[str]:
    """How many branches, and dropped tables that can still be seen, use a segment."""
    states = [t for line in lines for t in line.state.tables.values()]
    states += [d.state for line in lines for d in line.dropped.values()]
    chunks = [c for state in states for c in state.chunks]
    return Counter(c.rows.meta.ref.name for c in chunks if isinstance(c.rows, SegmentRows))


def _is_free(database: Database, chunk: Chunk, users: Counter[str]) -> bool:
    if isinstance(chunk.rows, SegmentRows):
        return users[chunk.rows.meta.ref.name] == 1
    return database.wal is None  # what is in the log goes into segments first


def _compact(
    database: Database,
    compaction: Compaction,
    table: TableEntry,
    group: tuple[Chunk, ...],
    made: list[str],
    pace: Pace,
) -> Replacement:
    """The group as one chunk, with its keys and indexes, their names in `made`."""
    objects = database.objects
    done = compact(objects, table, group, compaction.horizon, compaction.now, pace)
    if done.after is not None and objects is not None:
        assert isinstance(done.after.rows, SegmentRows)
        made.append(done.after.rows.meta.ref.name)
        parts = store_parts(objects, table, done.after)
        made += [part.index.ref.name for part in parts if part.index is not None]
        pace()
    return done


def _join(
    objects: Objects,
    compaction: Compaction,
    lines: list[Line],
    packs: tuple[SegmentMeta, ...],
    thorough: bool,
) -> None:
    compaction.commits += join_commits(objects, packs, thorough=thorough)
    leaves = dict.fromkeys(refs for line in lines for refs in line.packs.values())
    for refs in leaves:
        compaction.leaves += join_leaves(objects, refs, thorough=thorough)
    gone = dict.fromkeys(refs for line in lines for refs in line.collected.values())
    for refs in gone:
        compaction.collected += join_collected(objects, refs, thorough=thorough)


def _put_in_place(database: Database, compaction: Compaction) -> None:
    if database.wal is not None:
        database.checkpoint(compaction)
        return
    path = database.commits_path
    with path.lock:
        compaction.put_in_place(path.repository, database.object_store)
        for line in path.repository.lines.values():
            database.publish(line, line.state)


def _measure(database: Database) -> tuple[int, int]:
    """Segments of all branches and tables, and bytes of all objects (in memory: of all rows)."""
    with database.commits_path.lock:
        lines = list(database.commits_path.repository.lines.values())
        states = [state for line in lines for state in line.state.tables.values()]
    segments = {id(c.rows): c.rows.bytes for state in states for c in state.chunks}
    if database.objects is None:
        return len(segments), sum(segments.values())
    objects = database.objects
    return len(segments), sum(objects.size(name) for name in list(objects.names()))
