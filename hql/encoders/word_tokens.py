"""Token ids of texts, most of them looked up: exact, and hardly a text is tokenised whole.

A text is cut into pieces that tokenise alone (kernels/words.py: a word with the space before it,
brackets, an indentation), most of which were seen before. Only new ones go to the library
`tokenizers`, each once, all of a batch together, between line feeds, which join nothing. What
cannot be shown to be exact goes there as whole texts: by the tokenizer's file (`rule_of`), or
because a text has a special token in it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hartonomous.kernels import words as kernel

if TYPE_CHECKING:
    import pyarrow as pa

#: words and bytes of words above which a table is left for an empty one: with tokens, some 50 MB
WORDS_MAX: Final = 1 << 19
KEY_BYTES_MAX: Final = 1 << 23
#: bytes of a batch above which it is tokenised whole: positions in the table are 32 bits
BATCH_BYTES_MAX: Final = 1 << 24
#: new words go to the library in strings of about so many bytes, which it spreads over its threads
ASKED_BYTES: Final = 1 << 13

#: what the normaliser writes for a space
MARKER: Final = "▁"
SEPARATOR: Final = chr(kernel.SEPARATOR)
#: puts the marker in front of every text but the empty one, and in place of every space
NORMALIZER: Final = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": MARKER},
        {"type": "Replace", "pattern": {"String": " "}, "content": MARKER},
    ],
}
#: settings of the model under which tokens are not those of the merges alone
CHANGES: Final = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges")
_BYTE_TOKEN: Final = re.compile("<0x[0-9A-F]{2}>")


class _Known(NamedTuple):
    """A table of words, and how many were left before it."""

    generation: int
    words: kernel.Words


class WordTokens:
    """A tokenizer with a table of words. Safe across threads: `_known` is replaced by whole values,
    each of which stays true for those who hold it (kernels/words.py); learning takes a lock."""

    def __init__(self, tokenizer: Any, file: Path) -> None:
        self._tokenizer, self._file = tokenizer, file
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._whole_size = 0  # bytes tokenised whole

    def tokenise(self, texts: pa.StringArray) -> tuple[kernel.Ids, kernel.Offsets]:
        """(ids, offsets) of N texts, none of them NULL: the tokens of text n are
        ids[offsets[n] : offsets[n + 1]]."""
        import numpy as np

        nothing = np.empty(0, np.int32), np.zeros(len(texts) + 1, np.int64)
        _, bounds, data = texts.buffers()
        if not len(texts):  # then Arrow may have no buffers at all
            return nothing
        offsets = np.frombuffer(bounds, np.int32, len(texts) + 1, 4 * texts.offset)
        size = int(offsets[-1]) - int(offsets[0])
        if not size:
            return nothing
        is_small = not kernel.is_compiled_worth(size, self._whole_size)
        if is_small or size > BATCH_BYTES_MAX or self._rule is None:
            self._whole_size += size  # two threads may lose one's: it is an estimate
            return self.tokenise_whole(texts)
        characters = np.frombuffer(data, np.uint8)
        pieces, words = self._find(characters, offsets.astype(np.int64), self._rule)
        ids, starts = kernel.tokens(pieces, words)
        if not pieces.is_plain.any():
            return ids, starts
        return self._with_plain(ids, starts, texts, pieces.is_plain)

    def tokenise_whole(self, texts: pa.StringArray) -> tuple[kernel.Ids, kernel.Offsets]:
        """The same, by the library alone: the definition."""
        import numpy as np

        ids, counts = self._ask(texts.to_pylist())
        return ids, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def _ask(self, texts: list[str]) -> tuple[kernel.Ids, list[int]]:
        """The token ids of all texts, and how many each has."""
        import numpy as np

        encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        lists = [e.ids for e in encoded]
        counts = [len(ids) for ids in lists]
        return np.fromiter(chain.from_iterable(lists), np.int32, sum(counts)), counts

    def _with_plain(
        self, ids: kernel.Ids, offsets: kernel.Offsets, texts: pa.StringArray, is_plain: Any
    ) -> tuple[kernel.Ids, kernel.Offsets]:
        """Puts in the tokens of plain texts, which have none yet."""
        import numpy as np
        import pyarrow as pa

        plain_ids, plain_offsets = self.tokenise_whole(texts.filter(pa.array(is_plain)))
        plain_counts = np.diff(plain_offsets)
        counts = np.diff(offsets)
        counts[is_plain] = plain_counts
        places = np.repeat(offsets[:-1][is_plain], plain_counts)
        return np.insert(ids, places, plain_ids), np.concatenate([[0], np.cumsum(counts)])

    @cached_property
    def _rule(self) -> kernel.Rule | None:
        return rule_of(json.loads(self._file.read_bytes()))

    @cached_property
    def _lead(self) -> list[int]:
        """The tokens of a lone separator: the marker's, and its own."""
        ids, _ = self._ask([SEPARATOR])
        return [int(i) for i in ids]

    def _fresh(self, generation: int) -> _Known:
        return _Known(generation, kernel.new(self._lead[-1]))

    def _find(
        self, data: Any, offsets: kernel.Offsets, rule: kernel.Rule
    ) -> tuple[kernel.Pieces, kernel.Words]:
        """The pieces of all texts, each of them in the table."""
        known = self._known or self._fresh(0)
        pieces = kernel.cut(data, offsets, rule, known.words)
        if (pieces.words < 0).any():
            return pieces, self._learn(pieces, known.generation)
        return pieces, known.words

    def _learn(self, pieces: kernel.Pieces, generation: int) -> kernel.Words:
        """The table with all pieces, whose numbers are put in; `generation` of the table from
        which those that are there come."""
        with self._lock:
            known = self._known or self._fresh(0)
            if known.generation != generation:
                pieces.words.fill(-1)
            first = known.words.total
            try:
                words = kernel.add(pieces, known.words)
                if words.total > first:
                    tokens = self._tokens_of(words, first)
                    words = kernel.add_tokens(words, first, tokens, self._lead[-1])
            except BaseException:  # interrupted: there may be words without tokens
                self._known = self._fresh(known.generation + 1)
                raise
            is_full = words.total > WORDS_MAX or words.key_starts[words.total] > KEY_BYTES_MAX
            generation = known.generation + is_full
            self._known = self._fresh(generation) if is_full else _Known(generation, words)
            return words

    def _tokens_of(self, words: kernel.Words, first: int) -> kernel.Ids:
        """The tokens of the words from `first` on, each with the separator's behind it."""
        import numpy as np

        starts = words.key_starts[first : words.total + 1]
        cuts = np.arange(starts[0], starts[-1], ASKED_BYTES)
        bounds = np.append(starts[np.unique(np.searchsorted(starts, cuts))], starts[-1])
        spans = zip(bounds.tolist(), bounds[1:].tolist(), strict=False)
        asked = [SEPARATOR + words.keys[a:b].tobytes().decode() for a, b in spans if a < b]
        ids, counts = self._ask(asked)
        places = np.cumsum([0, *counts[:-1]])[:, None] + np.arange(len(self._lead))
        return np.delete(ids, places.reshape(-1))


def rule_of(config: Mapping[str, Any]) -> kernel.Rule | None:
    """Where texts may be cut so that the pieces' tokens are the text's, from a tokenizer's JSON;
    None if that does not follow from it.

    It follows when the text reaches the model as it is but for the markers, when the model is
    byte-pair encoding whose every character has a token or the tokens of its bytes, and when the
    latter are never merged: then what two characters become together is a product of merges that
    has them side by side, or nothing.
    """
    import numpy as np

    model, added = config["model"], config["added_tokens"]
    as_known = (
        config["normalizer"] == NORMALIZER
        and config["pre_tokenizer"] is None
        and model["type"] == "BPE"
        and model["byte_fallback"]
        and not any(model.get(name) for name in CHANGES)
        and all(f"<0x{byte:02X}>" in model["vocab"] for byte in range(256))
    )
    merges = [m.split(" ") if isinstance(m, str) else m for m in model.get("merges", ())]
    products = ["".join(m) for m in merges]
    marks = [token["content"].encode() for token in added]
    if (
        not as_known
        or any(_BYTE_TOKEN.fullmatch(part) for part in chain(products, *merges))
        or any(token["normalized"] for token in added)
        or any(len(mark) < 2 or set(mark) & set(b" \n") for mark in marks)
    ):
        return None
    joins = _joins_of(products)
    separator = kernel.SEPARATOR
    if joins[separator, :0x80].any() or joins[separator, 0xC0:].any() or joins[:, separator].any():
        return None
    table = np.zeros((len(marks), max(map(len, marks), default=0)), np.uint8)
    for row, mark in zip(table, marks, strict=True):
        row[: len(mark)] = np.frombuffer(mark, np.uint8)
        joins[mark[0], mark[1]] |= kernel.STARTS
    return kernel.Rule(joins, table, np.array([len(mark) for mark in marks], np.int32))


def _joins_of(products: list[str]) -> kernel.Bytes:
    """uint8[256,256]: JOINS where a product has these bytes side by side, with its markers as they
    are or as the spaces they were; and before continuation bytes."""
    import numpy as np

    joins = np.zeros((256, 256), np.uint8)
    marked = b"\xff".join(product.encode() for product in products)
    marker = MARKER.encode()
    for text in (marked, marked.replace(marker, b" ")):
        data = np.frombuffer(text, np.uint8)
        joins[data[:-1], data[1:]] = kernel.JOINS
    if marker + marker in marked:
        joins[marker[-1], kernel.SPACE] = joins[kernel.SPACE, marker[0]] = kernel.JOINS
    joins[0xFF, :] = joins[:, 0xFF] = 0  # was between products, and is in no text
    joins[:, 0x80:0xC0] = kernel.JOINS
    return joins
