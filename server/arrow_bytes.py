"""Arrow IPC bytes from outside, looked at before Arrow reads them.

A compressed buffer says how long it will be, and Arrow takes its word: eight bytes can ask for any
amount of memory. Whether a stream has such buffers stands in the metadata of its messages, which
are flatbuffers; here are the few fields of them that tell, read with every offset checked.

    message     int32 -1 | int32 length of metadata | flatbuffer Message, padded to 8 | body
    Message     0 version, 1 type of header, 2 header, 3 length of body
    RecordBatch 0 length, 1 nodes, 2 buffers, 3 compression
    Dictionary… 0 id, 1 data (a RecordBatch), 2 is delta
"""

from __future__ import annotations

import struct

_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_CONTINUATION = -1


def is_compressed(stream: bytes) -> bool:
    """Whether a message of an Arrow IPC stream has compressed buffers. Raises ValueError and
    struct.error for bytes that are no such stream."""
    place, end = 0, len(stream)
    while place + 8 <= end:
        mark, length = struct.unpack_from("<ii", stream, place)
        if mark != _CONTINUATION:
            raise ValueError(f"byte {place}: a message begins with {mark}, not with -1")
        if length == 0:
            return False
        if length < 0 or place + 8 + length > end:
            raise ValueError(f"byte {place}: metadata of {length} bytes")
        message = stream[place + 8 : place + 8 + length]
        root = struct.unpack_from("<I", message)[0]
        if _has_compression(message, root):
            return True
        body = _number(message, root, 3, "<q")
        if body < 0 or place + 8 + length + body > end:
            raise ValueError(f"byte {place}: a body of {body} bytes")
        place += 8 + length + body
    return False


def _has_compression(message: bytes, root: int) -> bool:
    kind = _number(message, root, 1, "<B")
    header = _table(message, root, 2)
    if kind == _DICTIONARY_BATCH and header is not None:
        header = _table(message, header, 1)
    elif kind != _RECORD_BATCH:
        return False
    return header is not None and _table(message, header, 3) is not None


def _field(message: bytes, table: int, index: int) -> int | None:
    """Where a table's field lies; None if it is left out."""
    back = struct.unpack_from("<i", message, table)[0]
    offsets = table - back
    if not 0 <= offsets <= len(message) - 4:
        raise ValueError("an offset leads out of the message")
    size = struct.unpack_from("<H", message, offsets)[0]
    if 4 + 2 * index + 2 > size:
        return None
    offset = struct.unpack_from("<H", message, offsets + 4 + 2 * index)[0]
    return table + offset if offset else None


def _number(message: bytes, table: int, index: int, form: str) -> int:
    place = _field(message, table, index)
    return 0 if place is None else int(struct.unpack_from(form, message, place)[0])


def _table(message: bytes, table: int, index: int) -> int | None:
    place = _field(message, table, index)
    if place is None:
        return None
    found = place + int(struct.unpack_from("<I", message, place)[0])
    if found > len(message) - 4:
        raise ValueError("an offset leads out of the message")
    return found
