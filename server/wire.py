"""The wire protocol's frames, as bytes: docs/PROTOCOL.md is its description, this is its codec.

A message is one or more msgpack maps, one after the other: frames. `type` says what a frame is.

    client                                          server
    hello auth                                      challenge welcome
    query prepare execute many forget               columns rows notice progress finished complete
    credit next cancel close                        error
    begin commit rollback set                       done
    open_frame close_frame ask                      answer
    upload ping bye                                 pong goodbye

Nothing here knows sockets, so the same bytes run over anything that keeps messages apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgpack

from hartonomous.hql import errors as hql_errors
from hartonomous.hql.errors import HistoryFault, RaisedFault, WireFault
from hartonomous.server.events import (
    Columns,
    Complete,
    Event,
    Finished,
    Notice,
    Progress,
    Rows,
    State,
)
from hartonomous.server.sqlstates import sqlstate_of
from hartonomous.server.wire_values import decode_extension
from hartonomous.storage import errors as storage_errors
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import pyarrow as pa

VERSION: Final = 1
PATH: Final = "/v1/wire"
SUBPROTOCOL: Final = "hql.v1"
#: entries of one array or map of a client: what msgpack makes room for before it reads them
ENTRIES_MAX: Final = 16_384
#: frames of one message
FRAMES_MAX: Final = 1_024
#: longest line of a message shown in an error about bytes
_SHOWN: Final = 60

Frame = dict[str, Any]
T = TypeVar("T")

_pack = msgpack.Packer(use_bin_type=True, autoreset=True).pack


# --- frames and bytes ----------------------------------------------------------------------------


def pack(frame: Mapping[str, Any]) -> bytes:
    """A frame's bytes."""
    packed: bytes = _pack(frame)
    return packed


def unpack(message: bytes | memoryview, *, entries_max: int = ENTRIES_MAX) -> list[Frame]:
    """The frames of a message. Raises WireFault for anything that is not one."""
    try:
        try:
            frames = [_read_one(message, entries_max)]
        except msgpack.ExtraData:
            frames = _read_all(message, entries_max)
    except (msgpack.UnpackException, ValueError, TypeError, RecursionError) as fault:
        reason = str(fault)[:_SHOWN] or type(fault).__name__
        raise WireFault(f"a message is not msgpack as the protocol has it: {reason}") from fault
    for frame in frames:
        if type(frame) is not dict or type(frame.get("type")) is not str:
            raise WireFault("a frame is a map with a type")
    return frames


def _read_one(message: bytes | memoryview, entries_max: int) -> Any:
    return msgpack.unpackb(
        message,
        raw=False,
        strict_map_key=True,
        ext_hook=decode_extension,
        max_array_len=entries_max,
        max_map_len=entries_max,
    )


def open_rows(message: bytes | memoryview) -> Frame | None:
    """The frame of a message that is one frame of rows, written as `rows_parts` does it, its Arrow
    bytes where they lie; None for any other, which `unpack` reads."""
    if message[: len(_ROWS_HEAD)] != _ROWS_HEAD:
        return None
    unpacker = msgpack.Unpacker()
    unpacker.feed(message[len(_ROWS_HEAD) : _ROWS_HEAD_MAX])
    try:
        number, key, count, last = (unpacker.unpack() for _ in range(4))
    except (msgpack.UnpackException, ValueError):
        return None
    start = len(_ROWS_HEAD) + unpacker.tell() + len(_BIN) + 4
    head = bytes(message[start - len(_BIN) - 4 : start])
    size = len(message) - start
    if size < 0 or (key, last, head) != ("count", "arrow", _BIN + size.to_bytes(4, "big")):
        return None
    if type(number) is not int or type(count) is not int:
        return None
    return {"type": "rows", "id": number, "count": count, "arrow": message[start:]}


def open_message(data: bytes | memoryview, entries_max: int) -> Any:
    """A reader of the values that stand one after the other in a client's bytes, within bounds."""
    unpacker = msgpack.Unpacker(
        raw=False,
        strict_map_key=True,
        ext_hook=decode_extension,
        max_buffer_size=max(len(data), 1),
        max_array_len=entries_max,
        max_map_len=entries_max,
    )
    unpacker.feed(data)
    return unpacker


def _read_all(message: bytes | memoryview, entries_max: int) -> list[Any]:
    unpacker = open_message(message, entries_max)
    frames: list[Any] = []
    while unpacker.tell() < len(message):
        if len(frames) == FRAMES_MAX:
            raise WireFault(f"more than {FRAMES_MAX:,} frames in a message")
        frames.append(unpacker.unpack())
    return frames


def take(frame: Frame, name: str, kind: type[T], default: Any = ...) -> T:
    """A frame's field of a type. Raises WireFault if it is another, or missing without default."""
    value = frame.get(name)
    if value is None:
        if default is ...:
            raise WireFault(f"{frame['type']}: {name} is missing")
        return default  # type: ignore[no-any-return]
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise WireFault(f"{frame['type']}: {name} is of the wrong type")
    return value


def take_limits(frame: Frame) -> tuple[float | None, int | None]:
    """The seconds and bytes that a statement may take; None: as much as the server lets. Raises
    WireFault for what is no amount, which would be under every limit."""
    timeout, memory = take(frame, "timeout", float, None), take(frame, "memory", int, None)
    if timeout is not None and not timeout >= 0 or memory is not None and memory < 0:
        raise WireFault(f"{frame['type']}: timeout and memory are 0 or more")
    return (None if timeout == math.inf else timeout), memory


# --- events --------------------------------------------------------------------------------------


def state_fields(state: State) -> Frame:
    """A session's state, as frames have it."""
    return {
        "in_transaction": state.in_transaction,
        "branch": state.branch,
        "autocommit": state.autocommit,
        "last_identity": state.last_identity,
    }


class EventWriter:
    """Events of one connection as bytes. Each schema is sent once: it gets a number, and later
    results name it. Numbers are 0 to SCHEMAS_MAX - 1 and are given anew in turn."""

    SCHEMAS_MAX = 256

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._schemas: list[Any] = []  # by number, so that none is forgotten while it is named
        self._next = 0

    def write(self, number: int, event: Event) -> bytes:
        """The frame of an event of the client's statement `number`."""
        kind = type(event)
        if kind is Rows:
            return rows_frame(number, event)  # type: ignore[arg-type]
        return pack(self._fields(number, event))

    def _fields(self, number: int, event: Event) -> Frame:
        match event:
            case Columns():
                return self._columns(number, event)
            case Finished():
                return {
                    "type": "finished",
                    "id": number,
                    "row_count": event.row_count,
                    "has_rows": event.has_rows,
                }
            case Complete():
                return {
                    "type": "complete",
                    "id": number,
                    "rows": event.rows,
                    "elapsed_ms": event.elapsed_ms,
                    "commit": event.commit,
                    "state": state_fields(event.state),
                }
            case Notice():
                return {"type": "notice", "id": number, "text": event.text}
            case Progress():
                return {
                    "type": "progress",
                    "id": number,
                    "share": event.share,
                    "text": event.text,
                }
        raise AssertionError(event)

    def _columns(self, number: int, event: Columns) -> Frame:
        frame: Frame = {"type": "columns", "id": number}
        key = id(event.schema)
        known = self._numbers.get(key)
        if known is None:
            known = self._remember(key, event.schema)
            frame["arrow"] = bytes(event.schema.serialize())
        frame |= {"schema": known, "last": event.last, "row_count": event.row_count}
        if event.state is not None:
            frame["state"] = state_fields(event.state)
        return frame

    def _remember(self, key: int, schema: pa.Schema) -> int:
        number = self._next
        if number < len(self._schemas):
            del self._numbers[id(self._schemas[number])]
            self._schemas[number] = schema
        else:
            self._schemas.append(schema)
        self._numbers[key] = number
        self._next = (number + 1) % self.SCHEMAS_MAX
        return number


#: a map of four entries: "type": "rows", "id"
_ROWS_HEAD: Final = b"\x84" + b"".join(map(_pack, ("type", "rows", "id")))
_COUNT: Final = _pack("count")
_BIN: Final = b"\xc6"  # bin 32
_ARROW: Final = _pack("arrow") + _BIN
#: bytes before the Arrow bytes, at most
_ROWS_HEAD_MAX: Final = 64


def rows_parts(number: int, rows: Rows) -> tuple[bytes, memoryview]:
    """The frame of rows in two parts: all but its Arrow bytes, and these."""
    encoded = memoryview(rows.encoded)
    size = len(encoded).to_bytes(4, "big")
    return b"".join((_ROWS_HEAD, _pack(number), _COUNT, _pack(rows.count), _ARROW, size)), encoded


def rows_frame(number: int, rows: Rows) -> bytes:
    """The frame of rows."""
    return b"".join(rows_parts(number, rows))


# --- errors --------------------------------------------------------------------------------------


def _classes() -> dict[str, type[Error]]:
    found: dict[str, type[Error]] = {}
    for module in (storage_errors, hql_errors):
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, Error):
                found[name] = value
    return found


#: error classes by name; what is new to a client is of the kind that the frame says
CLASSES: Final = _classes()
#: PEP 249's names, from special to general
KINDS: Final = (
    "InterfaceError",
    "DataError",
    "OperationalError",
    "IntegrityError",
    "InternalError",
    "ProgrammingError",
    "NotSupportedError",
    "DatabaseError",
)


def error_frame(error: Error, number: int | None = None, state: State | None = None) -> Frame:
    """An error as a frame. Without `number` it is the connection's, which ends."""
    frame: Frame = {
        "type": "error",
        "id": number,
        "code": error.code,
        "sqlstate": sqlstate_of(error),
        "kind": next((k for k in KINDS if isinstance(error, CLASSES[k])), "Error"),
        "class": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "line": error.line,
        "column": error.column,
        "routine": error.routine,
        "calls": list(error.calls),
        "retry": error.retry,
        "placed": error.is_placed,
    }
    if isinstance(error, RaisedFault):
        frame["raised"] = [error.number, error.severity, error.state]
    if isinstance(error, HistoryFault) and error.rows is not None:
        from hartonomous.server.wire_values import table_bytes

        frame["arrow"] = table_bytes(error.rows)
    if state is not None:
        frame["state"] = state_fields(state)
    return frame


def error_of(frame: Frame) -> Error:
    """The error of a frame, of the class that it had on the server."""
    kind = CLASSES.get(str(frame.get("kind")), storage_errors.DatabaseError)
    cls = CLASSES.get(str(frame.get("class")), kind)
    error = cls.__new__(cls)
    message = str(frame.get("message"))
    Error.__init__(
        error,
        message,
        code=str(frame.get("code")),
        line=frame.get("line"),
        column=frame.get("column"),
        hint=frame.get("hint"),
    )
    error.retry = bool(frame.get("retry"))
    error.routine = frame.get("routine")
    error.calls = tuple(frame.get("calls") or ())
    error.is_placed = bool(frame.get("placed"))
    if isinstance(error, RaisedFault):
        error.number, error.severity, error.state = frame["raised"]
    if isinstance(error, HistoryFault):
        error.rows = None
        if frame.get("arrow") is not None:
            import pyarrow as pa

            with pa.ipc.open_stream(frame["arrow"]) as reader:
                error.rows = reader.read_all()
    return error
