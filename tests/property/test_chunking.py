"""Chunks: in order, apart, covering all that is no white space, of the sizes promised, and the same
whether a text comes at once or piece by piece; their bytes decode to them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.hql.ingest.chunking import LOOK_AHEAD, chunk
from hartonomous.hql.modalities import decoding
from hartonomous.hql.modalities.base import Modality, Source
from hartonomous.hql.modalities.html import HTML
from hartonomous.hql.modalities.markdown import MARKDOWN, headings
from hartonomous.hql.modalities.text import TEXT, underlined, with_bodies

WORDS = [
    "cat",
    "Größe",
    "犬。",
    "end.",
    "Is",
    "it?",
    "# Title",
    "x" * 700,
    "=====",
    "```",
    "\t",
    "",
]
#: paragraphs, lines, words and what is none of them
TEXTS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", "\n", "\n\n", "\r\n", " \n \n", ""])),
    max_size=400,
).map(lambda parts: "".join(word + gap for word, gap in parts))


@given(TEXTS)
def test_chunks_cover_the_text(text: str) -> None:
    starts, stuck = with_bodies(text, underlined(text))
    spans, left = chunk(text, starts, stuck)
    assert left == len(text)
    at = 0
    for start, end in spans:
        assert text[at:start].strip() == "", "only white space lies between chunks"
        assert start < end and text[start:end] == text[start:end].strip()
        assert end - start <= LOOK_AHEAD
        at = end
    assert text[at:].strip() == ""


@given(TEXTS)
def test_a_text_that_goes_on_is_cut_as_if_it_were_whole(text: str) -> None:
    spans, left = chunk(text, is_end=False)
    assert len(text) - left < LOOK_AHEAD
    whole, _ = chunk(text)
    assert whole[: len(spans)] == spans


@given(
    TEXTS,
    st.sampled_from(["utf-8", "utf-16-le", "utf-32-be", "cp1252", "gb18030"]),
    st.sampled_from([TEXT, MARKDOWN]),
    st.integers(2_000, 6_000),
)
@settings(max_examples=60, deadline=None)
def test_bytes_between_offsets_decode_to_the_chunk(
    text: str, encoding: str, modality: Modality, block: int
) -> None:
    data = text.encode(encoding, "replace")
    source = Source("x", len(data), data, encoding=encoding)
    for drafts in modality.read(source):
        assert drafts.exact and drafts.starts is not None and drafts.ends is not None
        for chunk_text, start, end in zip(drafts.texts, drafts.starts, drafts.ends, strict=True):
            assert data[start:end].decode(encoding) == chunk_text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "BLOCK_BYTES", block)
        pieces = list(TEXT.read(source))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "BLOCK_BYTES", 1 << 30)
        once = list(TEXT.read(source))
    assert [t for d in pieces for t in d.texts] == [t for d in once for t in d.texts]
    assert [s for d in pieces for s in d.starts or ()] == [s for d in once for s in d.starts or ()]


MARKUP = [
    *"<>![]-/?&#='\" \n",
    "a",
    "p",
    "é",
    "pre",
    "CDATA[",
    "DOCTYPE",
    "script",
    "<h1>",
    "</h1>",
]


@given(st.lists(st.sampled_from(MARKUP), max_size=40).map("".join))
@settings(max_examples=400)
def test_no_markup_is_too_broken(page: str) -> None:
    data = page.encode()
    for drafts in HTML.read(Source("x", len(data), data, encoding="utf-8")):
        assert drafts.starts is not None and drafts.ends is not None
        for text, start, end in zip(drafts.texts, drafts.starts, drafts.ends, strict=True):
            assert text.strip() == text != ""
            assert 0 <= start < end <= len(data)
            data[start:end].decode()


def test_sizes_of_chunks_of_prose() -> None:
    """Sentences of 60 characters in paragraphs of ten: chunks are of the size that is aimed at."""
    sentence = "The quick brown fox jumps over the lazy dog and is content. "
    text = "\n\n".join([sentence * 10] * 50)
    spans, _ = chunk(text)
    sizes = [end - start for start, end in spans]
    assert all(500 <= size <= LOOK_AHEAD for size in sizes), sizes
    assert all(text[start:end].endswith("content.") for start, end in spans)


def test_a_heading_stays_with_its_body() -> None:
    body = "word " * 90  # 450 characters
    text = f"Intro. {body}\n\nFirst\n=====\n\n{body}\n\nSecond\n------\n\n{body}"
    starts, stuck = with_bodies(text, underlined(text))
    spans, _ = chunk(text, starts, stuck)
    assert [text[a:b].split()[0] for a, b in spans] == ["Intro.", "First", "Second"]


def test_a_heading_right_behind_a_heading_stays_with_it() -> None:
    body = "word " * 90
    text = f"{body}\n\n# One\n\n## Two\n\n{body}"
    starts, stuck = with_bodies(text, headings(text))
    spans, _ = chunk(text, starts, stuck)
    assert [text[a:b][:5] for a, b in spans] == ["word ", "# One"]


def test_one_word_without_an_end_is_cut_anywhere() -> None:
    spans, _ = chunk("x" * 5_000)
    assert [b - a for a, b in spans] == [1_200, 1_200, 1_200, 1_400]
