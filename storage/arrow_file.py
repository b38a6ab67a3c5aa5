"""The frame of an Arrow IPC file: the messages around the buffers.

pyarrow aligns buffers in a file to 8 bytes only, and its writer copies; the segment writer lays
buffers out itself at multiples of 64 and takes from here the flatbuffers that make the file one
that every Arrow library reads. Byte layouts are in docs/FORMAT.md; field numbers are those of
Arrow's Message.fbs, Schema.fbs and File.fbs. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from hartonomous.storage.frozen import frozen

MAGIC: Final = b"ARROW1"
HEAD: Final = MAGIC + b"\0\0"
END_OF_STREAM: Final = b"\xff\xff\xff\xff\0\0\0\0"
_METADATA_V5: Final = 4
_RECORD_BATCH: Final = 3

# A record batch message: root offset, vtable of Message, Message, vtable of RecordBatch,
# RecordBatch, nodes, buffers. Everything up to the nodes has a fixed place.
_BATCH_HEAD: Final = struct.Struct(
    "<I"  # 0: root -> 16
    "HHHHHH"  # 4: Message: vtable size, table size, version, header type, header, body length
    "iIqhBxxxxx"  # 16: to vtable, header -> 56, body length, version, header type
    "HHHHH6x"  # 40: RecordBatch: vtable size, table size, length, nodes, buffers
    "iIqI4x"  # 56: to vtable, nodes -> 84, length, buffers
    "4xI"  # 80: number of nodes; they follow at 88
)


@frozen
class Block:
    """A message in the file: where it begins, bytes of its metadata, bytes of its body."""

    offset: int
    metadata_bytes: int
    body_bytes: int


def batch_message(
    rows: int,
    nodes: Sequence[tuple[int, int]],
    buffers: Sequence[tuple[int, int]],
    body_bytes: int,
    offset: int,
    alignment: int,
) -> bytes:
    """The message before a record batch's body, padded so that the body, when the message
    stands at `offset`, begins at a multiple of `alignment`.

    nodes: (length, null count); buffers: (offset in the body, length), both depth first.
    """
    buffers_at = 88 + 16 * len(nodes)
    head = _BATCH_HEAD.pack(
        16,
        *(12, 24, 16, 18, 4, 8),
        *(16 - 4, 56 - 20, body_bytes, _METADATA_V5, _RECORD_BATCH),
        *(10, 24, 8, 4, 16),
        *(56 - 40, 84 - 60, rows, buffers_at + 4 - 72),
        len(nodes),
    )
    flat = [x for pair in nodes for x in pair]
    places = [x for pair in buffers for x in pair]
    body = b"".join(
        (
            head,
            struct.pack(f"<{len(flat)}q", *flat),
            struct.pack("<4xI", len(buffers)),
            struct.pack(f"<{len(places)}q", *places),
        )
    )
    body += bytes(-(offset + 8 + len(body)) % alignment)
    return b"\xff\xff\xff\xff" + struct.pack("<i", len(body)) + body


def schema_message(schema: pa.Schema) -> bytes:
    """The message that follows HEAD, padded to 8 bytes."""
    message: bytes = schema.serialize().to_pybytes()
    return message


def footer(schema: pa.Schema, blocks: Sequence[Block]) -> bytes:
    """What ends the file: footer, its length, magic.

    The footer's schema is the schema message's own flatbuffer, put behind the footer's tables
    and pointed into: offsets in a flatbuffer are relative, so they hold where it is moved.
    """
    schema_at = 40 + 24 * len(blocks)
    inner = schema_message(schema)[8:]
    table = _schema_table(inner)
    body = b"".join(
        (
            struct.pack("<IHHHHHH", 16, 12, 16, 12, 4, 0, 8),
            struct.pack("<iIIh2x", 12, schema_at + table - 20, 36 - 24, _METADATA_V5),
            struct.pack("<4xI", len(blocks)),
            *(struct.pack("<qi4xq", b.offset, b.metadata_bytes, b.body_bytes) for b in blocks),
            inner,
        )
    )
    return body + struct.pack("<i", len(body)) + MAGIC


def _schema_table(flatbuffer: bytes) -> int:
    """Where the Schema table stands in a schema message's flatbuffer."""
    (message,) = struct.unpack_from("<I", flatbuffer, 0)
    (to_vtable,) = struct.unpack_from("<i", flatbuffer, message)
    header_field = 2
    (field,) = struct.unpack_from("<H", flatbuffer, message - to_vtable + 4 + 2 * header_field)
    (relative,) = struct.unpack_from("<I", flatbuffer, message + field)
    return int(message + field + relative)
