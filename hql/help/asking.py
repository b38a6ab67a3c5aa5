"""HELP as rows, and as lines for the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.errors import BindFault
from hartonomous.hql.help.topics import KINDS, Topic, all_topics, find, nearest
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.result import Result
from hartonomous.hql.types import NVARCHAR

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.help import Help

PAGE_FIELDS = (Field("help", NVARCHAR),)
LIST_FIELDS = tuple(Field(n, NVARCHAR) for n in ("Topic", "Kind", "About"))


def run_help(statement: Help, context: Context) -> Result:
    """Topics as rows, or a page with a row for each of its lines."""
    if statement.topic is None:
        rows = [(t.name, t.kind, t.about) for t in all_topics()]
        arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        return Result.of_table(
            LIST_FIELDS, pa.Table.from_arrays(arrays, schema=schema_of(LIST_FIELDS))
        )
    try:
        lines = page(statement.topic)
    except BindFault as error:
        error.line, error.column = statement.span.line, statement.span.column
        raise
    array = pa.array(lines, pa.string())
    return Result.of_table(
        PAGE_FIELDS, pa.Table.from_arrays([array], schema=schema_of(PAGE_FIELDS))
    )


def page(words: str) -> list[str]:
    """The lines of what a text names: a page, or a list if it names several things. Raises
    BindFault with the nearest names."""
    topics = find(words)
    if not topics:
        near = nearest(words)
        hint = f"did you mean {', '.join(near)}?" if near else "HELP lists all topics"
        raise BindFault(f"there is no help on {words.strip()!r}", code="NOT_FOUND", hint=hint)
    if len({t.name for t in topics}) > 1:
        return listing(topics)
    return "\n\n".join(topic.page() for topic in topics).split("\n")


def listing(topics: list[Topic]) -> list[str]:
    """Topics under the headings of their kinds, a line each."""
    lines: list[str] = []
    for kind, heading in KINDS.items():
        mine = [t for t in topics if t.kind == kind]
        if mine:
            width = max(len(t.name) for t in mine)
            lines += ["", heading] if lines else [heading]
            lines += [f"  {t.name.ljust(width)}  {t.about}".rstrip() for t in mine]
    return lines


def overview() -> list[str]:
    """What there is help on, without what each is."""
    import textwrap

    lines = ["\\h TOPIC (or HELP 'topic') shows one of these:"]
    for kind, heading in KINDS.items():
        names = [t.name for t in all_topics() if t.kind == kind]
        text = textwrap.wrap("  ".join(n.replace(" ", "\0") for n in names), 76)
        lines += ["", heading, *(f"  {part}".replace("\0", " ") for part in text)]
    return lines
