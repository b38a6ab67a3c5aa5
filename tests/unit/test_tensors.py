"""Tensor packs: on disk and in memory, shared, checked when first touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tensor_bytes

from hartonomous.kernels.blocks import BLOCKS, row_bytes
from hartonomous.storage.blocks import BLOCK
from hartonomous.storage.database import Database
from hartonomous.storage.errors import Corruption, FormatFault, ReadOnly
from hartonomous.storage.tensors import (
    PackRef,
    TensorPack,
    open_pack,
    put_object,
    read_object,
    write_pack,
)


@pytest.fixture(params=["disk", "memory"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = Database.open(None if request.param == "memory" else tmp_path / "a.hdb")
    yield database
    database.close()


@pytest.mark.parametrize("dtype", BLOCKS)
def test_every_type_comes_back(database: Database, dtype: str) -> None:
    data = tensor_bytes(dtype, 5, 256, 1)
    transaction = database.begin()
    ref = write_pack(transaction, dtype, 5, 256, (row for row in data))
    assert (ref.dtype, ref.rows, ref.length, ref.bytes) == (dtype, 5, 256, data.nbytes)
    found = open_pack(database, ref).data
    assert np.array_equal(found, data) and found.dtype == np.uint8
    assert found.ctypes.data % 64 == 0 and not found.flags.writeable


@pytest.mark.parametrize("shape", [(0, 32), (1, 0), (0, 0)])
def test_nothing_in_it(database: Database, shape: tuple[int, int]) -> None:
    pack = open_pack(database, write_pack(database.begin(), "F16", *shape, []))
    assert pack.data.shape == (shape[0], 2 * shape[1])
    assert len(pack.gather(np.empty(0, np.int64))) == 0


def test_row_bytes() -> None:
    assert [row_bytes("Q4_K", 512), row_bytes("BF16", 3), row_bytes("Q8_0", 0)] == [288, 6, 0]
    for dtype, length in (("Q4_0", 31), ("F32", -1), ("Q3_X", 32)):
        with pytest.raises(ValueError):
            row_bytes(dtype, length)


def test_names_are_content(tmp_path: Path) -> None:
    """The same in a folder and in memory; another type or shape is another object."""
    data = tensor_bytes("F32", 8, 16, 3)
    names = []
    for where in (tmp_path / "a.hdb", tmp_path / "b.hdb", None):
        transaction = Database.open(where).begin()
        names.append(write_pack(transaction, "F32", 8, 16, [data]).name)
        names.append(write_pack(transaction, "F32", 8, 16, [data[:3], data[3:]]).name)
        assert names[-1] != write_pack(transaction, "I32", 8, 16, [data]).name
        assert names[-1] != write_pack(transaction, "F32", 16, 8, [data]).name
        assert put_object(transaction, b"x") == put_object(transaction, b"x")
        transaction.database.close()
    assert len(set(names)) == 1


def test_stored_once_and_little_more(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "a.hdb")
    data = tensor_bytes("F32", 1000, 300, 0)
    transaction = database.begin()
    first = write_pack(transaction, "F32", 1000, 300, [data])
    assert write_pack(transaction, "F32", 1000, 300, [data]) == first
    assert database.objects is not None
    assert data.nbytes < database.objects.size(first.name) < 1.001 * data.nbytes
    database.object_store.settle(transaction.objects)
    assert write_pack(transaction, "F32", 1000, 300, [data]) == first
    assert list((tmp_path / "a.hdb" / "objects" / "tmp").iterdir()) == []
    database.close()


def test_short_data_is_refused(database: Database) -> None:
    transaction = database.begin()
    with pytest.raises(AssertionError):
        write_pack(transaction, "F32", 3, 4, [bytes(44)])
    with pytest.raises(ZeroDivisionError):
        write_pack(transaction, "F32", 3, 4, (bytes(1 // (2 - i)) for i in range(3)))
    assert transaction.objects == []


def test_nothing_is_written_where_it_is_only_read(tmp_path: Path) -> None:
    folder = tmp_path / "a.hdb"
    Database.open(folder).close()
    before = sorted((folder / "objects").rglob("*"))
    reader = Database.open(folder, read_only=True)
    with pytest.raises(ReadOnly):
        write_pack(reader.begin(), "F32", 1, 4, [b"0123456789abcdef"])
    with pytest.raises(ReadOnly):
        put_object(reader.begin(), b"bytes")
    reader.close()
    assert sorted((folder / "objects").rglob("*")) == before


def test_rows_and_gather(database: Database) -> None:
    data = tensor_bytes("U8", 3000, 1000, 5)
    pack = open_pack(database, write_pack(database.begin(), "U8", 3000, 1000, [data]))
    assert np.array_equal(pack.rows(17, 1900), data[17:1900])
    some = np.array([2999, 0, 5, 5, 262])
    assert np.array_equal(pack.gather(some), data[some])


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[tuple[Database, PackRef]]:
    """A pack of five blocks, the third of which has one wrong bit."""
    database = Database.open(tmp_path / "a.hdb")
    transaction = database.begin()
    ref = write_pack(transaction, "U8", 1280, 1024, [tensor_bytes("U8", 1280, 1024, 0)])
    flip(database, transaction.objects, ref.name, 2 * BLOCK + 77)
    yield database, ref
    database.close()


def flip(database: Database, staged: list[str], name: str, offset: int) -> None:
    assert database.objects is not None
    database.objects.settle(staged)
    path = database.objects.path(name)
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_damage_is_found_where_it_is_touched(damaged: tuple[Database, PackRef]) -> None:
    database, ref = damaged
    pack = open_pack(database, ref, 'tensor "t" of model "m"')
    rows = BLOCK // 1024
    assert len(pack.rows(0, 2 * rows)) == 2 * rows
    assert len(pack.rows(3 * rows, 1280))
    assert len(pack.gather(np.array([0, 2 * rows - 1, 3 * rows, 1279])))
    touching = [
        lambda: pack.rows(2 * rows - 1, 2 * rows + 1),
        lambda: pack.gather(np.array([0, 3 * rows - 1])),
        lambda: pack.data,
    ]
    for touch in touching:
        with pytest.raises(Corruption, match=rf'{ref.name} of tensor "t" of model "m".*block 2 '):
            touch()


@pytest.mark.parametrize("place", [-1, -9, 1280 * 1024 + 3])
def test_damage_of_the_directory(tmp_path: Path, place: int) -> None:
    database = Database.open(tmp_path / "a.hdb")
    transaction = database.begin()
    ref = write_pack(transaction, "U8", 1280, 1024, [bytes(1280 * 1024)])
    flip(database, transaction.objects, ref.name, place)
    with pytest.raises(Corruption, match=f"{ref.name} of t is damaged: directory"):
        open_pack(database, ref, "t")
    database.close()


def test_cut_and_missing(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "a.hdb")
    transaction = database.begin()
    ref = write_pack(transaction, "U8", 10, 1024, [bytes(10240)])
    other = PackRef.of(ref.name, "I8", 10, 1024)
    with pytest.raises(FormatFault, match=r"is not I8\[10, 1024\]"):
        open_pack(database, other)
    assert database.objects is not None
    database.objects.settle(transaction.objects)
    path = database.objects.path(ref.name)
    whole = path.read_bytes()
    for length in (0, 5, 10240, 10247, 10250, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(Corruption, match=ref.name):
            _ = TensorPack(_fresh(database), ref).data
    path.unlink()
    with pytest.raises(Corruption, match=f"{ref.name} is missing"):
        TensorPack(_fresh(database), ref)
    database.close()


def _fresh(database: Database):  # type: ignore[no-untyped-def]
    from hartonomous.storage.objects import Objects

    assert database.objects is not None
    return Objects(database.disk, database.objects.folder)


def test_a_damaged_object_names_its_owner_and_is_mended(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "a.hdb")
    transaction = database.begin()
    name = put_object(transaction, b"some bytes")
    flip(database, transaction.objects, name, 3)
    assert database.objects is not None
    database.objects.is_whole(name)  # forgets what it knew
    with pytest.raises(Corruption, match=f"{name} is damaged.*; it is the tokenizer of m"):
        read_object(database, name, "the tokenizer of m")
    assert put_object(transaction, b"some bytes") == name
    assert read_object(database, name).to_pybytes() == b"some bytes"
    database.objects.settle([name])
    assert database.objects.path(name).read_bytes() == b"some bytes"
    database.close()
