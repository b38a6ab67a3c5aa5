"""Block checksums: large objects are checked piece by piece, when a piece is first touched.

An object with blocks ends in a *directory* (canonical msgpack) that says what lies where and
holds the xxh3-64 of every 256 KiB block before it (the last block may be shorter). An
`ObjectRef`, kept in a manifest or a WAL record, says where the directory is and what it hashes
to, so that opening a database reads no object at all and opening an object reads the directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgpack
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from hartonomous.storage.decoding import decoding, unpack
from hartonomous.storage.disk import Data
from hartonomous.storage.errors import Corruption
from hartonomous.storage.frozen import frozen
from hartonomous.storage.objects import Objects, ObjectWriter

BLOCK: Final = 256 * 1024
#: buffers begin at multiples of this in the file, hence in memory
ALIGNMENT: Final = 64
#: a directory's checksum at the end of a file
SEAL_BYTES: Final = 8


@frozen
class ObjectRef:
    """An object with blocks: its name, its length, and its directory's place and xxh3-64."""

    name: str
    bytes: int
    directory_offset: int
    directory_bytes: int
    directory_checksum: int

    def to_list(self) -> list[Any]:
        """Plain values for msgpack."""
        return [
            bytes.fromhex(self.name),
            self.bytes,
            self.directory_offset,
            self.directory_bytes,
            self.directory_checksum,
        ]

    @staticmethod
    def from_list(data: list[Any]) -> ObjectRef:
        name, *numbers = data
        return ObjectRef(name.hex(), *numbers)


class BlockHasher:
    """xxh3-64 of every block of a stream of pieces."""

    def __init__(self) -> None:
        self._state = xxhash.xxh3_64()
        self._room = BLOCK
        self._checksums: list[int] = []

    def update(self, piece: Data) -> None:
        view = memoryview(piece).cast("B")
        while len(view) >= self._room:
            self._state.update(view[: self._room])
            view = view[self._room :]
            self._checksums.append(self._state.intdigest())
            self._state.reset()
            self._room = BLOCK
        self._state.update(view)
        self._room -= len(view)

    def checksums(self) -> np.ndarray:
        """uint64[blocks] of all pieces so far; the last block may be short."""
        last = [self._state.intdigest()] if self._room < BLOCK else []
        return np.array(self._checksums + last, dtype="<u8")


class BlockWriter:
    """Writes an object with blocks: pieces, then finish() with the directory."""

    def __init__(self, objects: Objects) -> None:
        self._hasher = BlockHasher()
        self._writer: ObjectWriter = objects.writer(also=self._take)
        self._taking = True

    @property
    def size(self) -> int:
        return self._writer.size

    def write(self, *pieces: Data) -> None:
        self._writer.write(*pieces)

    def align(self) -> None:
        """Zeros up to the next aligned offset."""
        self._writer.write(bytes(-self.size % ALIGNMENT))

    def finish(
        self,
        directory: Mapping[str, Any],
        *trailer: Data,
        seal: bool = False,
        staged: bool = False,
    ) -> ObjectRef:
        """Write the directory and what the file's own format wants after it; commit (`staged`: as
        ObjectWriter.commit). `seal`: the directory's checksum ends the file, so that it can be
        opened without a reference."""
        self._writer.drain()
        self._taking = False
        offset = self.size
        packed: bytes = msgpack.packb(
            {**directory, "checksums": self._hasher.checksums().tobytes()}, use_bin_type=True
        )
        checksum = xxhash.xxh3_64_intdigest(packed)
        if seal:
            trailer = (*trailer, checksum.to_bytes(SEAL_BYTES, "little"))
        self._writer.write(packed, *trailer)
        size, name = self.size, self._writer.commit(staged=staged)
        return ObjectRef(name, size, offset, len(packed), checksum)

    def abort(self) -> None:
        self._writer.abort()

    def _take(self, piece: Data) -> None:
        if self._taking:
            self._hasher.update(piece)


class BlockReader:
    """An object with blocks, mapped. `slice` gives its bytes, checked on first touch.

    `label` says in errors whose object it is (a table's name).
    """

    def __init__(self, objects: Objects, ref: ObjectRef, label: str = "") -> None:
        self.ref, self._label = ref, label
        self.buffer: pa.Buffer = objects.map(ref.name)
        end = ref.directory_offset + ref.directory_bytes
        if self.buffer.size != ref.bytes or end > ref.bytes:
            raise self._corruption(f"it has {self.buffer.size} bytes, expected {ref.bytes}")
        packed = self.buffer.slice(ref.directory_offset, ref.directory_bytes)
        found = xxhash.xxh3_64_intdigest(packed)
        if found != ref.directory_checksum:
            raise self._corruption(
                f"directory at offset {ref.directory_offset}: "
                f"expected {ref.directory_checksum:016x}, found {found:016x}"
            )
        with decoding(f"object {ref.name}"):
            self.directory: dict[str, Any] = unpack(packed)
            self._checksums = np.frombuffer(self.directory["checksums"], dtype="<u8")
            if len(self._checksums) != (ref.directory_offset + BLOCK - 1) // BLOCK:
                raise ValueError("one checksum for each block")
        self._checked = np.zeros(len(self._checksums), dtype=np.bool_)
        self.bytes_checked = 0

    def slice(self, offset: int, length: int) -> pa.Buffer:
        """Bytes [offset, offset + length), which lie before the directory; no copy."""
        self.check(offset, length)
        return self.buffer.slice(offset, length)

    def check(self, offset: int, length: int) -> None:
        """Check the blocks in which a range lies, those that were not checked before."""
        if offset < 0 or length < 0 or offset + length > self.ref.directory_offset:
            raise self._corruption(f"range {offset} + {length} lies outside its data")
        if length == 0:
            return
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        checked = self._checked[first : last + 1]
        if checked.all():
            return
        for block in (first + np.flatnonzero(~checked)).tolist():
            self._check_block(block)

    def check_ranges(self, offsets: npt.NDArray[np.int64], length: int) -> None:
        """As check(), for many ranges of one length."""
        if not len(offsets) or length == 0 or self._checked.all():
            return
        if offsets.min() < 0 or offsets.max() + length > self.ref.directory_offset:
            raise self._corruption(f"a range of {length} lies outside its data")
        begun = np.zeros(len(self._checked) + 1, np.int64)
        np.add.at(begun, offsets // BLOCK, 1)
        np.add.at(begun, (offsets + length - 1) // BLOCK + 1, -1)
        for block in np.flatnonzero((begun.cumsum()[:-1] > 0) & ~self._checked).tolist():
            self._check_block(block)

    def check_all(self) -> None:
        """Check every block, those checked before as well."""
        for block in range(len(self._checksums)):
            self._check_block(block)

    def _check_block(self, block: int) -> None:
        start = block * BLOCK
        length = min(BLOCK, self.ref.directory_offset - start)
        found = xxhash.xxh3_64_intdigest(self.buffer.slice(start, length))
        expected = int(self._checksums[block])
        if found != expected:
            raise self._corruption(
                f"block {block} at offset {start}: expected {expected:016x}, found {found:016x}"
            )
        self._checked[block] = True
        self.bytes_checked += length

    def _corruption(self, what: str) -> Corruption:
        whose = f" of {self._label}" if self._label else ""
        return Corruption(f"object {self.ref.name}{whose} is damaged: {what}")
