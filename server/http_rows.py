"""Answers of `POST /query` as bytes, event by event, in the form that the client asked for.

application/json                one object: every result with its columns and rows, the messages
application/x-ndjson            the rows of all results, an object each, a line each
text/csv                        the rows of one result, with a header (RFC 4180)
application/vnd.apache.arrow.stream
                                the rows of one result as an Arrow IPC stream, HQL's types in the
                                schema's metadata

Values have the texts that COPY writes. Each form is a class with a method per event; what it gives
is sent in order. `error` is what may follow when an error comes after the first bytes were sent;
the connection is cut after it, so that nobody takes half an answer for a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from hartonomous.hql.errors import InterfaceFault
from hartonomous.server.events import Columns, Complete, Finished, Notice, Rows

if TYPE_CHECKING:
    from hartonomous.hql.types import Type

ARROW = "application/vnd.apache.arrow.stream"
#: ends an Arrow IPC stream: a continuation mark and a length of nothing
ARROW_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class Form(Protocol):
    """One answer in the making."""

    def columns(self, event: Columns) -> bytes: ...

    def rows(self, event: Rows) -> bytes:
        """May take long: for a thread, if the event is large."""

    def finished(self, event: Finished) -> bytes: ...

    def notice(self, event: Notice) -> bytes: ...

    def complete(self, event: Complete) -> bytes:
        """The last bytes."""

    def error(self, members: dict[str, Any]) -> bytes:
        """What says, to people, why the answer ends here."""


class JsonForm:
    """{"results": [{"columns": […], "rows": [[…], …], "row_count": n}, …], "messages": […], …}"""

    def __init__(self) -> None:
        self._types: list[Type] = []
        self._messages: list[str] = []
        self._mark = b'{"results":['
        self._row_mark = b""

    def columns(self, event: Columns) -> bytes:
        self._types = [field.type for field in event.fields]
        columns = [{"name": field.name, "type": str(field.type)} for field in event.fields]
        mark, self._mark, self._row_mark = self._mark, b"\n,", b"\n"
        return mark + b'{"columns":' + _json(columns) + b',"rows":['

    def rows(self, event: Rows) -> bytes:
        from hartonomous.hql.copying.text import json_arrays

        if event.count == 0:
            return b""
        mark, self._row_mark = self._row_mark, b",\n"
        return mark + json_arrays(event.batch, self._types)

    def finished(self, event: Finished) -> bytes:
        count = b"%d" % event.row_count if event.row_count >= 0 else b"null"
        if event.has_rows:
            return b'],"row_count":' + count + b"}"
        mark, self._mark = self._mark, b"\n,"
        return mark + b'{"row_count":' + count + b"}"

    def notice(self, event: Notice) -> bytes:
        self._messages.append(event.text)
        return b""

    def complete(self, event: Complete) -> bytes:
        members = {
            "messages": self._messages,
            "elapsed_ms": round(event.elapsed_ms, 3),
            "commit": event.commit,
            "branch": event.state.branch,
            "last_identity": event.state.last_identity,
        }
        start = self._mark if self._mark != b"\n," else b""
        return start + b"]," + _json(members)[1:] + b"\n"

    def error(self, members: dict[str, Any]) -> bytes:
        return b"\n" + _json({"error": members}) + b"\n"


class RowsAlone:
    """What forms share that tell of rows and of nothing else."""

    def finished(self, event: Finished) -> bytes:
        return b""

    def notice(self, event: Notice) -> bytes:
        return b""

    def complete(self, event: Complete) -> bytes:
        return b""


class NdjsonForm(RowsAlone):
    """{"a": 1}, a line a row; a result without rows gives no line."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._types: list[Type] = []

    def columns(self, event: Columns) -> bytes:
        self._names = [field.name for field in event.fields]
        self._types = [field.type for field in event.fields]
        return b""

    def rows(self, event: Rows) -> bytes:
        from hartonomous.hql.copying.text import json_lines

        return json_lines(event.batch, self._names, self._types)

    def error(self, members: dict[str, Any]) -> bytes:
        return _json({"error": members}) + b"\n"


class OneResult(RowsAlone):
    """What forms share that have room for one result with rows."""

    def __init__(self) -> None:
        self._has_begun = False

    def begin(self) -> None:
        """Raises InterfaceFault for a second result with rows."""
        if self._has_begun:
            raise InterfaceFault(
                "the text gives more than one result, and this form of answer has room for one",
                hint="ask for application/json or application/x-ndjson",
            )
        self._has_begun = True

    def error(self, members: dict[str, Any]) -> bytes:
        return b""


class CsvForm(OneResult):
    """A header and a line a row."""

    def __init__(self) -> None:
        super().__init__()
        self._types: list[Type] = []

    def columns(self, event: Columns) -> bytes:
        from hartonomous.hql.copying.text import CsvOptions, csv_header

        self.begin()
        self._types = [field.type for field in event.fields]
        return csv_header([field.name for field in event.fields], CsvOptions())

    def rows(self, event: Rows) -> bytes:
        from hartonomous.hql.copying.text import CsvOptions, csv_lines

        return csv_lines(event.batch, self._types, CsvOptions())


class ArrowForm(OneResult):
    """Arrow's encapsulated messages one after the other: schema, batches, end."""

    def columns(self, event: Columns) -> bytes:
        self.begin()
        return bytes(event.schema.serialize())

    def rows(self, event: Rows) -> bytes:
        return bytes(event.encoded)

    def complete(self, event: Complete) -> bytes:
        if self._has_begun:
            return ARROW_END
        import pyarrow as pa

        return bytes(pa.schema([]).serialize()) + ARROW_END


#: by content type; the first is what a client gets that does not say
FORMS: dict[str, Callable[[], Form]] = {
    "application/json": JsonForm,
    "application/x-ndjson": NdjsonForm,
    "application/jsonl": NdjsonForm,
    "text/csv": CsvForm,
    ARROW: ArrowForm,
}

#: those that are text say so
CHARSETS = {"text/csv": "text/csv; charset=utf-8; header=present"}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
