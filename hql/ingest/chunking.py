"""Cuts text into chunks at sensible places.

A chunk has CHUNK_MIN to CHUNK_MAX characters where the text allows it, and ends at the strongest
boundary there is in that window: before a heading (a heading stays with its body, and ends a
smaller chunk too), at a blank line, at the end of a sentence, of a line, of a word, and if there is
none of these, anywhere. Chunks do not overlap, and what lies between them is white space.

    | HEADING_MIN .. CHUNK_MAX   first heading
    | CHUNK_MIN .. CHUNK_MAX     last blank line, else last one from HEADING_MIN on
    | the same for sentences, lines, words
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

#: characters
CHUNK_MIN = 800
CHUNK_MAX = 1_200
#: a section of so many is a chunk of its own; no chunk is cut shorter than that
HEADING_MIN = 400
#: an end of the text that is so much longer than CHUNK_MAX is not cut off
REST_MAX = 200
#: how far a decision looks ahead: a text that goes on must have so many characters behind a chunk
LOOK_AHEAD = CHUNK_MAX + REST_MAX

#: one or more empty lines; what follows begins a line
PARAGRAPH = re.compile(r"\n(?:[^\S\n]*\n)+")
#: what stands before the end of a line that may look empty and is not "\n\n"
BLANKS = (" \n", "\t\n", "\r", "\f", "\v", "\xa0", "\u3000")
#: what stands between two sentences: a full stop (with closing quotes) before white space, and a
#: capital, digit or opening mark behind it; ideographic stops need neither
SENTENCE = re.compile(r"""[.!?…]["'”’)\]]*\s+(?=["'“‘(\[]*[^\W_a-z])|[。！？｡]["'”’」』)]*\s*""")

Span = tuple[int, int]


class Breaks:
    """Where paragraphs begin: the last such place in a window. In a text whose empty lines are
    really empty they are found when they are asked for, at the speed of str.rfind."""

    def __init__(self, text: str, stuck: frozenset[int] = frozenset()) -> None:
        self._text, self._stuck = text, stuck
        self._places: list[int] | None = None
        if any(blank in text for blank in BLANKS):
            self._places = [m.end() for m in PARAGRAPH.finditer(text) if m.end() not in stuck]

    def last(self, low: int, high: int) -> int | None:
        """The last place from `low` to `high` where a paragraph begins that is not stuck to what
        stands before it."""
        if self._places is not None:
            i = bisect_right(self._places, high) - 1
            return self._places[i] if i >= 0 and self._places[i] >= low else None
        text, stuck = self._text, self._stuck
        while (found := text.rfind("\n\n", low - 2, high)) >= 0:
            if found + 2 not in stuck and text[found + 2 : found + 3] != "\n":
                return found + 2
            high = found + 1
        return None


def chunk(
    text: str,
    headings: Sequence[int] = (),
    stuck: frozenset[int] = frozenset(),
    *,
    is_end: bool = True,
    begin: int = 0,
) -> tuple[list[Span], int]:
    """Spans (start, end) of the chunks in characters, trimmed of white space, none empty; and where
    the text that was not cut yet begins: its end, or, if more text follows (`is_end` False), at
    most LOOK_AHEAD before it.

    `headings`: where headings begin, ascending. `stuck`: starts of paragraphs that belong to what
    stands before them (the body behind a heading). Cutting starts at `begin`.
    """
    breaks = Breaks(text, stuck)
    spans: list[Span] = []
    start, length = begin, len(text)
    while start < length:
        if not is_end and length - start < LOOK_AHEAD:
            return spans, start
        end = _end_of_chunk(text, start, length, headings, breaks)
        span = _trimmed(text, start, end)
        if span is not None:
            spans.append(span)
        start = end
    return spans, length


def _end_of_chunk(
    text: str, start: int, length: int, headings: Sequence[int], breaks: Breaks
) -> int:
    least, usual, most = start + HEADING_MIN, start + CHUNK_MIN, start + CHUNK_MAX
    i = bisect_left(headings, least)
    if i < len(headings) and headings[i] <= most:
        return headings[i]
    if length - start <= LOOK_AHEAD:
        return length
    found = breaks.last(least, most)
    if found is not None:
        return found
    # white space in front of a chunk counts for nothing, so the window is taken as it stands
    ends = [m.end() for m in SENTENCE.finditer(text, usual, most)]
    if not ends:
        ends = [m.end() for m in SENTENCE.finditer(text, least, usual)]
    if ends:
        return min(ends[-1], most)
    for mark in ("\n", " ", "\t"):
        at = text.rfind(mark, least, most)
        if at >= 0:
            return at + 1
    return most


def _trimmed(text: str, start: int, end: int) -> Span | None:
    """The span without white space at its ends; None if nothing is left."""
    piece = text[start:end].rstrip()
    if not piece:
        return None
    return end_of_space(text, start), start + len(piece)


SPACE = re.compile(r"\s*")


def end_of_space(text: str, start: int) -> int:
    """Where the white space that begins at `start` ends."""
    match = SPACE.match(text, start)
    assert match is not None
    return match.end()
