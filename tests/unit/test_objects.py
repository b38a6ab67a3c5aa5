"""Objects: named by their bytes, whole or absent, found damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from faulty_disk import FaultyDisk

from hartonomous.storage.blocks import BLOCK, BlockHasher, BlockReader, BlockWriter
from hartonomous.storage.disk import Disk
from hartonomous.storage.errors import Corruption, DiskFault, FormatFault
from hartonomous.storage.objects import THREAD_FROM, Objects
from hartonomous.storage.packs import Pack, write_pack


def make(folder: Path, disk: Disk | None = None) -> Objects:
    objects = Objects(disk or Disk(), folder)
    objects.prepare()
    return objects


def test_an_object_is_named_by_its_bytes(tmp_path: Path) -> None:
    objects = make(tmp_path)
    name = objects.put(b"hello")
    assert name == hashlib.sha256(b"hello").hexdigest()
    assert objects.path(name) == tmp_path / name[:2] / name[2:]
    assert objects.read(name).to_pybytes() == b"hello" and objects.size(name) == 5
    assert objects.put(b"hello") == name and list(objects.names()) == [name]
    objects.remove(name)
    assert not objects.exists(name) and list(objects.names()) == []


def test_large_objects_are_hashed_beside_the_writing(tmp_path: Path) -> None:
    objects = make(tmp_path)
    data = np.random.default_rng(1).bytes(3 * THREAD_FROM + 17)
    seen = bytearray()
    with objects.writer(also=lambda piece: seen.extend(memoryview(piece))) as writer:
        for start in range(0, len(data), 100_001):
            writer.write(data[start : start + 50_000], data[start + 50_000 : start + 100_001])
        assert writer.size == len(data)
        name = writer.commit()
    assert name == hashlib.sha256(data).hexdigest() and bytes(seen) == data
    assert objects.read(name).to_pybytes() == data
    with objects.writer() as writer:  # the same once more
        writer.write(data)
        assert writer.commit() == name
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_failure_in_the_hashing_thread_reaches_the_writer(tmp_path: Path) -> None:
    def fails(piece: object) -> None:
        raise MemoryError("no room")

    writer = make(tmp_path).writer(also=fails)
    writer._hash([bytes(THREAD_FROM)])
    with pytest.raises(MemoryError):
        writer.commit()
    writer.abort()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_leftovers_of_a_dead_writer_are_swept(tmp_path: Path) -> None:
    objects = make(tmp_path)
    objects.writer().write(b"never finished")
    assert list((tmp_path / "tmp").iterdir())
    make(tmp_path)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_damage_and_absence_are_corruption(tmp_path: Path) -> None:
    objects = make(tmp_path)
    name = objects.put(b"hello")
    objects.verify(name)
    objects.path(name).write_bytes(b"hellp")
    with pytest.raises(Corruption, match=name):
        objects.verify(name)
    with pytest.raises(Corruption, match=name):
        make(tmp_path).read(name)
    objects.remove(name)
    with pytest.raises(Corruption, match="missing"):
        objects.read(name)


def test_a_damaged_object_is_replaced_when_written_again(tmp_path: Path) -> None:
    objects = make(tmp_path)
    name = objects.put(b"first bytes")
    objects.path(name).write_bytes(b"other bytes")
    with objects.writer() as writer:
        writer.write(b"first bytes")
        assert writer.commit() == name
    assert objects.read(name).to_pybytes() == b"first bytes"


@pytest.mark.parametrize("tear", [False, True])
def test_whole_or_absent_whatever_fails(tmp_path: Path, tear: bool) -> None:
    data = bytes(range(256)) * 40
    counting = FaultyDisk()
    make(tmp_path / "count", counting).put(data)
    assert counting.operations >= 7
    for at in range(1, counting.operations + 2):
        for seed in range(6):
            folder = tmp_path / f"{at}-{seed}"
            disk = FaultyDisk(at, tear=tear)
            try:
                make(folder, disk).put(data)
                acknowledged = True
            except DiskFault:
                acknowledged = False
            assert acknowledged == (at > counting.operations)
            disk.cut_power(seed)
            objects = make(folder)
            names = list(objects.names())
            assert len(names) <= 1 and (names or not acknowledged)
            for name in names:
                assert objects.read(name).to_pybytes() == data


def test_block_checksums_do_not_depend_on_the_pieces() -> None:
    data = np.random.default_rng(2).bytes(3 * BLOCK + 5)
    whole, pieces = BlockHasher(), BlockHasher()
    whole.update(data)
    for start in range(0, len(data), 77_777):
        pieces.update(data[start : start + 77_777])
    assert whole.checksums().tolist() == pieces.checksums().tolist()
    assert len(whole.checksums()) == 4
    exact = BlockHasher()
    exact.update(data[: 2 * BLOCK])
    assert exact.checksums().tolist() == whole.checksums()[:2].tolist()


def test_blocks_are_checked_where_touched(tmp_path: Path) -> None:
    objects = make(tmp_path)
    data = bytearray(np.random.default_rng(3).bytes(4 * BLOCK + 100))
    writer = BlockWriter(objects)
    writer.write(bytes(data))
    ref = writer.finish({"what": "test"}, b"trailer")
    reader = BlockReader(objects, ref)
    assert reader.directory["what"] == "test"
    assert reader.slice(BLOCK - 1, 2).to_pybytes() == bytes(data[BLOCK - 1 : BLOCK + 1])
    assert reader.bytes_checked == 2 * BLOCK
    path = objects.path(ref.name)
    raw = bytearray(path.read_bytes())
    raw[4 * BLOCK + 3] ^= 1
    path.write_bytes(raw)
    reader = BlockReader(make(tmp_path), ref, "dbo.t")
    reader.slice(0, 4 * BLOCK)
    assert reader.slice(2 * BLOCK, 0).size == 0
    with pytest.raises(Corruption, match="of dbo.t is damaged: block 4 at offset 1048576"):
        reader.slice(4 * BLOCK, 1)
    with pytest.raises(Corruption):
        reader.check_all()
    with pytest.raises(Corruption, match="outside"):
        reader.slice(4 * BLOCK, 500)


def test_packs(tmp_path: Path) -> None:
    objects = make(tmp_path)
    arrays = {
        "hashes": np.arange(64, dtype=np.uint8).reshape(2, 32),
        "sequences": np.array([5, 6], np.int64),
        "none": np.zeros(0, np.int64),
    }
    ref = write_pack(objects, "test", arrays, {"rows": 2})
    pack = Pack(objects, ref, "test")
    assert pack.info == {"rows": 2} and pack.names == list(arrays)
    for name, array in arrays.items():
        found = pack.array(name)
        assert found.dtype == array.dtype and found.tolist() == array.tolist()
        assert found.shape == array.shape and not found.flags.writeable
    assert pack.array("sequences").ctypes.data % 64 == 0
    with pytest.raises(FormatFault, match="a pack of test, not other"):
        Pack(objects, ref, "other")
    with pytest.raises(FormatFault):
        pack.array("missing")
