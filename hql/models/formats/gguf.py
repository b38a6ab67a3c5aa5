"""GGUF: metadata, tokenizer and quantised tensors in one file, or in several parts.

| what | bytes, little-endian |
| --- | --- |
| start | "GGUF", version uint32, tensors uint64, entries uint64 |
| entries | gguf_values.py |
| tensors | name (text), dimensions uint32, each uint64 (the innermost first), type uint32, offset
  uint64 |
| data | from the next multiple of the alignment on, each tensor at a multiple of it |

As llama.cpp does, data are taken to lie in the order of the list, with no more between them than
the alignment asks for. The second and later parts (`NAME-00002-of-00003.gguf`) have tensors only.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hartonomous.hql.errors import NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.formats.files import ModelFile
from hartonomous.hql.models.formats.gguf_values import Cursor, Entry, encode_entry, encode_text
from hartonomous.hql.models.formats.source import SourceTensor, data_bytes
from hartonomous.kernels.blocks import BLOCKS

MAGIC: Final = b"GGUF"
#: version 1 had counts of 32 bits; 3 is 2 with big-endian files allowed
VERSIONS: Final = (2, 3)
ALIGNMENT_KEY: Final = "general.alignment"
ALIGNMENT: Final = 32
ALIGNMENT_MAX: Final = 1 << 16
ENTRIES_MAX: Final = 1 << 16
TENSORS_MAX: Final = 1 << 16
#: ggml has tensors of four dimensions
DIMENSIONS_MAX: Final = 4
NAME_BYTES_MAX: Final = 1_024
#: number in the file → type
TYPES: Final[dict[int, str]] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    6: "Q5_0",
    7: "Q5_1",
    8: "Q8_0",
    12: "Q4_K",
    13: "Q5_K",
    14: "Q6_K",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    30: "BF16",
}
CODES: Final = {name: number for number, name in TYPES.items()}


@frozen
class Part:
    """What one file holds, in its order."""

    version: int
    alignment: int
    entries: tuple[Entry, ...]
    tensors: tuple[SourceTensor, ...]

    def find(self, key: str) -> Any:
        """A key's value, or None."""
        return next((entry.value for entry in self.entries if entry.key == key), None)


def read_part(file: ModelFile) -> Part:
    """The metadata and tensors of a file. Raises MODEL_FORMAT, NotSupported."""
    cursor = Cursor(file)
    if cursor.take(4, "a GGUF's beginning") != MAGIC:
        cursor.offset = 0
        raise cursor.bad("it does not begin with GGUF")
    version = cursor.number("I", "the version")
    if version not in VERSIONS:
        if version & 0xFFFF == 0:
            raise NotSupported(f'not supported yet: big-endian GGUF files ("{file.path}")')
        raise cursor.bad(f"version {version:,}; versions 2 and 3 are known")
    tensors_count = _count(cursor, 33, "tensors", TENSORS_MAX)
    entries_count = _count(cursor, 14, "entries", ENTRIES_MAX)
    entries = _entries(cursor, entries_count)
    alignment = _alignment(cursor, entries)
    places = _places(cursor, tensors_count)
    first = _aligned(cursor.offset, alignment)
    if not places:
        first = min(first, file.size)
    tensors, reached = [], first
    for name, dtype, shape, offset in places:
        size = data_bytes(dtype, shape)
        if first + offset != reached:
            message = f'tensor "{name}" begins at {offset:,} of the data, not {reached - first:,}'
            raise cursor.bad(f"{message} where the one before it ends")
        if reached + size > file.size:
            message = f'tensor "{name}" ends at byte {reached + size:,}, and the file'
            raise cursor.bad(f"{message} at {file.size:,}")
        tensors.append(SourceTensor(name, dtype, shape, file.reader(reached, size)))
        end = reached + size
        reached = _aligned(end, alignment)
    if file.size > reached:
        raise cursor.bad(f"{file.size - reached:,} bytes follow the last tensor")
    return Part(version, alignment, entries, tuple(tensors))


def _count(cursor: Cursor, bytes_each: int, what: str, most: int) -> int:
    count = cursor.count(bytes_each, what)
    if count > most:
        cursor.offset -= 8
        raise cursor.bad(f"{count:,} {what}, and {most:,} is the most")
    return count


def _entries(cursor: Cursor, count: int) -> tuple[Entry, ...]:
    found: dict[str, Entry] = {}
    for _ in range(count):
        entry = cursor.entry()
        if entry.key in found:
            raise cursor.bad(f'two entries are called "{entry.key[:100]}"')
        found[entry.key] = entry
    return tuple(found.values())


def _alignment(cursor: Cursor, entries: Sequence[Entry]) -> int:
    entry = next((entry for entry in entries if entry.key == ALIGNMENT_KEY), None)
    if entry is None:
        return ALIGNMENT
    found = entry.value
    if entry.type != "UINT32" or not 1 <= found <= ALIGNMENT_MAX or found & (found - 1):
        raise cursor.bad(f"{ALIGNMENT_KEY} is no power of two up to {ALIGNMENT_MAX:,}")
    return int(found)


def _places(cursor: Cursor, count: int) -> list[tuple[str, str, tuple[int, ...], int]]:
    """Name, type, shape and offset of the tensors."""
    found: dict[str, tuple[str, str, tuple[int, ...], int]] = {}
    for _ in range(count):
        name = cursor.text("a tensor's name", NAME_BYTES_MAX)
        if not name or name in found:
            raise cursor.bad(f'two tensors are called "{name}"' if name else "a tensor has no name")
        what = f'tensor "{name}"'
        dimensions = cursor.number("I", what)
        if dimensions > DIMENSIONS_MAX:
            raise cursor.bad(f"{what} has {dimensions:,} dimensions; {DIMENSIONS_MAX} is the most")
        sizes = [cursor.number("Q", what) for _ in range(dimensions)]
        code = cursor.number("I", what)
        offset = cursor.number("Q", what)
        dtype = TYPES.get(code) or _refuse_type(cursor, code, name)
        length = sizes[0] if sizes else 1
        if length % BLOCKS[dtype][0]:
            raise cursor.bad(f"{what}: rows of {length:,} are no multiple of a block of {dtype}")
        if math.prod(sizes) >= 1 << 63:
            raise cursor.bad(f"{what} has more than 2**63 values")
        found[name] = name, dtype, tuple(reversed(sizes)), offset
    return list(found.values())


def _refuse_type(cursor: Cursor, code: int, name: str) -> str:
    """Types that GGUF has and this product has not, by the name that the package knows."""
    from gguf import GGMLQuantizationType

    try:
        known = GGMLQuantizationType(code).name
    except ValueError as fault:
        raise cursor.bad(f'tensor "{name}": there is no type {code:,}') from fault
    raise NotSupported(
        f'not supported yet: tensors of type {known} ("{cursor.file.path}", tensor "{name}")',
        hint="requantise the file to one of " + ", ".join(TYPES.values()),
    )


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


# --- writing -------------------------------------------------------------------------------------


def encode(
    entries: Sequence[Entry], tensors: Sequence[SourceTensor], version: int = VERSIONS[-1]
) -> Iterator[Any]:
    """The bytes of a file, piece by piece; the alignment is what the entries say."""
    alignment = next((e.value for e in entries if e.key == ALIGNMENT_KEY), ALIGNMENT)
    header = [MAGIC, struct.pack("<IQQ", version, len(tensors), len(entries))]
    header += [encode_entry(entry) for entry in entries]
    offset = 0
    for tensor in tensors:
        shape = tuple(reversed(tensor.shape))
        assert len(shape) <= DIMENSIONS_MAX, (tensor.name, shape)
        header.append(
            encode_text(tensor.name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        )
        header.append(struct.pack("<IQ", CODES[tensor.dtype], offset))
        offset = _aligned(offset + tensor.bytes, alignment)
    yield b"".join(header)
    written = sum(map(len, header))
    yield bytes(_aligned(written, alignment) - written)
    for tensor in tensors:
        yield from tensor.pieces()
        yield bytes(_aligned(tensor.bytes, alignment) - tensor.bytes)
