"""Decoding what a file says: msgpack in, and no foreign exception out."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from typing import Any

import msgpack

from hartonomous.storage.disk import Data
from hartonomous.storage.errors import FormatFault

_FOREIGN = (
    ValueError,  # pyarrow's faults are ValueErrors too
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    struct.error,
    msgpack.UnpackException,
)


@contextlib.contextmanager
def decoding(what: str) -> Iterator[None]:
    """Bytes that pass their checksum and still make no sense are of a format that we do not
    know: FormatFault, naming `what`."""
    try:
        yield
    except _FOREIGN as fault:
        raise FormatFault(
            f"{what} is not of a format that this version knows: {fault!r}"
        ) from fault


def unpack(data: Data) -> Any:
    """Plain values from msgpack; integer keys are allowed, extension types are not used."""
    return msgpack.unpackb(data, raw=False, strict_map_key=False)
