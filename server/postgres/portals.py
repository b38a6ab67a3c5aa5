"""Prepared statements and portals: what Parse, Bind, Describe and Execute are about.

A portal's text is run when it is executed, or described with its Execute waiting behind: the
description is then that of the rows which come. Else what rows there will be is foretold
(hql/forecast.py), and nothing runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hartonomous.hql.frozen import frozen
from hartonomous.server.postgres import replies
from hartonomous.server.postgres.answers import Answers, Begin, End, Piece, Said
from hartonomous.server.postgres.commands import Command
from hartonomous.server.postgres.faults import PROTOCOL_VIOLATION, Refused
from hartonomous.server.postgres.rows import encoded
from hartonomous.server.postgres.types import Column

if TYPE_CHECKING:
    import pyarrow as pa

#: statements and portals with names that a connection may have
NAMES_MAX = 5_000


@frozen
class Statement:
    """A prepared text. `hql` is the text with `@n` for `$n`, of the same length; `types` are OIDs
    of parameters, 0 for those that nobody knows."""

    text: str
    hql: str
    types: tuple[int, ...]
    command: Command | None = None
    is_catalog: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.text.strip().strip(";").strip()


@dataclass(slots=True)
class Portal:
    """A statement with its parameters, and how far its rows were taken. `holds`: a cursor that
    outlives its transaction."""

    statement: Statement
    parameters: dict[str, Any]
    formats: Sequence[int] = ()
    size: int = 0  # of the parameters, in bytes
    holds: bool = False
    is_cursor: bool = False
    answers: Answers | None = None
    columns: tuple[Column, ...] | None = None
    tag: str | None = None
    is_over: bool = False
    _pending: pa.RecordBatch | None = None
    _begun: bool = False

    async def begin(self, answers: Answers) -> AsyncIterator[bytes]:
        """Runs the text up to its first row; what it says meanwhile, as messages."""
        self.answers = answers
        async for answer in answers:
            if isinstance(answer, Begin):
                self.columns = answer.columns
                self._begun = True
                if len(self.formats) not in (0, 1, len(self.columns)):
                    raise Refused(
                        PROTOCOL_VIOLATION,
                        f"{len(self.formats)} formats for {len(self.columns)} columns",
                    )
                return
            if isinstance(answer, End):
                self.tag = answer.tag
            elif isinstance(answer, Said):
                yield said(answer.text)
        self.is_over = True

    @property
    def has_begun(self) -> bool:
        return self.answers is not None

    def description(self) -> bytes:
        """RowDescription or NoData, once it has begun."""
        if self.columns is None:
            return replies.NO_DATA
        return replies.row_description(self.columns, self.formats)

    async def rows(self, rows_max: int) -> AsyncIterator[bytes]:
        """DataRows, at most so many (0: all), then CommandComplete or PortalSuspended."""
        count = 0
        if self.columns is not None:
            while batch := await self.next_batch(rows_max - count if rows_max else None):
                count += batch.num_rows
                yield await encoded(batch, self.columns, self.formats)
                if rows_max and count == rows_max and await self._has_more():
                    yield replies.SUSPENDED
                    return
        tag = self.tag or "DONE"
        yield replies.complete(f"SELECT {count}" if tag.startswith("SELECT ") else tag)

    async def next_batch(self, rows_max: int | None) -> pa.RecordBatch | None:
        """The next rows, at most so many (None: as many as come); None at the end."""
        batch, self._pending = self._pending, None
        while batch is None or not batch.num_rows:
            if self.answers is None or self.is_over:
                return None
            answer = await anext(self.answers, None)
            if answer is None:
                self.is_over = True
            elif isinstance(answer, Piece):
                batch = answer.batch
            elif isinstance(answer, End) and self._begun:
                self.tag, self._begun = answer.tag, False
            elif isinstance(answer, Begin):
                raise Refused(
                    "0A000",
                    "the text gives rows more than once",
                    "send it as a simple query, without parameters",
                )
        if rows_max is not None and batch.num_rows > rows_max:
            self._pending = batch.slice(rows_max)
            batch = batch.slice(0, rows_max)
        return batch

    async def _has_more(self) -> bool:
        """Whether there is another row; it is kept."""
        self._pending = await self.next_batch(None)
        return self._pending is not None

    async def close(self) -> None:
        """Lets go of the rows and their snapshot."""
        answers, self.answers = self.answers, None
        self._pending = None
        closing = getattr(answers, "aclose", None)
        if closing is not None:
            await closing()


def said(text: str) -> bytes:
    """A message of PRINT, as a notice."""
    return replies.notice({"S": "NOTICE", "V": "NOTICE", "C": "00000", "M": text})
