"""From bytes to text: which encoding a source is in, its text block by block, places in its bytes.

In this order: a byte order mark, what the source itself declares, UTF-8, a guess by
charset-normalizer. Bytes that are no text (NUL, many control characters) are refused. Only
encodings without shift states count, so that a slice of the bytes decodes to a slice of the text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from hartonomous.hql.modalities.base import Source, Unreadable

if TYPE_CHECKING:
    from hartonomous.hql.ingest.chunking import Span

#: bytes of a source that are decoded at once; a smaller source is one block
BLOCK_BYTES: Final = 8 << 20
#: bytes that a guess looks at
SAMPLE_BYTES: Final = 64 << 10
#: control characters of which a text has few: not tab, line ends, form feed, backspace, escape
CONTROL: Final = bytes(b for b in range(32) if b not in b"\t\n\r\f\v\b\x1b") + b"\x7f"
#: bytes for each such character that a text has at least
CONTROL_SHARE: Final = 200

#: a piece of a line that is not ASCII, with what stands around it
TELLING: Final = re.compile(rb"[^\n\x80-\xff]{0,40}(?:[\x80-\xff]+[^\n\x80-\xff]{0,40})+")
#: of encodings that fit equally well, this one is taken
USUAL: Final = "cp1252"
#: byte order marks; UTF-32's begins with UTF-16's
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: encodings with shift states, or that are no encodings of text
UNFIT: Final = re.compile(r"iso2022.*|hz|utf_?7|utf_?8_sig|utf_?16|utf_?32|.*escape|idna|punycode")


def find_encoding(data: bytes, declared: str | None = None, *, is_whole: bool = True) -> str:
    """The encoding of a source: `data` is all of it, or how it begins. Raises Unreadable BINARY,
    ENCODING."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    check_text(data)
    if declared is not None and (named := usable(declared)) is not None:
        return named
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as fault:
        # a sequence that the end of a sample cuts is no fault
        if is_whole or fault.end < len(data) or fault.reason != "unexpected end of data":
            return guess(around(data, fault.start))
    return "utf-8"


def check_text(data: bytes) -> None:
    """Raises Unreadable BINARY for bytes that no text has."""
    if b"\0" in data:
        raise Unreadable("BINARY", f"not a text: there is a NUL at byte {data.index(0):,}")
    controls = len(data) - len(data.translate(None, CONTROL))
    if controls * CONTROL_SHARE > len(data):
        raise Unreadable("BINARY", f"not a text: {controls:,} of {len(data):,} bytes are controls")


def usable(name: str) -> str | None:
    """The codec of that name, if there is one that is fit."""
    try:
        known = codecs.lookup(name).name
        "a".encode(known)  # some codecs are none of text
    except (LookupError, ValueError):
        return None
    return None if UNFIT.fullmatch(known.replace("-", "_")) else known


def around(data: bytes, place: int) -> bytes:
    """A sample of the bytes, with those at `place`."""
    start = max(0, place - SAMPLE_BYTES // 2)
    return data[start : start + SAMPLE_BYTES]


def guess(sample: bytes) -> str:
    """What charset-normalizer finds most likely, by the pieces that are not ASCII: the others say
    nothing, and too many of them mislead it. Raises Unreadable ENCODING."""
    from charset_normalizer import from_bytes

    telling = b"\n".join(m[0] for m in TELLING.finditer(sample))
    matches = list(from_bytes(telling))
    for match in matches:
        best = matches[0].chaos, matches[0].coherence
        if USUAL in match.could_be_from_charset and (match.chaos, match.coherence) == best:
            return USUAL
    for match in matches:
        found = usable(match.encoding)
        if found is not None and not found.startswith(("utf-16", "utf-32")):
            return found
    raise Unreadable("ENCODING", "neither UTF-8 nor any other encoding that could be recognised")


def blocks(source: Source) -> Iterator[tuple[str, bool]]:
    """The text piece by piece, and whether a piece is the last. Line ends stay as they are; a byte
    order mark is a character of the first piece. Raises Unreadable."""
    assert source.encoding is not None
    if source.data is not None and len(source.data) <= BLOCK_BYTES:
        yield decode(source.data, source.encoding), True
        return
    decoder = codecs.getincrementaldecoder(source.encoding)(errors="strict")
    try:
        for data in source.pieces(BLOCK_BYTES):
            yield _checked(decoder.decode(data)), False
        yield decoder.decode(b"", final=True), True
    except UnicodeDecodeError as fault:
        raise undecodable(source.encoding, fault) from None


def decode(data: bytes, encoding: str) -> str:
    """All of the text. Raises Unreadable ENCODING, BINARY."""
    try:
        return _checked(data.decode(encoding))
    except UnicodeDecodeError as fault:
        raise undecodable(encoding, fault) from None


def _checked(text: str) -> str:
    if "\0" in text:
        raise Unreadable("BINARY", "not a text: there is a NUL in it")
    return text


def undecodable(encoding: str, fault: UnicodeDecodeError) -> Unreadable:
    return Unreadable("ENCODING", f"not {encoding}, as it seemed: {fault.reason}")


def byte_positions(
    text: str, positions: Sequence[int], encoding: str, offset: int = 0
) -> list[int]:
    """Places in a text, in characters, ascending, as places in its bytes; it begins at byte
    `offset`."""
    if encoding == "utf-8" and text.isascii():
        return [p + offset for p in positions]
    found, at = [], 0
    for position in positions:
        offset += len(text[at:position].encode(encoding))
        found.append(offset)
        at = position
    return found


def byte_offsets(
    text: str, spans: Sequence[Span], encoding: str, offset: int = 0
) -> tuple[list[int], list[int]]:
    """Starts and ends of spans of characters, which do not overlap and ascend, in bytes."""
    found = byte_positions(text, [p for span in spans for p in span], encoding, offset)
    return found[::2], found[1::2]
