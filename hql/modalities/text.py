"""Plain text: any encoding, cut at underlined headings, paragraphs and sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from hartonomous.hql.ingest.chunking import LOOK_AHEAD, PARAGRAPH, Span, chunk
from hartonomous.hql.modalities.base import Drafts, Modality, Source
from hartonomous.hql.modalities.decoding import blocks, byte_offsets

#: a line of one repeated mark: what stands right above it is a title, as in reStructuredText
UNDERLINE = re.compile(r"\n([=\-~^\"'`#*+.:])\1{2,}[^\S\n]*(?=\n|\Z)")
TITLE_MAX = 120
#: finds headings in a text
Finder = Callable[[str], list[Span]]


def underlined(text: str) -> list[Span]:
    """The headings of a plain text: (start, end), in characters."""
    found: list[Span] = []
    for match in UNDERLINE.finditer(text):
        start = text.rfind("\n", 0, match.start()) + 1
        title = text[start : match.start()]
        if 0 < len(title) <= TITLE_MAX and title[0].isalnum():
            found.append((start, match.end()))
    return found


def with_bodies(text: str, headings: list[Span]) -> tuple[list[int], frozenset[int]]:
    """Where a chunk may begin with a heading, and the paragraph starts that may not begin one
    because a heading stands before them. A heading right behind a heading stays with it."""
    starts: list[int] = []
    stuck: set[int] = set()
    before = -1
    for start, end in headings:
        gap = PARAGRAPH.match(text, end)
        body = gap.end() if gap is not None else end + 1
        stuck.add(body)
        if start != before:
            starts.append(start)
        before = body
    return starts, frozenset(stuck)


class Text(Modality):
    """Text cut by itself: what a chunk says stands so in the source, between its offsets."""

    modality = "text"
    subtype = "plain"
    extensions = frozenset({".txt", ".rst", ".log"})
    headings: Finder = staticmethod(underlined)

    def read(self, source: Source) -> Iterator[Drafts]:
        """Block by block; see Modality.read."""
        assert source.encoding is not None, source.uri
        rest, offset = "", 0
        for piece, is_end in blocks(source):
            text = rest + piece
            starts, stuck = with_bodies(text, type(self).headings(text))
            spans, left = chunk(text, starts, stuck, is_end=is_end)
            if spans:
                begins, ends = byte_offsets(text, spans, source.encoding, offset)
                yield Drafts([text[a:b] for a, b in spans], begins, ends)
            offset += len(text[:left].encode(source.encoding))
            rest = text[left:]
            assert is_end or len(rest) <= LOOK_AHEAD, len(rest)


TEXT = Text()
