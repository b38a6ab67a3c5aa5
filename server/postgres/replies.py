"""What the server sends to a client of PostgreSQL, as bytes (DataRow is made in rows.py)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from hartonomous.server.postgres.types import Column

AUTHENTICATED = b"R\0\0\0\x08\0\0\0\0"
PARSED = b"1\0\0\0\x04"
BOUND = b"2\0\0\0\x04"
CLOSED = b"3\0\0\0\x04"
NO_DATA = b"n\0\0\0\x04"
EMPTY_QUERY = b"I\0\0\0\x04"
SUSPENDED = b"s\0\0\0\x04"
#: answers to SSLRequest and GSSENCRequest, a byte each
TLS_BEGINS, REFUSED = b"S", b"N"
#: the texts of a message's fields end with a zero byte, so none may hold one
_ZERO = "\N{SYMBOL FOR NULL}"


def message(kind: bytes, body: bytes) -> bytes:
    """A message with its letter and length."""
    return kind + struct.pack("!i", len(body) + 4) + body


def text(value: str) -> bytes:
    """UTF-8 and a zero byte. What has no UTF-8 form becomes `?`."""
    return value.replace("\0", _ZERO).encode(errors="replace") + b"\0"


def sasl_mechanisms(names: Iterable[str]) -> bytes:
    """AuthenticationSASL: how the client may prove its password."""
    return message(b"R", struct.pack("!i", 10) + b"".join(map(text, names)) + b"\0")


def sasl_continue(data: bytes) -> bytes:
    return message(b"R", struct.pack("!i", 11) + data)


def sasl_final(data: bytes) -> bytes:
    return message(b"R", struct.pack("!i", 12) + data)


def parameter_status(name: str, value: str) -> bytes:
    return message(b"S", text(name) + text(value))


def key_data(process: int, key: int) -> bytes:
    """What a CancelRequest must name; both are int32."""
    return message(b"K", struct.pack("!ii", process, key))


def negotiate(minor: int, refused: Sequence[str]) -> bytes:
    """NegotiateProtocolVersion: the newest minor version that is spoken, options not known."""
    return message(b"v", struct.pack("!ii", minor, len(refused)) + b"".join(map(text, refused)))


def ready(status: str) -> bytes:
    """ReadyForQuery: I idle, T in a transaction, E in one that failed."""
    return b"Z\0\0\0\x05" + status.encode()


def row_description(columns: Sequence[Column], formats: Sequence[int]) -> bytes:
    """RowDescription; `formats` as Bind has them."""
    parts = [struct.pack("!H", len(columns))]
    for column, format_ in zip(columns, spread(formats, len(columns)), strict=True):
        parts.append(text(column.name))
        kind = column.kind
        parts.append(struct.pack("!ihIhih", 0, 0, kind.oid, kind.size, column.modifier, format_))
    return message(b"T", b"".join(parts))


def parameter_description(oids: Sequence[int]) -> bytes:
    return message(b"t", struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def complete(tag: str) -> bytes:
    """CommandComplete: `INSERT 0 3`, `SELECT 1`, `CREATE TABLE`."""
    return message(b"C", text(tag))


def error(fields: Mapping[str, str]) -> bytes:
    """ErrorResponse by its fields' letters: S severity, V the same, C SQLSTATE, M message, H hint,
    P position, W where, D detail."""
    return message(b"E", _fields(fields))


def notice(fields: Mapping[str, str]) -> bytes:
    """NoticeResponse, by the same letters."""
    return message(b"N", _fields(fields))


def _fields(fields: Mapping[str, str]) -> bytes:
    return b"".join(letter.encode() + text(value) for letter, value in fields.items()) + b"\0"


def spread(formats: Sequence[int], count: int) -> Sequence[int]:
    """A format for each column: none given is text for all, one is for all."""
    if len(formats) == count:
        return formats
    return [formats[0] if formats else 0] * count
