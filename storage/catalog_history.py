"""Catalogs of the past: every change of a catalog since a base, from which any of them is made.

A commit names its catalog by hash. Kept are not the catalogs, of which a thousand CREATE TABLE
would give a thousand, but what each commit changed (as its log record has it): a catalog is the
base with the changes along the commit's lineage, and its hash is checked. The changes since the
last checkpoint are in memory, older ones in packs, objects of msgpack, which are read when the
past is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgpack

from hartonomous.storage.catalog import (
    Catalog,
    Entry,
    ModelEntry,
    TableEntry,
    first_catalog,
    key_of,
    next_version,
)
from hartonomous.storage.catalog_maps import catalog_hash, entry_from_map, entry_to_map
from hartonomous.storage.decoding import decoding, unpack
from hartonomous.storage.errors import Corruption
from hartonomous.storage.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.storage.objects import Objects

#: catalogs of the past that are kept once made
KEPT_MAX = 64

EntryChange = tuple[Entry | None, Entry | None]


@frozen
class CatalogDelta:
    """What commit `sequence` of a branch did: (entry's id before or 0, entry after or None)."""

    sequence: int
    branch: int
    entries: tuple[tuple[int, Entry | None], ...]


@frozen
class CatalogBase:
    """The catalog of main after commit `sequence`, where what is known of catalogs begins."""

    sequence: int
    entries: tuple[Entry, ...]


FIRST_BASE = CatalogBase(0, tuple(first_catalog().entries.values()))


@frozen
class Models:
    """Of changes so far: every entry of a model by id, and those replaced or dropped since the
    horizon."""

    known: dict[int, list[ModelEntry]]
    replaced: list[ModelEntry]

    def add(self, deltas: Iterable[CatalogDelta], horizon: int) -> None:
        """The next changes."""
        for delta in deltas:
            for old, new in delta.entries:
                if old in self.known and delta.sequence > horizon:
                    self.replaced.extend(self.known[old])
                if isinstance(new, ModelEntry):
                    self.known.setdefault(new.id, []).append(new)


class CatalogHistory:
    """Guarded as the state it belongs to is (the commit lock, or a reader's)."""

    def __init__(
        self,
        objects: Objects | None = None,
        base: CatalogBase = FIRST_BASE,
        packs: tuple[str, ...] = (),
    ) -> None:
        self.objects, self.base, self.packs = objects, base, packs
        self.recent: list[CatalogDelta] = []
        self._packed: dict[str, list[CatalogDelta]] = {}
        self._known: dict[bytes, Catalog] = {}
        self._packed_models: tuple[object, Models] | None = None

    def add(self, delta: CatalogDelta) -> None:
        """What the newest commit did."""
        self.recent.append(delta)

    def deltas(self) -> Iterator[CatalogDelta]:
        """All changes since the base, by sequence. Raises Corruption."""
        for name in self.packs:
            if name not in self._packed:
                self._packed[name] = self._read(name)
            yield from self._packed[name]
        yield from self.recent

    def _read(self, name: str) -> list[CatalogDelta]:
        assert self.objects is not None
        return self._packed.get(name) or read_deltas(self.objects, name)

    def at(self, limits: Mapping[int, int], hash_: bytes) -> Catalog:
        """The catalog of that hash, where `limits` (branches.limits_of) is the lineage of a commit
        that has it; the same object while it is kept. Raises Corruption."""
        found = self._known.get(hash_)
        if found is None:
            found = catalog_of(self._entries(limits))
            if catalog_hash(found) != hash_:
                where = max(limits.values())
                raise Corruption(f"the catalog of commit {where} does not have its hash")
            if len(self._known) >= KEPT_MAX:
                self._known.pop(next(iter(self._known)))
            self._known[hash_] = found
        return found

    def _entries(self, limits: Mapping[int, int]) -> dict[int, Entry]:
        entries = {e.id: e for e in self.base.entries}
        for delta in self.deltas():
            if delta.sequence <= limits.get(delta.branch, -1):
                for old, _ in delta.entries:
                    entries.pop(old, None)
                entries |= {new.id: new for _, new in delta.entries if new is not None}
        return entries

    def models(self, horizon: int) -> list[ModelEntry]:
        """Models as commits from `horizon` on had them that changed or dropped them, on any branch;
        more, if in doubt. What a head still has is not among them."""
        key = self.packs, self.base.sequence, horizon
        if self._packed_models is None or self._packed_models[0] != key:
            models = Models({e.id: [e] for e in self.base.entries if isinstance(e, ModelEntry)}, [])
            for name in self.packs:  # read, but not kept: most of it is tables
                models.add(self._read(name), horizon)
            self._packed_models = key, models
        packed = self._packed_models[1]
        models = Models({i: list(m) for i, m in packed.known.items()}, list(packed.replaced))
        models.add(self.recent, horizon)
        return models.replaced

    def write(self, objects: Objects) -> tuple[str, ...]:
        """Put what is recent into packs too; their names in order. Small ones before it are written
        again with it, so that there are O(log n). `written` says that they count."""
        if not self.recent:
            return self.packs
        packs, deltas = list(self.packs), list(self.recent)
        while packs:
            last = self._read(packs[-1])
            if len(last) > 2 * len(deltas):
                break
            deltas = [*last, *deltas]
            packs.pop()
        return (*packs, objects.put(msgpack.packb([_to_list(d) for d in deltas])))

    def written(self, packs: tuple[str, ...]) -> None:
        """A manifest names these packs, in which is all that was recent."""
        self.packs, self.recent = packs, []
        self._packed = {name: deltas for name, deltas in self._packed.items() if name in packs}


def delta_of(sequence: int, branch: int, changes: Sequence[EntryChange]) -> CatalogDelta:
    """Changes (before, after) as a delta."""
    entries = tuple((before.id if before else 0, after) for before, after in changes)
    return CatalogDelta(sequence, branch, entries)


def catalog_of(entries: Mapping[int, Entry]) -> Catalog:
    """A catalog of entries by id."""
    ordered = [entries[i] for i in sorted(entries)]
    tables = {e.id: e for e in ordered if isinstance(e, TableEntry)}
    return Catalog(next_version(), {key_of(e): e for e in ordered}, tables)


def read_deltas(objects: Objects, name: str) -> list[CatalogDelta]:
    """The changes in a pack; raises Corruption."""
    with decoding(f"catalog pack {name}"):
        return [
            CatalogDelta(
                sequence,
                branch,
                tuple((old, entry_from_map(new) if new else None) for old, new in entries),
            )
            for sequence, branch, entries in unpack(objects.read(name))
        ]


def _to_list(delta: CatalogDelta) -> list[object]:
    changes = [[old, entry_to_map(new) if new else None] for old, new in delta.entries]
    return [delta.sequence, delta.branch, changes]
