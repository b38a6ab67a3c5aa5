"""Commits, commit packs, leaves and manifests: there and back, canonical, damage found."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import msgpack
import numpy as np
import pyarrow as pa
import pytest

from hartonomous.storage import leaves, merkle
from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.catalog import (
    ColumnEntry,
    RoutineEntry,
    SchemaEntry,
    TableEntry,
    ViewEntry,
)
from hartonomous.storage.commit import Commit, TableRoots, check_chain, decode
from hartonomous.storage.commit_pack import CommitPack, to_batch, write_commits
from hartonomous.storage.disk import Disk
from hartonomous.storage.errors import Corruption, Error, FormatFault
from hartonomous.storage.manifest import (
    INLINE_MAX,
    KeyPart,
    Manifest,
    PackPart,
    SegmentEntry,
    TableManifest,
    object_names,
    read_head,
    read_manifest,
    write_head,
    write_manifest,
)
from hartonomous.storage.objects import Objects
from hartonomous.storage.packs import write_pack
from hartonomous.storage.segment import SegmentMeta, write_segment


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    objects = Objects(Disk(), tmp_path / "objects")
    objects.prepare()
    return objects


def digest(*values: object) -> bytes:
    return hashlib.sha256(repr(values).encode()).digest()


def chain(count: int) -> list[Commit]:
    commits: list[Commit] = []
    for i in range(1, count + 1):
        parents = (commits[-1].hash,) if commits else ()
        tables = {3: (i, digest(i)), 1: None if i % 3 == 0 else (7, digest("one"))}
        text = f"INSERT INTO t VALUES ({i}) -- ü"
        commits.append(Commit(parents, i, 1000 * i, "me", text, digest("c"), tables, digest(i, 0)))
    return commits


def test_a_commit_and_its_bytes() -> None:
    (commit,) = chain(1)
    data = commit.encode()
    assert decode(data) == commit and commit.hash == hashlib.sha256(data).digest()
    assert list(msgpack.unpackb(data)) == sorted(msgpack.unpackb(data))
    turned = replace(commit, tables=dict(reversed(commit.tables.items())))
    assert turned.encode() == data


def test_every_field_is_in_the_hash() -> None:
    (commit,) = chain(1)
    others = [
        replace(commit, parents=(digest("p"),)),
        replace(commit, sequence=2),
        replace(commit, at_us=1001),
        replace(commit, author="you"),
        replace(commit, statement="DELETE"),
        replace(commit, catalog_hash=digest("d")),
        replace(commit, tables={3: (1, digest(1))}),
        replace(commit, tables={**commit.tables, 1: None}),
        replace(commit, root=digest("r")),
    ]
    assert len({c.hash for c in [commit, *others]}) == len(others) + 1


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", msgpack.packb(5), msgpack.packb({"at_us": 1}), chain(1)[0].encode() + b"\0"],
)
def test_what_is_not_a_commit_is_corruption(data: bytes) -> None:
    with pytest.raises(Corruption, match="not a commit"):
        decode(data)


def test_only_canonical_bytes_are_a_commit() -> None:
    fields = msgpack.unpackb(chain(1)[0].encode())
    with pytest.raises(Corruption, match="canonical"):
        decode(msgpack.packb(dict(reversed(fields.items()))))


def test_the_chain() -> None:
    commits = chain(5)
    assert check_chain(commits, None) == commits[-1].hash
    assert check_chain(commits[2:], commits[1].hash) == commits[-1].hash
    with pytest.raises(Corruption, match="commit 4"):
        check_chain([commits[0], commits[1], commits[2], replace(commits[3], parents=())], None)
    with pytest.raises(Corruption, match="commit 3"):
        check_chain([commits[0], replace(commits[1], author="x"), *commits[2:]], None)


def test_the_root_over_tables_is_that_of_a_tree_made_anew() -> None:
    chance = random.Random(5)
    roots, tables = TableRoots(), {}
    assert roots.root == merkle.EMPTY_ROOT
    for step in range(200):
        changes: dict[int, tuple[int, bytes] | None] = {}
        for _ in range(chance.randint(1, 3)):
            table = chance.randint(1, 12)
            changes[table] = None if chance.random() < 0.2 else (step, digest(step, table))
        for table, state in changes.items():
            if state is None:
                tables.pop(table, None)
            else:
                tables[table] = state
        before = roots.copy()
        root = roots.apply(changes)
        assert root == TableRoots(tables).root and roots.tables == tables
        assert before.apply(changes) == root


def test_commit_packs(objects: Objects) -> None:
    commits = chain(10)
    (meta,) = write_commits(objects, [to_batch(commits[:4]), to_batch(commits[4:])])
    pack = CommitPack(objects, meta)
    assert list(pack.commits()) == commits and pack.rows == 10
    assert pack.table(["sequence", "hash"]).to_pylist() == [
        {"sequence": c.sequence, "hash": c.hash} for c in commits
    ]


def test_an_altered_commit_in_a_pack_is_found(objects: Objects) -> None:
    batch = to_batch(chain(3))
    authors = pa.array(["me", "mallory", "me"])
    forged = batch.set_column(4, batch.schema.field(4), authors)
    (meta,) = write_commits(objects, [forged])
    with pytest.raises(Corruption, match="commit 2 is damaged"):
        list(CommitPack(objects, meta).commits())


def test_leaves(objects: Objects) -> None:
    some = [
        leaves.Leaf(digest(i), leaves.DELETED if i % 3 else leaves.INSERTED, i, i * 10)
        for i in range(9)
    ]
    columns = leaves.concat([leaves.of(some[:4]), leaves.of(some[4:])])
    found = leaves.read_leaves(objects, leaves.write_leaves(objects, columns))
    assert found.to_leaves() == some and len(found) == 9
    assert found.hash_list() == [leaf.hash for leaf in some]
    assert leaves.of([]).to_leaves() == []


def manifest(objects: Objects, segments: int) -> Manifest:
    row = pa.table({"c1": np.arange(10)})
    meta = write_segment(objects, row.schema, [row])
    pack = write_pack(objects, "deaths", {"0.sequences": np.arange(3), "0.offsets": np.arange(3)})
    keys = (KeyPart(4, (0, 9), PackPart(pack, "k")), KeyPart(5, None, None))
    entries = tuple(
        SegmentEntry(meta, 100 * i if i % 2 else None, i, PackPart(pack, f"{i}."), keys)
        for i in range(segments)
    )
    column = ColumnEntry(1, "id", "INT", pa.int32(), False, identity=(1, 1))
    table = TableEntry(7, "dbo", "t", (column,), next_id=2)
    view = ViewEntry(8, "dbo", "v", "SELECT 1", ("a",))
    text = "CREATE PROCEDURE p AS\n  SELECT 1"
    routine = RoutineEntry(9, "dbo", "p", "PROCEDURE", text)
    log = merkle.Log().extend([digest(1), digest(2), digest(3)])
    (commits,) = write_commits(objects, [to_batch(chain(2))])
    return Manifest(
        sequence=12,
        commit=digest("commit"),
        catalog=(SchemaEntry(1, "", "dbo"), table, view, routine),
        tables={7: TableManifest(7, 11, entries, log, (pack,)), 9: TableManifest(9, 3)},
        next_row_id=1 << 40,
        next_id=10,
        wal_start=(3 << 40) | 32,
        identities={7: 55},
        commit_packs=(commits,),
        catalog_hash=digest("catalog"),
    )


@pytest.mark.parametrize("segments", [0, 1, 500])
def test_manifests(objects: Objects, segments: int) -> None:
    made = manifest(objects, segments)
    before = set(objects.names())
    name = write_manifest(objects, made)
    assert read_manifest(objects, name) == made
    new = set(objects.names()) - before
    assert len(new) == (2 if segments == 500 else 1)
    assert objects.size(name) < INLINE_MAX  # whatever the tables' sizes
    assert new | before - object_names(objects, name) <= set(objects.names())
    expected = new | {made.commit_packs[0].ref.name, made.tables[7].leaves[0].name}
    if segments:
        expected |= {made.tables[7].segments[0].meta.ref.name}
    assert object_names(objects, name) == expected


def test_a_table_that_did_not_change_is_not_written_again(objects: Objects) -> None:
    made = manifest(objects, 500)
    write_manifest(objects, made)
    before = set(objects.names())
    name = write_manifest(objects, replace(made, sequence=13))
    assert set(objects.names()) - before == {name}


def test_a_manifest_of_a_later_version_is_a_format_fault(objects: Objects) -> None:
    fields = msgpack.unpackb(objects.read(write_manifest(objects, manifest(objects, 1))))
    later = objects.put(msgpack.packb({**fields, "version": 2}))
    with pytest.raises(FormatFault, match="version 2"):
        read_manifest(objects, later)
    for broken in ({}, {"version": 1}, {**fields, "tables": [[1, [b"", b"\xc1"]]]}, 5):
        with pytest.raises(FormatFault):
            read_manifest(objects, objects.put(msgpack.packb(broken)))


def test_any_flipped_byte_is_found_in_every_kind_of_object(objects: Objects) -> None:
    made = manifest(objects, 2)
    name = write_manifest(objects, made)
    table = made.tables[7]
    some = leaves.write_leaves(objects, leaves.of([leaves.Leaf(digest(1), 0, 1, 2)]))

    def read_all(fresh: Objects) -> None:
        found = read_manifest(fresh, name)
        list(CommitPack(fresh, found.commit_packs[0]).commits())
        leaves.read_leaves(fresh, some)
        for each in object_names(fresh, name) | {some.name}:
            fresh.verify(each)

    read_all(objects)
    chance = random.Random(1)
    for kind in (name, made.commit_packs[0].ref.name, some.name, table.leaves[0].name):
        path = objects.path(kind)
        original = path.read_bytes()
        for place in chance.sample(range(len(original)), min(len(original), 150)):
            data = bytearray(original)
            data[place] ^= chance.randint(1, 255)
            path.write_bytes(data)
            with pytest.raises(Error, match=kind) as caught:
                read_all(Objects(Disk(), objects.folder))
            assert isinstance(caught.value, (Corruption, FormatFault))
        path.write_bytes(original)


def test_the_head(tmp_path: Path) -> None:
    path, name = tmp_path / "main", "ab" * 32
    write_head(Disk(), path, name)
    assert read_head(Disk(), path) == name
    original = path.read_bytes()
    for place in range(len(original)):
        data = bytearray(original)
        data[place] ^= 0x21
        path.write_bytes(data)
        with pytest.raises(Corruption, match="main"):
            read_head(Disk(), path)
    path.write_bytes(b"")
    with pytest.raises(Corruption):
        read_head(Disk(), path)


def test_refs_are_plain_values(objects: Objects) -> None:
    ref = write_pack(objects, "x", {"a": np.arange(5)})
    assert ObjectRef.from_list(msgpack.unpackb(msgpack.packb(ref.to_list()))) == ref
    meta = SegmentMeta(ref, 5)
    assert SegmentMeta.from_list(msgpack.unpackb(msgpack.packb(meta.to_list()))) == meta
