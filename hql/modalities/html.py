"""HTML: the text of its blocks, headings kept, without scripts, styles and markup.

Every chunk names the bytes from the first to the last tag-free text that it was taken from; between
them the source holds markup that the chunk does not. White space is one blank, but in <pre>.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import accumulate

from hartonomous.hql.ingest.chunking import Span, chunk
from hartonomous.hql.modalities.base import Drafts, Modality, Source
from hartonomous.hql.modalities.decoding import byte_positions, decode
from hartonomous.hql.modalities.text import with_bodies

#: larger pages are refused
PAGE_BYTES_MAX = 64 << 20
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "title"})
#: elements whose text is not read
DROPPED = frozenset(
    {"script", "style", "template", "noscript", "svg", "math", "select", "textarea"}
)
#: elements that stand in a line of text; all others end the block before them
INLINE = frozenset(
    {
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn",
        "em", "font", "i", "img", "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span",
        "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
    }
)  # fmt: skip
SPACE = re.compile(r"\s+")
BETWEEN = "\n\n"


class Html(Modality):
    """Pages of HTML and XHTML."""

    modality = "text"
    subtype = "html"
    extensions = frozenset({".html", ".htm", ".xhtml"})
    declares = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.I)

    def read(self, source: Source) -> Iterator[Drafts]:
        """All of the page as one block; see Modality.read."""
        assert source.encoding is not None, source.uri
        page = decode(source.whole(PAGE_BYTES_MAX), source.encoding)
        parser = _Blocks(page)
        parser.feed(page)
        parser.close()
        parser.end_block()
        drafts = _chunks(page, parser, source.encoding)
        if drafts is not None:
            yield drafts


def _chunks(page: str, parser: _Blocks, encoding: str) -> Drafts | None:
    text = BETWEEN.join(parser.texts)
    begins = [0, *accumulate(len(t) + len(BETWEEN) for t in parser.texts)]
    headings = [(begins[i], begins[i] + len(parser.texts[i])) for i in parser.headings]
    starts, stuck = with_bodies(text, headings)
    spans, _ = chunk(text, starts, stuck)
    if not spans:
        return None
    places: list[Span] = []
    for start, end in spans:
        first = bisect_right(begins, start) - 1
        last = bisect_right(begins, end - 1) - 1
        places.append((parser.spans[first][0], parser.spans[last][1]))
    points = sorted({p for place in places for p in place})
    at = dict(zip(points, byte_positions(page, points, encoding), strict=True))
    return Drafts(
        [text[a:b] for a, b in spans],
        [at[start] for start, _ in places],
        [at[end] for _, end in places],
        exact=False,
    )


class _Blocks(HTMLParser):
    """The page's blocks: their texts, their spans in the page in characters, which are headings."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.spans: list[Span] = []
        self.headings: list[int] = []
        self._lines = [0, *(m.end() for m in re.finditer("\n", page))]
        self._length = len(page)
        self._pieces: list[str] = []
        self._span: Span | None = None
        self._open_text: int | None = None  # where text begins whose end is not known yet
        self._dropped: list[str] = []
        self._heading = self._verbatim = 0

    def _here(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def end_block(self) -> None:
        """What was read since the last block, if it says anything, is one."""
        self._end_text(self._length if self.rawdata == "" else self._here())
        text = "".join(self._pieces)
        self._pieces = []
        text = text.strip("\n") if self._verbatim else SPACE.sub(" ", text).strip()
        if text.strip() and self._span is not None:
            if self._heading:
                self.headings.append(len(self.texts))
            self.texts.append(text)
            self.spans.append(self._span)
        self._span = None

    def _end_text(self, here: int) -> None:
        if self._open_text is not None:
            first = self._open_text if self._span is None else self._span[0]
            self._span = first, here
            self._open_text = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_text(self._here())
        if self._dropped:
            if tag == self._dropped[-1]:
                self._dropped.append(tag)
            return
        if tag not in INLINE:
            self.end_block()
        if tag in DROPPED:
            self._dropped.append(tag)
        elif tag in HEADINGS:
            self._heading += 1
        elif tag == "pre":
            self._verbatim += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_text(self._here())
        if not self._dropped and tag not in INLINE:
            self.end_block()

    def handle_endtag(self, tag: str) -> None:
        self._end_text(self._here())
        if self._dropped:
            if tag == self._dropped[-1]:
                self._dropped.pop()
            return
        if tag not in INLINE:
            self.end_block()
        if tag in HEADINGS:
            self._heading = max(0, self._heading - 1)
        elif tag == "pre":
            self._verbatim = max(0, self._verbatim - 1)

    def handle_comment(self, data: str) -> None:
        self._end_text(self._here())

    def handle_decl(self, decl: str) -> None:
        self._end_text(self._here())

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """`<![…` that is no CDATA: a comment, as browsers have it; the base class fails there."""
        return self.parse_bogus_comment(i, bool(report))

    def handle_data(self, data: str) -> None:
        if self._dropped:
            return
        if self._open_text is None and data.strip():
            self._open_text = self._here() + len(data) - len(data.lstrip())
        self._pieces.append(data)


HTML = Html()
