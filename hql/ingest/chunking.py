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

#: the start of a line behind one or more empty ones
PARAGRAPH = re.compile(r"\n(?:[^\S\n]*\n)+")
#: what stands between two sentences: a full stop (with closing quotes) before white space, and a
#: capital, digit or opening mark behind it; ideographic stops need neither
SENTENCE = re.compile(r"""[.!?…]["'”’)\]]*\s+(?=["'“‘(\[]*[^\W_a-z])|[。！？｡]["'”’」』)]*\s*""")

Span = tuple[int, int]


def paragraphs(text: str) -> list[int]:
    """Where paragraphs begin, but for the first."""
    return [m.end() for m in PARAGRAPH.finditer(text)]


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
    breaks = [p for p in paragraphs(text) if p not in stuck] if stuck else paragraphs(text)
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
    text: str, start: int, length: int, headings: Sequence[int], breaks: Sequence[int]
) -> int:
    least, usual, most = start + HEADING_MIN, start + CHUNK_MIN, start + CHUNK_MAX
    i = bisect_left(headings, least)
    if i < len(headings) and headings[i] <= most:
        return headings[i]
    if length - start <= LOOK_AHEAD:
        return length
    i = bisect_right(breaks, most) - 1
    if i >= 0 and breaks[i] >= least:
        return breaks[i]
    # white space in front of a chunk counts for nothing, so the window is taken as it stands
    ends = [m.end() for m in SENTENCE.finditer(text, usual, most)]
    if not ends:
        ends = [m.end() for m in SENTENCE.finditer(text, least, usual)]
    if ends:
        return min(ends[-1], most)
    for mark in ("\n", " ", "\t"):
        found = text.rfind(mark, least, most)
        if found >= 0:
            return found + 1
    return most


def _trimmed(text: str, start: int, end: int) -> Span | None:
    """The span without white space at its ends; None if nothing is left."""
    piece = text[start:end]
    kept = piece.strip()
    if not kept:
        return None
    first = start + len(piece) - len(piece.lstrip())
    return first, first + len(kept)
