"""VERIFY DATABASE: everything hashed again, from the bytes on disk up to the chain of commits.

    objects   SHA-256 of every object, against its name
    blocks    of segments and packs, when they are read below
    log       every frame's checksums, by reading it to its end
    leaves    from the rows: those born in a commit, in row-id order, cut where the leaves say
    roots     of every table's log at every commit that changed it, and over all tables
    commits   each one's hash, and that it names its predecessor
    indexes   every part that was built (storage/access), against the rows it is over

Damage is reported, not raised: each problem says what, where, what was expected and found.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hartonomous.storage.access.parts import as_index, indexed_rows
from hartonomous.storage.branches import MAIN, Line, Origin
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.collected import read_collected
from hartonomous.storage.commit import Commit, TableRoots, parents_of
from hartonomous.storage.commit_pack import CommitPack
from hartonomous.storage.errors import Corruption, Error
from hartonomous.storage.frozen import frozen
from hartonomous.storage.leaf_log import unpack_leaves
from hartonomous.storage.leaves import Leaves, read_leaves
from hartonomous.storage.leaves import concat as concat_leaves
from hartonomous.storage.manifest import Manifest, object_names, read_head, read_manifest
from hartonomous.storage.merkle import Log
from hartonomous.storage.models import labels_of
from hartonomous.storage.objects import Objects
from hartonomous.storage.state import Snapshot
from hartonomous.storage.table import TableState
from hartonomous.storage.verify_rows import Problem, RowsOfLeaves
from hartonomous.storage.wal_frames import read_frames

if TYPE_CHECKING:
    from hartonomous.storage.database import Database

Progress = Callable[[int, float | None], None]


@frozen
class Evidence:
    """What VERIFY starts from, all of one moment. `lines`: copies of the living branches."""

    lines: list[Line]
    origins: Mapping[int, Origin]
    manifest: Manifest | None
    recent: list[Commit]


def evidence(database: Database) -> Evidence:
    """The database as it is; what was committed is durable."""
    with database.guard:
        if database.wal is not None:
            database.wal.sync(database.wal.end)
        repository = database.repository
        lines = [
            replace(line, leaves={i: bytearray(b) for i, b in line.leaves.items()})
            for line in repository.lines.values()
        ]
        return Evidence(lines, repository.origins, repository.manifest, list(repository.recent))


def verify(
    database: Database, progress: Progress | None = None, notes: list[str] | None = None
) -> list[Problem]:
    """Every problem of the published states and of the files under them. `notes` gets a line if
    there are leaves of which rows were collected: these cannot be hashed again."""
    evident = evidence(database)
    with database.garbage.holding(_packs(evident)):
        return _verify(database, evident, progress, notes)


def _packs(evident: Evidence) -> set[str]:
    """What only the branches know to be needed, and compaction may replace meanwhile."""
    refs = [
        r for x in evident.lines for m in (x.packs, x.collected) for rs in m.values() for r in rs
    ]
    commits = () if evident.manifest is None else evident.manifest.commit_packs
    return {*(ref.name for ref in refs), *(pack.ref.name for pack in commits)}


def _verify(
    database: Database, evident: Evidence, progress: Progress | None, notes: list[str] | None
) -> list[Problem]:
    problems: list[Problem] = []
    held = [Snapshot(line.state) for line in evident.lines]
    for snapshot in held:
        database.garbage.watch(snapshot)
    if database.objects is not None and database.folder is not None:
        problems += _files(database, database.objects, _labels(database.objects, evident.lines))
    packed, faults = _packed_commits(database.objects, evident.manifest)
    problems += faults
    everything = [*packed, *evident.recent]
    problems += _chain(everything, evident)
    roots, faults = _recorded_roots(everything, evident.origins)
    problems += faults
    tables = [(line, *table) for line in evident.lines for table in _tables(line)]
    collected = 0
    distinct = {_likeness(t): t for _, _, t in tables}
    done, total = 0, sum(c.count for t in distinct.values() for c in t.chunks)
    for line, entry, table in tables:
        where = f'table "{entry.name}"'
        where += f' of branch "{line.name}"' if line.id != MAIN else ""
        try:
            log = _table_leaves(database, line, entry)
            problems += _log(where, table, log, roots.get(line.id, {}).get(entry.id, []))
            if distinct.pop(_likeness(table), None) is None:
                continue  # another branch has the same rows, and they were looked at
            lost = read_collected(database.object_store, line.collected.get(entry.id, ()), where)
            rows = RowsOfLeaves(where, entry, table, lost)
            for count, problem in rows.check(log):
                done += count
                problems += [problem] if problem is not None else []
                if progress is not None:
                    progress(done, done / total if total else None)
            collected += rows.collected
            problems += _indexes(where, entry, table)
        except Error as fault:
            problems.append(Problem("object", where, "readable", fault.message))
    if notes is not None and collected:
        leaves = "1 leaf" if collected == 1 else f"{collected} leaves"
        notes.append(f"{leaves}: rows that were dead were collected, not altered")
    return list(dict.fromkeys(problems))


def _tables(line: Line) -> Iterator[tuple[TableEntry, TableState]]:
    """The tables of a branch, those too that only older commits have."""
    for table_id, table in line.state.tables.items():
        yield line.state.catalog.tables_by_id[table_id], table
    for gone in line.dropped.values():
        yield gone.entry, gone.state


def _likeness(table: TableState) -> tuple[object, ...]:
    """Equal for tables of branches that have the same rows, the dead ones too, and leaves."""
    chunks = [(id(c.rows), _digest(c)) for c in table.chunks]
    return table.id, table.sequence, table.log.size, table.log.root, *chunks


def _digest(chunk: Chunk) -> bytes:
    deaths, count = chunk.deaths, chunk.deaths.count
    digest = hashlib.sha256(deaths.sequences(0, count).tobytes())
    digest.update(deaths.offsets(0, count).tobytes())
    return digest.digest()


def _table_leaves(database: Database, line: Line, entry: TableEntry) -> Leaves:
    parts = [unpack_leaves(line.leaves.get(entry.id, b""))]
    if database.objects is not None:
        label = f'table "{entry.name}"'
        parts[:0] = [read_leaves(database.objects, r, label) for r in line.packs.get(entry.id, ())]
    return concat_leaves(parts)


def _files(database: Database, objects: Objects, labels: dict[str, str]) -> list[Problem]:
    """Objects and log against their checksums. A writer elsewhere may checkpoint meanwhile and
    remove a log file: then what was found is not a problem, and all is looked at again."""
    folder = database.folder
    assert folder is not None
    while True:
        problems = []
        try:
            name = read_head(folder.disk, folder.head)
            manifest = read_manifest(objects, name)
            names = object_names(objects, name)
        except Error as fault:
            return [Problem("head", str(folder.head), "a whole manifest", fault.message)]
        for object_name in sorted({*objects.names(), *names, *labels}):
            try:
                objects.verify(object_name)
            except Error as fault:
                is_needed = object_name in names or object_name in labels
                if not is_needed and not objects.exists(object_name):
                    continue  # nobody needs it, and it was removed just now
                where = labels.get(object_name, object_name)
                problems.append(Problem("object", where, object_name, fault.message))
        try:
            folder.check_log(manifest)
            for _ in read_frames(folder.disk, folder.wal, manifest.wal_start):
                pass
        except Error as fault:
            problems.append(Problem("log", str(folder.wal), "whole frames", fault.message))
        if not problems or read_head(folder.disk, folder.head) == name:
            return problems


def _labels(objects: Objects, lines: Iterable[Line]) -> dict[str, str]:
    """What objects of models are, by name."""
    labels: dict[str, str] = {}
    for model in (m for line in lines for m in line.state.catalog.models()):
        for version in model.versions:
            named = {version.manifest: "manifest"}
            with contextlib.suppress(Corruption):  # found again where all objects are verified
                named = labels_of(objects, version.manifest)
            for name, label in named.items():
                labels.setdefault(name, f'{name} ({label} of model "{model.name}")')
    return labels


def _packed_commits(
    objects: Objects | None, manifest: Manifest | None
) -> tuple[list[Commit], list[Problem]]:
    commits: list[Commit] = []
    problems = []
    if objects is not None and manifest is not None:
        for meta in manifest.commit_packs:
            try:
                commits += CommitPack(objects, meta).commits()
            except Error as fault:
                problems.append(Problem("commit", meta.ref.name, "whole commits", fault.message))
    return commits, problems


def _chain(commits: list[Commit], evident: Evidence) -> Iterator[Problem]:
    """Sequences have no gaps, times do not go back, and each commit names its branch's last."""
    hashes = [b""]
    last: dict[int, int] = {MAIN: 0}
    at_us = 0
    for sequence, commit in enumerate(commits, 1):
        where = f"commit {commit.sequence}"
        origin = evident.origins.get(commit.branch)
        previous = last.get(commit.branch, origin.fork if origin is not None else 0)
        parent = hashes[previous] if previous < len(hashes) else b""
        parents = parents_of(parent, commit.parents[1:])
        if commit.sequence != sequence or commit.parents != parents or origin is None:
            found = b"".join(commit.parents).hex() or "none"
            yield Problem("commit", where, f"parent {parent.hex() or 'none'}", found)
        if commit.at_us < at_us:
            yield Problem("commit", where, f"at or after {at_us}", str(commit.at_us))
        hashes.append(commit.hash)
        last[commit.branch], at_us = sequence, commit.at_us
    for line in evident.lines:
        state = line.state
        recorded = hashes[state.sequence] if state.sequence < len(hashes) else b""
        if recorded != state.commit_hash or last.get(line.id, line.origin.fork) != state.sequence:
            where = f"commit {state.sequence}"
            yield Problem("commit", where, state.commit_hash.hex(), recorded.hex())


#: per table (sequence, size, root) of its log at each commit that changed it
Roots = dict[int, list[tuple[int, int, bytes]]]


def _recorded_roots(
    commits: list[Commit], origins: Mapping[int, Origin]
) -> tuple[dict[int, Roots], list[Problem]]:
    """The roots of each branch, and commits whose root over all tables is another."""
    out: dict[int, Roots] = {MAIN: {}}
    trees = {MAIN: TableRoots()}
    forks: dict[int, list[Origin]] = {}
    for origin in origins.values():
        if origin.parent is not None:
            forks.setdefault(origin.fork, []).append(origin)
    problems = []

    def fork_at(sequence: int) -> None:
        """A branch begins with what its parent has just then."""
        for origin in forks.pop(sequence, ()):
            assert origin.parent is not None
            out[origin.id] = {i: list(r) for i, r in out.get(origin.parent, {}).items()}
            trees[origin.id] = trees.get(origin.parent, TableRoots()).copy()

    fork_at(0)
    for commit in commits:
        tree = trees.setdefault(commit.branch, TableRoots())
        roots = out.setdefault(commit.branch, {})
        for table_id, state in commit.tables.items():
            if state is not None:
                roots.setdefault(table_id, []).append((commit.sequence, *state))
        found = tree.apply(commit.tables)
        if found != commit.root:
            where = f"commit {commit.sequence}"
            problems.append(Problem("root", where, commit.root.hex(), found.hex()))
        fork_at(commit.sequence)
    return out, problems


def _log(
    where: str, table: TableState, leaves: Leaves, roots: list[tuple[int, int, bytes]]
) -> Iterator[Problem]:
    hashes = leaves.hash_list()
    log = Log()
    for sequence, size, root in roots:
        log = log.extend(hashes[log.size : size])
        if (log.size, log.root) != (size, root):
            yield Problem("root", f"{where}, commit {sequence}", root.hex(), log.root.hex())
            return
    if log != table.log or log.size != len(hashes):
        yield Problem("root", where, f"{len(hashes)} leaves", f"{table.log.size} leaves")


def _indexes(table_where: str, entry: TableEntry, table: TableState) -> Iterator[Problem]:
    for index in (*entry.indexes, *map(as_index, entry.keys)):
        where = f'{table_where}, index "{index.name}"'
        for chunk in table.chunks:
            part = chunk.indexes.get(index.id)
            if part is None or not part.serves(index):
                continue
            try:
                fault = part.fault(indexed_rows(entry, index, chunk))
            except Error as damage:
                yield Problem("index", where, "readable", damage.message)
                continue
            if fault is not None:
                yield Problem("index", where, "what its rows give", fault)
