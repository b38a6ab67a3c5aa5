"""Markdown: as plain text, with its headings; `#` inside fenced code is none."""

from __future__ import annotations

import re

from hartonomous.hql.ingest.chunking import Span
from hartonomous.hql.modalities.text import Finder, Text

#: a fence of code, `# heading`, or a heading underlined with = or -
MARKS = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*$"
    r"|^ {0,3}#{1,6}(?=[ \t]|$)[^\n]*$"
    r"|^ {0,3}(?![>*+\-#\s])[^\n]+\n {0,3}(?:=+|-+)[ \t]*$",
    re.M,
)


def headings(text: str) -> list[Span]:
    """(start, end) of the headings, in characters."""
    found: list[Span] = []
    fence = ""
    for match in MARKS.finditer(text):
        mark = match["fence"]
        if mark is None:
            if not fence:
                found.append(match.span())
        elif not fence:
            fence = mark
        elif mark[0] == fence[0] and len(mark) >= len(fence):
            fence = ""
    return found


class Markdown(Text):
    """Text with Markdown's headings."""

    subtype = "markdown"
    extensions = frozenset({".md", ".markdown", ".mkd"})
    headings: Finder = staticmethod(headings)


MARKDOWN = Markdown()
