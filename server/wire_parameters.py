"""What a client hands over with a text: parameters, sets of parameters, uploads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgpack

from hartonomous.hql.errors import ParameterFault, WireFault
from hartonomous.server.wire import ENTRIES_MAX, Frame, open_message, take
from hartonomous.server.wire_values import (
    TableBytes,
    Uploaded,
    Wrong,
    check_values,
    read_table,
)

Given = Mapping[str, Any] | Sequence[Any] | None
#: uploads that one session has begun and not used
UPLOADS_MAX = 256


class Uploads:
    """What a session has uploaded: bytes by the client's numbers, used once. One that is too large
    is let go of, and the statement that names it fails."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        self._parts: dict[int, list[bytes]] = {}
        self._whole: set[int] = set()
        self._too_large: set[int] = set()

    def add(self, number: int, data: bytes, last: bool) -> None:
        """One more piece. Raises WireFault."""
        if number in self._whole:
            raise WireFault(f"upload {number} has ended already")
        if number in self._too_large:
            return
        if number not in self._parts and len(self._parts) + len(self._too_large) >= UPLOADS_MAX:
            raise WireFault(f"more than {UPLOADS_MAX} uploads")
        self._parts.setdefault(number, []).append(data)
        self.bytes += len(data)
        if self.bytes > self.bytes_max:
            self._drop(number)
            self._too_large.add(number)
        elif last:
            self._whole.add(number)

    def take(self, number: int) -> bytes:
        """All of an upload, which is forgotten. Raises ParameterFault."""
        if number in self._too_large:
            self._too_large.discard(number)
            raise ParameterFault(
                f"the upload is too large: the server takes {self.bytes_max:,} bytes of a session",
                hint="upload it in parts, or as a file for COPY",
            )
        if number not in self._whole:
            raise ParameterFault(f"upload {number} is not there, or has not ended")
        self._whole.discard(number)
        return b"".join(self._drop(number))

    def _drop(self, number: int) -> list[bytes]:
        parts = self._parts.pop(number)
        self.bytes -= sum(map(len, parts))
        return parts


def given_parameters(params: Any, uploads: Uploads) -> Given | Callable[[], Given]:
    """Parameters by name or in order. With tables among them they are a function, to be called on
    an engine thread, as reading a table takes a while. Raises WireFault, ParameterFault."""
    if params is None:
        return None
    if type(params) not in (list, dict):
        raise WireFault("params are a map or an array")
    tables: dict[Any, TableBytes] = {}
    for key, value in params.items() if type(params) is dict else enumerate(params):
        kind = type(value)
        if kind is Wrong:
            raise ParameterFault(value.why)
        if kind is Uploaded:
            tables[key] = TableBytes(uploads.take(value.number))
        elif kind is TableBytes:
            tables[key] = value
    if not tables:
        return params  # type: ignore[no-any-return]

    def read() -> Given:
        found = dict(params) if type(params) is dict else list(params)
        for key, table in tables.items():
            found[key] = read_table(str(key), table.data)
        return found

    return read


def given_sets(frame: Frame, uploads: Uploads) -> Iterator[Mapping[str, Any] | Sequence[Any]]:
    """Sets of parameters, for `many`: an array of them, or an upload of one after the other."""
    number = take(frame, "upload", int, None)
    if number is None:
        return _checked(iter(take(frame, "sets", list)))
    return _checked(_read_sets(uploads.take(number)))


def _read_sets(data: bytes) -> Iterator[Any]:
    unpacker = open_message(data, ENTRIES_MAX)
    while unpacker.tell() < len(data):
        try:
            yield unpacker.unpack()
        except (msgpack.UnpackException, ValueError, TypeError) as fault:
            raise ParameterFault(f"the sets are not msgpack: {fault}") from fault


def _checked(sets: Iterator[Any]) -> Iterator[Mapping[str, Any] | Sequence[Any]]:
    for given in sets:
        if type(given) not in (list, dict):
            raise ParameterFault("a set of parameters is a map or an array")
        check_values(given)
        yield given
