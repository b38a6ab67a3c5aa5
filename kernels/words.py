"""Pieces of texts that tokenise alone, and the table of those whose tokens are known.

Byte-pair encoding joins two neighbouring characters only on the way to a token that has them side
by side. Where no token of a vocabulary has the pair, the text may be cut, and the tokens of the
pieces, one after the other, are those of the text: exact, whatever the order of the merges.

    data: uint8[B], offsets: int64[N+1]   texts in UTF-8, as Arrow has them
    joins: uint8[256,256]                 JOINS where a token has these bytes side by side (always
                                          before a continuation byte: characters stay whole), STARTS
                                          where a mark may start, a string that makes its text plain
    marks: uint8[M,L], mark_sizes         those strings

Every text but the empty one gets a space in front, as the normaliser does. A piece is a key of the
table of words; a plain text has no pieces. `Words` is grown by one writer at a time, while readers
use what they were given: entries are only ever added, slots are written whole, and a reader takes a
slot above its own `total` for the end of the chain, as what it looks for was put in before that.

Estimate, compiled and known: 8 ns a byte; the table's cache misses are most of it.
"""

from __future__ import annotations

import sys
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

#: bytes, in one process, that take as long without the compiled form as numba takes to load (0.5 s)
COMPILE_BYTES: Final = 1 << 20
#: bytes that take as long without the compiled form as a call of it does (12 µs)
CALL_BYTES: Final = 1 << 7

JOINS: Final = 1
STARTS: Final = 2
SPACE: Final = 32
#: stands between words; joins nothing, so it is a word itself and in no other
SEPARATOR: Final = 10

Bytes = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]


class Rule(NamedTuple):
    """Where texts may be cut, and which are plain; see above."""

    joins: Bytes
    marks: Bytes
    mark_sizes: npt.NDArray[np.int32]


class Words(NamedTuple):
    """An open-addressing hash table of byte strings with their token ids.

    Word w is keys[key_starts[w] : key_starts[w + 1] - 1], its tokens are ids[id_starts[w] :
    id_starts[w + 1] - 1]; behind each stands the separator. A slot is 0, or w + 1 below half of
    the word's hash.
    """

    slots: npt.NDArray[np.uint64]
    keys: Bytes
    key_starts: Ids
    ids: Ids
    id_starts: Ids
    total: int


class Pieces(NamedTuple):
    """What a batch of texts was cut into: P pieces, of which K are not in the table."""

    data: Bytes  # the texts, each with its space
    words: Ids  # int32[P]: number in the table, or -1
    text_pieces: Offsets  # int64[N+1]: pieces of text n are text_pieces[n] to text_pieces[n + 1]
    is_plain: npt.NDArray[np.bool_]  # [N]: has a mark, and no pieces
    starts: Offsets  # int64[P]: where a piece starts in data
    ends: Offsets  # int64[P]


def is_compiled_worth(size: int, before: int) -> bool:
    """Whether the compiled form is loaded and `size` bytes are enough to call it, or they and those
    that came before are enough to load it."""
    return size + before >= COMPILE_BYTES or (
        size >= CALL_BYTES and "hartonomous.kernels.words_compiled" in sys.modules
    )


def new(separator_token: int, slots: int = 1 << 12, key_bytes: int = 1 << 15) -> Words:
    """A table with room for slots / 2 words, in which there is only the separator itself."""
    from hartonomous.kernels import words_compiled

    assert slots >= 4 and slots & (slots - 1) == 0 and key_bytes >= 2, (slots, key_bytes)
    words = Words(
        np.zeros(slots, np.uint64),
        np.zeros(key_bytes, np.uint8),
        np.zeros(slots // 2 + 1, np.int32),
        np.zeros(key_bytes, np.int32),
        np.zeros(slots // 2 + 1, np.int32),
        total=1,
    )
    words.keys[:2], words.key_starts[1] = SEPARATOR, 2
    words.ids[:2], words.id_starts[1] = separator_token, 2
    words_compiled.place(words)
    return words


def cut(data: Bytes, offsets: Offsets, rule: Rule, words: Words) -> Pieces:
    """The pieces of each text, looked up."""
    from hartonomous.kernels import words_compiled

    return words_compiled.cut(data, offsets, rule, words)


def add(pieces: Pieces, words: Words) -> Words:
    """The table with every piece that was missing, whose numbers are put in `pieces`; the tokens
    of new words are not there yet. Arrays are those of `words`, or grown copies."""
    from hartonomous.kernels import words_compiled

    return words_compiled.add(pieces, words)


def add_tokens(words: Words, first: int, ids: Ids, separator_token: int) -> Words:
    """The table with the tokens of the words from `first` on: each word's, and the separator's."""
    start = int(words.id_starts[first])
    ends = np.flatnonzero(ids == separator_token) + 1
    assert len(ends) == words.total - first, (len(ends), words.total, first)
    stop = start + len(ids)
    if stop > len(words.ids):
        room = np.empty(max(stop, 2 * len(words.ids)), np.int32)
        room[:start] = words.ids[:start]
        words = words._replace(ids=room)
    words.ids[start:stop] = ids
    words.id_starts[first + 1 : words.total + 1] = start + ends
    return words


def tokens(pieces: Pieces, words: Words) -> tuple[Ids, Offsets]:
    """(ids, offsets): the tokens of text n are ids[offsets[n] : offsets[n + 1]]."""
    from hartonomous.kernels import words_compiled

    return words_compiled.tokens(pieces, words)


def cut_reference(data: bytes, rule: Rule) -> list[bytes] | None:
    """The definition, for one text: its pieces; None if it is plain."""
    marks = [row[:n].tobytes() for row, n in zip(rule.marks, rule.mark_sizes, strict=True)]
    if any(mark in data for mark in marks):
        return None
    if not data:
        return []
    whole = np.frombuffer(b" " + data, np.uint8)
    joined: Any = rule.joins[whole[:-1], whole[1:]] & JOINS
    bounds = [0, *(np.flatnonzero(joined == 0) + 1).tolist(), len(whole)]
    return [whole[a:b].tobytes() for a, b in zip(bounds, bounds[1:], strict=False)]
