"""Manifests: where everything lies at a checkpoint.

A manifest is an object of canonical msgpack. Its larger parts (the catalog, a table with many
segments) are objects of their own, named by hash, so what did not change is not written again;
smaller parts stand inside. refs/heads/main names the newest manifest; the log goes on from
`wal_start`. Rows themselves are in segments, of which a manifest keeps name, size and checksum
of the directory only: a database of 10,000,000 rows has a manifest of some kilobytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

import msgpack
import xxhash

from hartonomous.storage import merkle
from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.branches import Origin, Tag
from hartonomous.storage.catalog import Entry, TableEntry
from hartonomous.storage.catalog_history import CatalogBase
from hartonomous.storage.catalog_maps import entry_from_map, entry_to_map
from hartonomous.storage.decoding import decoding, unpack
from hartonomous.storage.disk import Disk
from hartonomous.storage.errors import Corruption, FormatFault
from hartonomous.storage.frozen import frozen
from hartonomous.storage.objects import Objects
from hartonomous.storage.segment import SegmentMeta

VERSION: Final = 1
#: parts longer than this are objects of their own
INLINE_MAX: Final = 16 << 10


@frozen
class PackPart:
    """Arrays in a pack whose names begin with `prefix`."""

    ref: ObjectRef
    prefix: str = ""


@frozen
class KeyPart:
    """A key of one segment: least and greatest value of its first column (whole numbers and
    times; else None), and its index, None if it is to be made when asked for. Or an index of the
    segment by an access method: then `key_id` is the index's id, and there is no range; with a
    minus sign it is a key's, and the index is its order (storage/access/parts.py: as_index)."""

    key_id: int
    range: tuple[int, int] | None
    index: PackPart | None


@frozen
class SegmentEntry:
    """A segment of a table. `row_ids` is the first of consecutive ids, `births` the one birth
    sequence; None where the segment has a column `__row_id` or `__birth`."""

    meta: SegmentMeta
    row_ids: int | None
    births: int | None
    deaths: PackPart | None = None
    keys: tuple[KeyPart, ...] = ()


@frozen
class TableManifest:
    """A table's rows as commit `sequence` (the last that changed it) left them, its log, and the
    packs of its log's leaves, oldest first, and of the rows that compaction removed."""

    table_id: int
    sequence: int
    segments: tuple[SegmentEntry, ...] = ()
    log: merkle.Log = merkle.Log()
    leaves: tuple[ObjectRef, ...] = ()
    collected: tuple[ObjectRef, ...] = ()


@frozen
class DroppedManifest:
    """A table that commit `sequence` dropped, and what older commits still need of it."""

    sequence: int
    entry: TableEntry
    table: TableManifest


@frozen
class BranchManifest:
    """A branch at a checkpoint: where it began, the hash and time of its last commit `sequence`."""

    origin: Origin
    sequence: int
    commit: bytes
    at_us: int
    catalog: tuple[Entry, ...]
    catalog_hash: bytes
    tables: Mapping[int, TableManifest]
    dropped: tuple[DroppedManifest, ...] = ()


@frozen
class Manifest:
    """A database at a checkpoint. `commit` is the hash of commit `sequence` of main, empty for
    none; `identities` the next value of each table's identity column. `last` is the last commit of
    any branch, 0 if that is main's; `origins` are those of branches that are gone; `base` is where
    the past begins of which catalogs are known, and `catalog_packs` are its changes since."""

    sequence: int
    commit: bytes
    catalog: tuple[Entry, ...]
    tables: Mapping[int, TableManifest]
    next_row_id: int
    next_id: int
    wal_start: int
    identities: Mapping[int, int] = field(default_factory=dict)
    commit_packs: tuple[SegmentMeta, ...] = ()
    catalog_hash: bytes = b""
    dropped: tuple[DroppedManifest, ...] = ()
    last: int = 0
    branches: tuple[BranchManifest, ...] = ()
    origins: tuple[Origin, ...] = ()
    tags: tuple[Tag, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, str] = field(default_factory=dict)
    horizon: int = 0
    base: CatalogBase | None = None
    catalog_packs: tuple[str, ...] = ()

    @property
    def newest(self) -> int:
        """The last commit of any branch."""
        return self.last or self.sequence


def write_manifest(objects: Objects, manifest: Manifest) -> str:
    """Store a manifest and its parts durably; its name."""
    tables = sorted(manifest.tables.items())
    data: dict[str, Any] = {
        "catalog": _part(objects, [entry_to_map(e) for e in manifest.catalog]),
        "catalog_hash": manifest.catalog_hash,
        "commit": manifest.commit,
        "commit_packs": [m.to_list() for m in manifest.commit_packs],
        "identities": [list(pair) for pair in sorted(manifest.identities.items())],
        "next_id": manifest.next_id,
        "next_row_id": manifest.next_row_id,
        "sequence": manifest.sequence,
        "tables": [[i, _part(objects, _table_to_list(t))] for i, t in tables],
        "version": VERSION,
        "wal_start": manifest.wal_start,
    }
    base = manifest.base
    further = {
        "base": [] if base is None else [base.sequence, _entries(objects, base.entries)],
        "branches": [_part(objects, _branch_to_list(objects, b)) for b in manifest.branches],
        "catalog_packs": [bytes.fromhex(name) for name in manifest.catalog_packs],
        "dropped": [_dropped_to_list(objects, d) for d in manifest.dropped],
        "horizon": manifest.horizon,
        "last": manifest.last,
        "origins": [_origin_to_list(o) for o in manifest.origins],
        "security": dict(sorted(manifest.security.items())),
        "settings": dict(sorted(manifest.settings.items())),
        "tags": [[t.name, t.sequence, t.commit] for t in manifest.tags],
    }
    data |= {name: value for name, value in further.items() if value}
    return objects.put(msgpack.packb(data))


def _entries(objects: Objects, entries: Iterable[Entry]) -> list[bytes]:
    return _part(objects, [entry_to_map(e) for e in entries])


def _origin_to_list(origin: Origin) -> list[Any]:
    return [origin.id, origin.name, origin.parent, origin.fork]


def _branch_to_list(objects: Objects, branch: BranchManifest) -> list[Any]:
    return [
        _origin_to_list(branch.origin),
        branch.sequence,
        branch.commit,
        branch.at_us,
        _entries(objects, branch.catalog),
        branch.catalog_hash,
        [[i, _part(objects, _table_to_list(t))] for i, t in sorted(branch.tables.items())],
        [_dropped_to_list(objects, d) for d in branch.dropped],
    ]


def _dropped_to_list(objects: Objects, dropped: DroppedManifest) -> list[Any]:
    table = _part(objects, _table_to_list(dropped.table))
    return [dropped.sequence, entry_to_map(dropped.entry), table]


def read_manifest(objects: Objects, name: str) -> Manifest:
    """The manifest of that name. Corruption if it or a part of it is damaged, FormatFault if it
    is of a later version."""
    with decoding(f"manifest {name}"):
        data = unpack(objects.read(name))
        if data["version"] != VERSION:
            raise FormatFault(f"manifest {name} is of format version {data['version']}")
        return Manifest(
            sequence=data["sequence"],
            commit=data["commit"],
            catalog=tuple(entry_from_map(e) for e in _whole(objects, data["catalog"])),
            tables={i: _table_from_list(_whole(objects, t)) for i, t in data["tables"]},
            next_row_id=data["next_row_id"],
            next_id=data["next_id"],
            wal_start=data["wal_start"],
            identities={i: value for i, value in data["identities"]},
            commit_packs=tuple(SegmentMeta.from_list(m) for m in data["commit_packs"]),
            catalog_hash=data["catalog_hash"],
            dropped=_dropped_from_list(objects, data.get("dropped", ())),
            last=data.get("last", 0),
            branches=tuple(_branch_from_list(objects, b) for b in data.get("branches", ())),
            origins=tuple(Origin(*o) for o in data.get("origins", ())),
            tags=tuple(Tag(*t) for t in data.get("tags", ())),
            settings=data.get("settings", {}),
            security=data.get("security", {}),
            horizon=data.get("horizon", 0),
            base=_base_of(objects, data),
            catalog_packs=tuple(n.hex() for n in data.get("catalog_packs", ())),
        )


def _base_of(objects: Objects, data: Mapping[str, Any]) -> CatalogBase | None:
    """Manifests from before there was a past have none, and theirs begins with them."""
    if "base" in data:
        sequence, part = data["base"]
        return CatalogBase(sequence, tuple(map(entry_from_map, _whole(objects, part))))
    return None


def _branch_from_list(objects: Objects, part: list[bytes]) -> BranchManifest:
    origin, sequence, commit, at_us, catalog, hash_, tables, dropped = _whole(objects, part)
    return BranchManifest(
        Origin(*origin),
        sequence,
        commit,
        at_us,
        tuple(entry_from_map(e) for e in _whole(objects, catalog)),
        hash_,
        {i: _table_from_list(_whole(objects, t)) for i, t in tables},
        _dropped_from_list(objects, dropped),
    )


def _dropped_from_list(objects: Objects, data: Iterable[Any]) -> tuple[DroppedManifest, ...]:
    out = []
    for sequence, packed, table in data:
        entry = entry_from_map(packed)
        assert isinstance(entry, TableEntry)
        out.append(DroppedManifest(sequence, entry, _table_from_list(_whole(objects, table))))
    return tuple(out)


def object_names(objects: Objects, name: str) -> set[str]:
    """The names of all objects that a manifest needs, its own included, without those of models
    (models.py)."""
    names = {name, *_part_names(objects, name)}
    manifest = read_manifest(objects, name)
    names |= {m.ref.name for m in manifest.commit_packs} | {*manifest.catalog_packs}
    for table in tables_of(manifest):
        names |= {ref.name for ref in (*table.leaves, *table.collected)}
        for segment in table.segments:
            packs = [segment.deaths, *(k.index for k in segment.keys)]
            names |= {segment.meta.ref.name, *(p.ref.name for p in packs if p is not None)}
    return names


def tables_of(manifest: Manifest) -> Iterator[TableManifest]:
    """All tables, of all branches, dropped ones too."""
    yield from manifest.tables.values()
    yield from (d.table for d in manifest.dropped)
    for branch in manifest.branches:
        yield from branch.tables.values()
        yield from (d.table for d in branch.dropped)


def _part_names(objects: Objects, name: str) -> set[str]:
    """The objects of a manifest's parts."""
    data = unpack(objects.read(name))
    parts = [data["catalog"], *(part for _, part in data["tables"])]
    parts += [part for *_, part in data.get("dropped", ())]
    parts += data.get("base", [])[1:]
    for branch in data.get("branches", ()):
        *_, catalog, _, tables, dropped = _whole(objects, branch)
        parts += [branch, catalog, *(part for _, part in tables), *(part for *_, part in dropped)]
    return {part[0].hex() for part in parts if part[0]}


def _part(objects: Objects, data: Any) -> list[bytes]:
    """[hash, ""] of an object, or ["", bytes]."""
    packed: bytes = msgpack.packb(data)
    if len(packed) <= INLINE_MAX:
        return [b"", packed]
    return [bytes.fromhex(objects.put(packed)), b""]


def _whole(objects: Objects, part: list[bytes]) -> Any:
    name, packed = part
    return unpack(objects.read(name.hex()) if name else packed)


def _table_to_list(table: TableManifest) -> list[Any]:
    refs: dict[ObjectRef, int] = {}

    def place(part: PackPart | None) -> list[Any] | None:
        return None if part is None else [refs.setdefault(part.ref, len(refs)), part.prefix]

    segments = [
        [
            s.meta.to_list(),
            s.row_ids,
            s.births,
            place(s.deaths),
            [[k.key_id, k.range, place(k.index)] for k in s.keys],
        ]
        for s in table.segments
    ]
    return [
        table.table_id,
        table.sequence,
        [ref.to_list() for ref in refs],
        segments,
        table.log.to_list(),
        [ref.to_list() for ref in table.leaves],
        *([[ref.to_list() for ref in table.collected]] if table.collected else []),
    ]


def _table_from_list(data: list[Any]) -> TableManifest:
    table_id, sequence, packed_refs, packed_segments, log, leaves, *collected = data
    refs = [ObjectRef.from_list(r) for r in packed_refs]

    def part(place: list[Any] | None) -> PackPart | None:
        return None if place is None else PackPart(refs[place[0]], place[1])

    segments = [
        SegmentEntry(
            SegmentMeta.from_list(meta),
            row_ids,
            births,
            part(deaths),
            tuple(KeyPart(i, tuple(r) if r else None, part(p)) for i, r, p in keys),
        )
        for meta, row_ids, births, deaths, keys in packed_segments
    ]
    return TableManifest(
        table_id,
        sequence,
        tuple(segments),
        merkle.Log.from_list(log),
        tuple(ObjectRef.from_list(r) for r in leaves),
        tuple(ObjectRef.from_list(r) for refs in collected for r in refs),
    )


def write_head(disk: Disk, path: Path, name: str) -> None:
    """Let refs/heads/main name another manifest: all at once, durably. The line is the name, a
    blank, its xxh3-64 in hex and a line feed."""
    disk.replace(path, f"{name} {xxhash.xxh3_64_hexdigest(name.encode())}\n".encode())


def read_head(disk: Disk, path: Path) -> str:
    """The name of the newest manifest; Corruption if the line is damaged."""
    line = disk.read(path)
    name = line[:64].decode("ascii", "replace")
    if line != f"{name} {xxhash.xxh3_64_hexdigest(name.encode())}\n".encode("ascii", "replace"):
        raise Corruption(f'"{path}" is damaged: {line[:100]!r}')
    return name
