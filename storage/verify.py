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
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from hartonomous.storage.access.parts import indexed_rows
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import Int64, concat
from hartonomous.storage.commit import Commit, TableRoots
from hartonomous.storage.commit_pack import CommitPack
from hartonomous.storage.encoding import deletion_leaf_hash
from hartonomous.storage.errors import Corruption, Error
from hartonomous.storage.frozen import frozen
from hartonomous.storage.leaf_log import unpack_leaves
from hartonomous.storage.leaves import DELETED, Leaves, read_leaves
from hartonomous.storage.leaves import concat as concat_leaves
from hartonomous.storage.manifest import Manifest, object_names, read_head, read_manifest
from hartonomous.storage.merkle import Log
from hartonomous.storage.models import labels_of
from hartonomous.storage.objects import Objects
from hartonomous.storage.prepare import run_leaf
from hartonomous.storage.shape import shape_holding, shape_of
from hartonomous.storage.state import DatabaseState, Snapshot
from hartonomous.storage.table import TableState
from hartonomous.storage.wal_frames import read_frames

if TYPE_CHECKING:
    from hartonomous.storage.database import Database

Progress = Callable[[int, float | None], None]


@frozen
class Problem:
    """One disagreement. `what`: object, log, leaf, root, commit, index or head."""

    what: str
    where: str
    expected: str
    found: str


def verify(database: Database, progress: Progress | None = None) -> list[Problem]:
    """Every problem of the published state and of the files under it."""
    state, manifest, commits, leaves = database.evidence()
    problems: list[Problem] = []
    if database.objects is not None and database.folder is not None:
        held = Snapshot(state)
        database.garbage.watch(held)
        problems += _files(database, database.objects, _labels(database.objects, state))
    packed, faults = _packed_commits(database.objects, manifest)
    problems += faults
    everything = [*packed, *(c for c in commits if c.sequence <= state.sequence)]
    problems += _chain(everything, state)
    roots, faults = _recorded_roots(everything)
    problems += faults
    done, total = 0, sum(c.count for t in state.tables.values() for c in t.chunks)
    for table_id, table in state.tables.items():
        entry = state.catalog.tables_by_id[table_id]
        stored = manifest.tables.get(table_id) if manifest is not None else None
        parts = [unpack_leaves(leaves.get(table_id, b""))]
        try:
            if stored is not None and database.objects is not None:
                label = f'table "{entry.name}"'
                parts[:0] = [read_leaves(database.objects, r, label) for r in stored.leaves]
            log = concat_leaves(parts)
            problems += _log(entry, table, log, roots.get(table_id, []))
            for count, problem in _Rows(entry, table).check(log):
                done += count
                problems += [problem] if problem is not None else []
                if progress is not None:
                    progress(done, done / total if total else None)
            problems += _indexes(entry, table)
        except Error as fault:
            problems.append(Problem("object", f'table "{entry.name}"', "readable", fault.message))
    return list(dict.fromkeys(problems))


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


def _labels(objects: Objects, state: DatabaseState) -> dict[str, str]:
    """What objects of models are, by name."""
    labels: dict[str, str] = {}
    for model in state.catalog.models():
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


def _chain(commits: list[Commit], state: DatabaseState) -> Iterator[Problem]:
    previous, sequence, at_us = b"", 0, 0
    for commit in commits:
        where = f"commit {commit.sequence}"
        parents = (previous,) if previous else ()
        if commit.sequence != sequence + 1 or commit.parents != parents:
            found = b"".join(commit.parents).hex() or "none"
            yield Problem("commit", where, f"parent {previous.hex() or 'none'}", found)
        if commit.at_us < at_us:
            yield Problem("commit", where, f"at or after {at_us}", str(commit.at_us))
        previous, sequence, at_us = commit.hash, commit.sequence, commit.at_us
    if previous != state.commit_hash or sequence != state.sequence:
        where = f"commit {state.sequence}"
        yield Problem("commit", where, state.commit_hash.hex(), previous.hex())


def _recorded_roots(
    commits: list[Commit],
) -> tuple[dict[int, list[tuple[int, int, bytes]]], list[Problem]]:
    """Per table (sequence, size, root) of its log at each commit; and commits whose root over
    all tables is another."""
    out: dict[int, list[tuple[int, int, bytes]]] = {}
    problems = []
    tables = TableRoots()
    for commit in commits:
        for table_id, state in commit.tables.items():
            if state is None:
                out.pop(table_id, None)
            else:
                out.setdefault(table_id, []).append((commit.sequence, *state))
        found = tables.apply(commit.tables)
        if found != commit.root:
            where = f"commit {commit.sequence}"
            problems.append(Problem("root", where, commit.root.hex(), found.hex()))
    return out, problems


def _log(
    entry: TableEntry, table: TableState, leaves: Leaves, roots: list[tuple[int, int, bytes]]
) -> Iterator[Problem]:
    hashes = leaves.hash_list()
    log = Log()
    for sequence, size, root in roots:
        log = log.extend(hashes[log.size : size])
        if (log.size, log.root) != (size, root):
            where = f'table "{entry.name}", commit {sequence}'
            yield Problem("root", where, root.hex(), log.root.hex())
            return
    if log != table.log or log.size != len(hashes):
        where = f'table "{entry.name}"'
        yield Problem("root", where, f"{len(hashes)} leaves", f"{table.log.size} leaves")


def _indexes(entry: TableEntry, table: TableState) -> Iterator[Problem]:
    for index in entry.indexes:
        where = f'table "{entry.name}", index "{index.name}"'
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


class _Rows:
    """All versions of a table's rows, ordered by birth and id, and all deaths."""

    def __init__(self, entry: TableEntry, table: TableState) -> None:
        self.entry, self.chunks = entry, table.chunks
        self.shape = shape_holding(
            shape_of(entry), lambda name: any(c.rows.has(name) for c in self.chunks)
        )
        ids, births, places, dead_ids, dead_at = [], [], [], [], []
        for number, chunk in enumerate(self.chunks):
            count = chunk.deaths.prefix(table.sequence)
            offsets, at = chunk.deaths.offsets(0, count), chunk.deaths.sequences(0, count)
            born = chunk.births_at(slice(None))
            died = np.full(chunk.count, np.iinfo(np.int64).max)
            died[offsets] = at
            kept = np.flatnonzero((born <= table.sequence) & (died != born))
            ids.append(chunk.row_ids_at(kept))
            births.append(born[kept])
            places.append(kept + (number << 32))
            before = born[offsets] < at
            dead_ids.append(chunk.row_ids_at(offsets[before]))
            dead_at.append(at[before])
        all_ids, all_births = concat(ids), concat(births)
        order = np.lexsort((all_ids, all_births))
        self.ids, self.births = all_ids[order], all_births[order]
        self.places = concat(places)[order]
        dead, when = concat(dead_ids), concat(dead_at)
        order = np.lexsort((dead, when))
        self.dead_ids, self.dead_at = dead[order], when[order]

    def check(self, leaves: Leaves) -> Iterator[tuple[int, Problem | None]]:
        """Leaf after leaf: the rows it covers, and what is wrong with it."""
        born = died = 0
        columns = (leaves.kinds.tolist(), leaves.sequences.tolist(), leaves.counts.tolist())
        for expected, kind, sequence, count in zip(leaves.hash_list(), *columns, strict=True):
            if kind == DELETED:
                part, when = self.dead_ids[died : died + count], self.dead_at[died : died + count]
                died += count
            else:
                part, when = self.ids[born : born + count], self.births[born : born + count]
                born += count
            if len(part) != count or (when != sequence).any():
                found = f"{int((when == sequence).sum())}"
                yield 0, self._problem(sequence, f"{count} rows", found)
                return
            hashed = self._hash(kind, part, born - count)
            wrong = hashed != expected
            problem = self._problem(sequence, expected.hex(), hashed.hex()) if wrong else None
            yield 0 if kind == DELETED else count, problem
        for name, seen, held in (("inserted", born, self.ids), ("deleted", died, self.dead_ids)):
            if seen != len(held):
                where = f'table "{self.entry.name}"'
                yield 0, Problem("leaf", where, f"{seen} rows {name}", f"{len(held)}")

    def _hash(self, kind: int, ids: Int64, start: int) -> bytes:
        if kind == DELETED:
            return deletion_leaf_hash(ids)
        return run_leaf(self.chunks, self.places[start : start + len(ids)], ids, self.shape)

    def _problem(self, sequence: int, expected: str, found: str) -> Problem:
        where = f'table "{self.entry.name}", commit {sequence}'
        return Problem("leaf", where, expected, found)
