"""Tensor packs: one object for each tensor, its rows as they are stored, so a matrix is one view.

    offset 0                 rows x row_bytes, in the tensor's own type (kernels/blocks.py)
    then                     the directory (blocks.py): dtype, rows, length, block checksums
    the last 8 bytes         xxh3-64 of the directory

The name is the hash of all that, so equal tensors are one object whoever has them. Objects
belong to the transaction that wrote them: they become durable together when it commits, and go if
it does not. A database in memory keeps them in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.kernels.blocks import row_bytes
from hartonomous.storage.blocks import SEAL_BYTES, BlockReader, BlockWriter, ObjectRef
from hartonomous.storage.disk import Data
from hartonomous.storage.errors import Corruption, FormatFault, ReadOnly
from hartonomous.storage.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.storage.database import Database
    from hartonomous.storage.objects import Objects
    from hartonomous.storage.transaction import Transaction


@frozen
class PackRef:
    """A tensor's object: its name, type, shape, and the bytes of its rows."""

    name: str
    dtype: str
    rows: int
    length: int
    bytes: int

    @staticmethod
    def of(name: str, dtype: str, rows: int, length: int) -> PackRef:
        """The reference of an object that holds such a tensor."""
        return PackRef(name, dtype, rows, length, rows * row_bytes(dtype, length))

    @property
    def row_bytes(self) -> int:
        return row_bytes(self.dtype, self.length)


class TensorPack:
    """A tensor, mapped. Blocks are checked when they are first touched in this process; `label`
    says in errors whose pack it is."""

    __slots__ = ("_blocks", "_data", "ref")

    def __init__(self, objects: Objects, ref: PackRef, label: str = "") -> None:
        self.ref = ref
        self._blocks = _reader(objects, ref, label)
        whole = np.frombuffer(self._blocks.buffer, np.uint8, ref.bytes)
        self._data = whole.reshape(ref.rows, ref.row_bytes)

    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """uint8[rows, row_bytes], read-only, beginning at a multiple of 64; all of it checked."""
        self._blocks.check(0, self.ref.bytes)
        return self._data

    def rows(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """uint8[stop - start, row_bytes]: a view of some rows, the blocks they lie in checked."""
        assert 0 <= start <= stop <= self.ref.rows, (start, stop, self.ref.rows)
        width = self.ref.row_bytes
        self._blocks.check(start * width, (stop - start) * width)
        return self._data[start:stop]

    def gather(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """uint8[K, row_bytes]: a copy of the rows of the given numbers, in their order."""
        self._blocks.check_ranges(rows * self.ref.row_bytes, self.ref.row_bytes)
        return self._data[rows]


def write_pack(
    transaction: Transaction, dtype: str, rows: int, length: int, pieces: Iterable[Data]
) -> PackRef:
    """Store a tensor: buffers that end to end are its rows. They must not change until this
    returns. Content that is there already is not stored again. ValueError for a length that
    `dtype` has no rows of; ReadOnly, DiskFault."""
    size = rows * row_bytes(dtype, length)
    database = _writable(transaction)
    mine: list[str] = []
    with database.garbage.writing(mine):
        writer = BlockWriter(database.object_store)
        try:
            for piece in pieces:
                writer.write(pa.py_buffer(piece))
            assert writer.size == size, f"{writer.size} bytes for {size}"
            directory = {"dtype": dtype, "rows": rows, "length": length}
            ref = writer.finish(directory, seal=True, staged=True)
        except BaseException:
            writer.abort()
            raise
        mine.append(ref.name)
    transaction.objects += mine
    return PackRef(ref.name, dtype, rows, length, size)


def open_pack(database: Database, ref: PackRef, label: str = "") -> TensorPack:
    """Corruption if the object is missing, or its directory damaged."""
    return TensorPack(database.object_store, ref, label)


def put_object(transaction: Transaction, data: Data) -> str:
    """Store bytes as an object of the transaction; its name, the SHA-256 of the bytes. ReadOnly,
    DiskFault."""
    database = _writable(transaction)
    objects = database.object_store
    name = hashlib.sha256(data).hexdigest()
    mine: list[str] = []
    with database.garbage.writing(mine):
        if not objects.is_whole(name):
            with objects.writer() as writer:
                writer.write(data)
                writer.commit(staged=True)
        mine.append(name)
    transaction.objects += mine
    return name


def _writable(transaction: Transaction) -> Database:
    """The database, whose folder is another process's where it is only read."""
    if transaction.database.read_only:
        raise ReadOnly("the database was opened read-only")
    return transaction.database


def read_object(database: Database, name: str, label: str = "") -> pa.Buffer:
    """The bytes of an object, mapped; checked against its name at the first reading in this
    process. Corruption if they are not those that were stored, naming `label`."""
    objects = database.object_store
    try:
        kept = objects.kept(name)
        if "whole" not in kept:
            kept["whole"] = objects.read(name)
        whole: pa.Buffer = kept["whole"]
        return whole
    except Corruption as fault:
        raise Corruption(f"{fault.message}; it is {label}" if label else fault.message) from fault


def _reader(objects: Objects, ref: PackRef, label: str) -> BlockReader:
    """The pack's one reader, which remembers the blocks it checked."""
    kept = objects.kept(ref.name)
    if (ref, label) not in kept:
        kept[ref, label] = _open(objects, ref, label)
    reader: BlockReader = kept[ref, label]
    return reader


def _open(objects: Objects, ref: PackRef, label: str) -> BlockReader:
    buffer = objects.map(ref.name)
    size = int(buffer.size)
    whose = f"object {ref.name} of {label}" if label else f"object {ref.name}"
    if size < ref.bytes + SEAL_BYTES:
        raise Corruption(f"{whose} is damaged: it has {size} bytes, its rows alone {ref.bytes}")
    checksum = int.from_bytes(buffer.slice(size - SEAL_BYTES).to_pybytes(), "little")
    directory_bytes = size - SEAL_BYTES - ref.bytes
    place = ObjectRef(ref.name, size, ref.bytes, directory_bytes, checksum)
    reader = BlockReader(objects, place, label)
    found: dict[str, Any] = reader.directory
    if (found["dtype"], found["rows"], found["length"]) != (ref.dtype, ref.rows, ref.length):
        raise FormatFault(f"{whose} is not {ref.dtype}[{ref.rows}, {ref.length}]")
    return reader
