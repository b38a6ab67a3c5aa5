"""Answers: what a running text gives, in the form in which PostgreSQL's protocol sends it.

    (Said* (Begin Piece* End | End))*

However a statement is run, by the session, over the catalog or by the door itself, this is what
comes back; portals.py turns it into messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from hartonomous.hql.frozen import frozen
from hartonomous.server.events import Columns, Finished, Notice, Rows
from hartonomous.server.postgres.types import Column, column_of

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.session import Session
    from hartonomous.server.sessions import ServerSession


@frozen
class Begin:
    """A result that has rows begins."""

    columns: tuple[Column, ...]


@frozen
class End:
    """A result ended; `tag` says what was done."""

    tag: str


@frozen
class Piece:
    """Some of its rows."""

    batch: pa.RecordBatch


@frozen
class Said:
    """A message."""

    text: str


Answer = Begin | Piece | Said | End
Answers = AsyncIterator[Answer]


async def run_text(
    session: ServerSession,
    text: str,
    parameters: Mapping[str, Any] | None,
    timeout: float | None,
) -> Answers:
    """An HQL text's answers. Raises Error."""
    running = session.run(text, parameters, timeout=timeout)
    titles: list[str] | None = None
    number = 0
    try:
        async for event in running:
            kind = type(event)
            if kind is Rows:
                assert isinstance(event, Rows)
                yield Piece(event.batch)
            elif kind is Columns:
                assert isinstance(event, Columns)
                yield Begin(tuple(map(column_of, event.fields)))
            elif kind is Finished:
                assert isinstance(event, Finished)
                if number and titles is None:
                    titles = await session.call(lambda inner: _titles(inner, text))
                title = titles[number] if titles and number < len(titles) else running.title
                number += 1
                yield End(tag_of(title or "", event.has_rows, event.row_count))
            elif kind is Notice:
                assert isinstance(event, Notice)
                yield Said(event.text)
        if not number:  # SET NOCOUNT ON and others give no result
            yield End(tag_of(running.title or "", False, -1))
    finally:
        await running.close()


def _titles(session: Session, text: str) -> list[str]:
    """What each result's statement is called; none where statements hold others, of which nobody
    knows how many results they give."""
    statements = [prepared.statement for prepared in session.prepare(text)]
    if any(statement.usual_effect == "scripts" for statement in statements):
        return []
    return [statement.title for statement in statements]


def tag_of(title: str, has_rows: bool, count: int) -> str:
    """The tag of CommandComplete, from whose last word clients read the number of rows."""
    if title.startswith("INSERT"):
        return f"INSERT 0 {max(0, count)}"
    if title in ("UPDATE", "DELETE", "MERGE", "COPY"):
        return f"{title} {max(0, count)}"
    if has_rows:
        return f"SELECT {max(0, count)}"
    if title == "SELECT":  # SELECT … INTO, SELECT @v = …
        return f"SELECT {max(0, count)}"
    if count >= 0 and not title.startswith(("CREATE", "DROP", "ALTER")):
        return f"UPDATE {count}"
    return title or "DONE"


async def table_answer(table: pa.Table, columns: tuple[Column, ...], tag: str) -> Answers:
    """Rows that are there already."""
    yield Begin(columns)
    for batch in table.to_batches():
        yield Piece(batch)
    yield End(tag)


async def done(tag: str) -> Answers:
    """No rows."""
    yield End(tag)
