"""Objects that nobody needs: written by transactions that did not commit, or superseded.

Objects are named by content, so two transactions may have written the same one. It goes only when
no open transaction has it, no writing is under way that might be about to find it there, the head
and the manifest do not name it, and no reader process claims it (registration.py). A snapshot holds
the chunks it reads, but of models only their names: objects of models wait until no snapshot has
the model any more.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hartonomous.storage.catalog import ModelEntry
from hartonomous.storage.errors import Corruption
from hartonomous.storage.folder import Folder
from hartonomous.storage.manifest import Manifest, object_names, read_manifest
from hartonomous.storage.models import labels_of, model_objects, readable_objects
from hartonomous.storage.objects import Objects
from hartonomous.storage.registration import NO_CLAIMS, Claims, claims
from hartonomous.storage.repository import Repository
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.state import Snapshot
from hartonomous.storage.table import TableState

if TYPE_CHECKING:
    from hartonomous.storage.database import Database
    from hartonomous.storage.transaction import CatalogChange, Transaction


class Garbage:
    """What may be removed, of one writer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._writing = 0
        self._pending: Counter[str] = Counter()
        self._suspects: set[str] = set()
        self._watching = threading.Lock()
        self._watched: weakref.WeakSet[Snapshot | Transaction] = weakref.WeakSet()
        self._held: Counter[str] = Counter()

    def watch(self, snapshot: Snapshot | Transaction) -> None:
        """While it lives, the models that it saw at its start stay readable."""
        with self._watching:
            self._watched.add(snapshot)

    @contextmanager
    def holding(self, names: Iterable[str]) -> Iterator[None]:
        """Meanwhile these objects stay."""
        held = list(names)
        with self._lock:
            self._held.update(held)
        try:
            yield
        finally:
            with self._lock:
                self._held.subtract(held)
                for name in [n for n in held if self._held[n] <= 0]:
                    del self._held[name]

    @contextmanager
    def writing(self, objects: list[str]) -> Iterator[None]:
        """Around the writing of objects; those added to `objects` belong to the transaction."""
        before = len(objects)
        with self._lock:
            self._writing += 1
        try:
            yield
        finally:
            with self._lock:
                self._writing -= 1
                self._pending.update(objects[before:])

    def release(self, objects: list[str]) -> None:
        """A transaction is over: what the head does not name of its objects may go."""
        if not objects:
            return
        with self._lock:
            self._pending.subtract(objects)
            for name in {n for n in objects if self._pending[n] <= 0}:
                del self._pending[name]
            self._suspects.update(objects)
            objects.clear()
        self.collect()

    def suspect(self, names: Iterable[str]) -> None:
        """Objects that a checkpoint superseded and that are open wherever they are needed."""
        with self._lock:
            self._suspects.update(names)

    def suspect_models(self, changes: Iterable[CatalogChange]) -> None:
        """After a commit: what the models that it dropped or changed were made of."""
        gone = [c.before for c in changes if isinstance(c.before, ModelEntry)]
        if gone:
            self.suspect(readable_objects(self._database.object_store, gone))
            self.collect()

    def collect(self) -> None:
        """Remove what is surely not needed; the rest waits."""
        database = self._database
        if database.read_only or not self._suspects:
            return
        objects = database.object_store
        with database.commits_path.lock, self._lock:
            claimed = NO_CLAIMS if database.folder is None else claims(database.folder)
            if self._writing or claimed is None:
                return
            try:
                kept, seen = self._needed(objects)
                seen |= claimed_objects(objects, claimed)
            except Corruption:  # what a damaged manifest needs is not known: all stays
                return
            for name in self._suspects - kept - seen:
                objects.remove(name)
            self._suspects &= seen - kept

    def _needed(self, objects: Objects) -> tuple[set[str], set[str]]:
        """Objects of the heads, the manifest and open transactions; of models in any snapshot."""
        database = self._database
        kept = set(self._pending) | set(self._held)
        kept |= needed(objects, database.commits_path.repository, database.manifest_name)
        return kept, model_objects(objects, self.models_in_use())

    def models_in_use(self) -> list[ModelEntry]:
        """The models that living snapshots and transactions of this process saw at their start."""
        with self._watching:
            catalogs = {id(w.state.catalog): w.state.catalog for w in self._watched}
        entries = (e for c in catalogs.values() for e in c.entries.values())
        return [e for e in entries if isinstance(e, ModelEntry)]


def needed(objects: Objects, repository: Repository, name: str | None) -> set[str]:
    """Objects of all branches, of the manifest of that name, and of what is kept of the past.
    Corruption if a model's manifest, or a pack of what catalogs were, is damaged."""
    names = model_objects(objects, repository.models())
    for line in (*repository.lines.values(), *repository.leaving):
        names |= names_of(line.all_tables())
        names |= {r.name for refs in line.packs.values() for r in refs}
        names |= {r.name for refs in line.collected.values() for r in refs}
    if repository.manifest is not None and name is not None:
        names |= manifest_objects(objects, name, repository.manifest)
    return names


def manifest_objects(objects: Objects, name: str, manifest: Manifest) -> set[str]:
    """Objects of a manifest and of the models in its catalogs. Corruption if one is damaged."""
    catalogs = [manifest.catalog, *(branch.catalog for branch in manifest.branches)]
    entries = [entry for catalog in catalogs for entry in catalog]
    return object_names(objects, name) | model_objects(objects, entries)


def claimed_objects(objects: Objects, claimed: Claims) -> set[str]:
    """Objects that reader processes may still open. Corruption if a manifest is damaged or gone:
    a reader that has just claimed it sees that itself, and looks anew."""
    names: set[str] = set()
    for name in claimed.manifests:
        names |= manifest_objects(objects, name, read_manifest(objects, name))
    for name in claimed.models:
        names |= labels_of(objects, name).keys()
    return names


def names_of(tables: Iterable[TableState]) -> set[str]:
    """The segments and indexes of tables."""
    names = set()
    for table in tables:
        for chunk in table.chunks:
            if isinstance(chunk.rows, SegmentRows):
                names.add(chunk.rows.meta.ref.name)
            # lists: readers add to both meanwhile, and a part may be detached at any moment
            parts = [k.stored for k in list(chunk.keys.values())]
            parts += [i.stored for i in list(chunk.indexes.values())]
            names |= {stored.name for stored in parts if stored is not None}
    return names


def sweep(folder: Folder, objects: Objects, name: str, repository: Repository) -> None:
    """At a writer's opening: remove every object that neither the manifest (of that name) nor the
    log after it needs. Where a model's manifest is damaged, so that what it needs is not known, all
    stay; reading the model and VERIFY DATABASE say so."""
    try:
        kept = needed(objects, repository, name)
        claimed = claims(folder)
        if claimed is not None:
            kept |= claimed_objects(objects, claimed)
    except Corruption:
        return
    if claimed is not None:
        for name in list(objects.names()):
            if name not in kept:
                objects.remove(name)
