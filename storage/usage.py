"""Where the bytes of a database are: what sys.storage shows.

Every object is counted once: what branches share, with the branch that has the least id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hartonomous.storage.branches import Line
from hartonomous.storage.catalog import ModelEntry, TableEntry
from hartonomous.storage.frozen import frozen
from hartonomous.storage.models import readable_objects
from hartonomous.storage.objects import Objects
from hartonomous.storage.repository import Repository
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.table import TableState

if TYPE_CHECKING:
    from hartonomous.storage.database import Database


@frozen
class Usage:
    """Objects of one kind and owner. `rows` and `dead_rows` (not to be seen at the branch's newest
    commit, though maybe AS OF older ones) of segments and of rows in memory; `dead_since` is the
    commit at which the first of the dead died. `name` is a key's, an index's or a model's."""

    kind: str
    branch: str | None
    table: TableEntry | None
    name: str | None
    objects: int
    bytes: int
    rows: int | None = None
    dead_rows: int | None = None
    dead_since: int | None = None


class _Count:
    """Counts objects that were not counted before."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.sizes = {name: objects.size(name) for name in list(objects.names())}
        self._seen: set[str] = set()

    def of(self, names: Iterable[str]) -> tuple[int, int]:
        """How many are new and there, and their bytes."""
        fresh = {n for n in names if n not in self._seen and n in self.sizes}
        self._seen |= fresh
        return len(fresh), sum(self.sizes[n] for n in fresh)


def usage(database: Database) -> list[Usage]:
    """Rows for sys.storage, by branch and table."""
    count = _Count(database.object_store)
    with database.guard:
        out = list(_all(database, database.repository, count))
    return [u for u in out if u.objects or u.bytes]


def _all(database: Database, repository: Repository, count: _Count) -> Iterator[Usage]:
    for _, line in sorted(repository.lines.items()):
        for table_id, state in sorted(line.state.tables.items()):
            table = line.state.catalog.tables_by_id[table_id]
            yield from _table(line, table, state, count)
        for table_id, gone in sorted(line.dropped.items()):
            names = _segments(gone.state) | {ref.name for ref in line.packs.get(table_id, ())}
            yield Usage("dropped table", line.name, gone.entry, None, *count.of(names))
        for model in line.state.catalog.models():
            names = readable_objects(database.object_store, [model])
            yield Usage("model", line.name, None, model.name, *count.of(names))
    past = [e for e in repository.models() if isinstance(e, ModelEntry)]
    names = readable_objects(database.object_store, past)
    yield Usage("models of the past", None, None, None, *count.of(names))
    manifest = repository.manifest
    if manifest is not None:
        packs = [m.ref.name for m in manifest.commit_packs]
        commits = sum(m.rows for m in manifest.commit_packs)
        yield Usage("commits", None, None, None, *count.of(packs), rows=commits)
        yield Usage("catalogs", None, None, None, *count.of(manifest.catalog_packs))
    if database.manifest_name is not None:
        yield Usage("manifest", None, None, None, *count.of([database.manifest_name]))
    if database.wal is not None:
        yield Usage("log", None, None, None, 1, database.wal.file_bytes)
    yield Usage("other", None, None, None, *count.of(count.sizes))


def _table(line: Line, table: TableEntry, state: TableState, count: _Count) -> Iterator[Usage]:
    mapped = [c for c in state.chunks if c.rows.is_mapped]
    in_memory = [c for c in state.chunks if not c.rows.is_mapped]
    for kind, chunks in (("segments", mapped), ("rows in the log", in_memory)):
        dead = [c.deaths.prefix(state.sequence) for c in chunks]
        first = [int(c.deaths.sequences(0, 1)[0]) for c, n in zip(chunks, dead, strict=True) if n]
        objects = (len(chunks), sum(c.rows.bytes for c in chunks))
        if kind == "segments":
            objects = count.of(_segments(state))
        rows = sum(c.count for c in chunks)
        since = min(first, default=None)
        yield Usage(kind, line.name, table, None, *objects, rows, sum(dead), since)
    deaths = {c.stored_deaths[0].ref.name for c in mapped if c.stored_deaths is not None}
    yield Usage("deleted rows", line.name, table, None, *count.of(deaths))
    for key in table.keys:
        parts = [c.keys[key.id].stored for c in mapped if key.id in c.keys]
        parts += [c.indexes[key.id].stored for c in mapped if key.id in c.indexes]
        names = {ref.name for ref in parts if ref is not None}
        yield Usage("key", line.name, table, key.name, *count.of(names))
    for index in table.indexes:
        stored = [c.indexes[index.id].stored for c in mapped if index.id in c.indexes]
        names = {ref.name for ref in stored if ref is not None}
        yield Usage("index", line.name, table, index.name, *count.of(names))
    leaves = [ref.name for ref in line.packs.get(table.id, ())]
    yield Usage("leaves", line.name, table, None, *count.of(leaves))
    gone = [ref.name for ref in line.collected.get(table.id, ())]
    yield Usage("collected rows", line.name, table, None, *count.of(gone))


def _segments(state: TableState) -> set[str]:
    return {c.rows.meta.ref.name for c in state.chunks if isinstance(c.rows, SegmentRows)}
