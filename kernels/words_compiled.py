"""The compiled forms of words.py. Importing it imports numba."""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np

from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.words import (
    JOINS,
    SEPARATOR,
    SPACE,
    STARTS,
    Bytes,
    Ids,
    Offsets,
    Pieces,
    Rule,
    Words,
)

#: FNV-1a, 64 bits (Fowler, Noll, Vo), folded once more by Fibonacci hashing
_BASIS: Final = np.uint64(0xCBF29CE484222325)
_PRIME: Final = np.uint64(0x100000001B3)
_FOLD: Final = np.uint64(0x9E3779B97F4A7C15)
_LOW: Final = np.uint64(0xFFFFFFFF)
_32: Final = np.uint64(32)


@numba.njit(**OPTIONS)
def _hash(data, start, end):  # type: ignore[no-untyped-def]
    h = _BASIS
    for i in range(start, end):
        h = (h ^ np.uint64(data[i])) * _PRIME
    return h * _FOLD


@numba.njit(**OPTIONS)
def _find(h, data, start, end, slots, keys, key_starts, total):  # type: ignore[no-untyped-def]
    """(number of the word or -1, slot where it is or the chain ends)."""
    mask = len(slots) - 1
    tag = h & _LOW
    slot = np.int64(h >> _32) & mask
    size = end - start
    while True:
        entry = slots[slot]
        number = np.int64(entry & _LOW) - 1
        if number < 0 or number >= total:
            return np.int64(-1), slot
        if entry >> _32 == tag:
            first = np.int64(key_starts[number])
            if np.int64(key_starts[number + 1]) - 1 - first == size:
                k = 0
                while k < size and keys[first + k] == data[start + k]:
                    k += 1
                if k == size:
                    return number, slot
        slot = (slot + 1) & mask


@numba.njit(**OPTIONS)
def _has_mark(data, at, end, marks, mark_sizes):  # type: ignore[no-untyped-def]
    for m in range(len(mark_sizes)):
        size = mark_sizes[m]
        if at + size <= end:
            k = 0
            while k < size and data[at + k] == marks[m, k]:
                k += 1
            if k == size:
                return True
    return False


@numba.njit(**OPTIONS)
def _spaced(texts, offsets):  # type: ignore[no-untyped-def]
    """The texts with a space in front of each that is not empty, and their bounds."""
    bounds = np.zeros(len(offsets), np.int64)
    data = np.empty(offsets[-1] - offsets[0] + len(offsets), np.uint8)
    stop = np.int64(0)
    for n in range(len(offsets) - 1):
        first, size = offsets[n], offsets[n + 1] - offsets[n]
        if size:
            data[stop] = SPACE
            for i in range(size):
                data[stop + 1 + i] = texts[first + i]
            stop += size + 1
        bounds[n + 1] = stop
    return data[:stop], bounds


@numba.njit(**OPTIONS)
def _cut(data, bounds, joins, marks, mark_sizes, slots, keys, key_starts, total):  # type: ignore[no-untyped-def]
    words = np.empty(len(data), np.int32)
    starts, ends = np.empty(len(data), np.int64), np.empty(len(data), np.int64)
    text_pieces = np.zeros(len(bounds), np.int64)
    is_plain = np.zeros(len(bounds) - 1, np.bool_)
    p = 0
    for n in range(len(bounds) - 1):
        start, stop = bounds[n], bounds[n + 1]
        h = _BASIS
        before = np.int64(0)
        for i in range(start, stop):
            byte = np.int64(data[i])
            link = joins[before, byte] if i > start else np.uint8(JOINS)
            if link & STARTS and _has_mark(data, i - 1, stop, marks, mark_sizes):
                is_plain[n] = True
                break
            if not link & JOINS:
                words[p], _ = _find(h * _FOLD, data, start, i, slots, keys, key_starts, total)
                starts[p], ends[p] = start, i
                p += 1
                start, h = i, _BASIS
            h = (h ^ np.uint64(byte)) * _PRIME
            before = byte
        if is_plain[n]:
            p = text_pieces[n]
        elif start < stop:
            words[p], _ = _find(h * _FOLD, data, start, stop, slots, keys, key_starts, total)
            starts[p], ends[p] = start, stop
            p += 1
        text_pieces[n + 1] = p
    return words[:p], text_pieces, is_plain, starts[:p], ends[:p]


def cut(data: Bytes, offsets: Offsets, rule: Rule, words: Words) -> Pieces:
    """As words.cut."""
    data = data[:]
    data.flags.writeable = False  # so that there is one signature, whatever Arrow's memory is
    spaced, bounds = _spaced(data, offsets)
    table = words.slots, words.keys, words.key_starts, words.total
    return Pieces(spaced, *_cut(spaced, bounds, *rule, *table))


@numba.njit(**OPTIONS)
def _add(first, data, numbers, starts, ends, slots, keys, key_starts, total):  # type: ignore[no-untyped-def]
    """Puts in the missing pieces from `first` on, until the table is full:
    (first piece not done, words)."""
    for p in range(first, len(numbers)):
        if numbers[p] >= 0:
            continue
        start, end = starts[p], ends[p]
        h = _hash(data, start, end)
        number, slot = _find(h, data, start, end, slots, keys, key_starts, total)
        if number < 0:
            at = np.int64(key_starts[total])
            after = at + end - start + 1
            if 2 * (total + 1) > len(slots) or after > len(keys):
                return p, total
            for k in range(end - start):
                keys[at + k] = data[start + k]
            keys[after - 1] = SEPARATOR
            key_starts[total + 1] = after
            number = total
            total += 1
            slots[slot] = h << _32 | np.uint64(total)
        numbers[p] = number
    return len(numbers), total


@numba.njit(**OPTIONS)
def _place(slots, keys, key_starts, total):  # type: ignore[no-untyped-def]
    """Fills the slots of a table whose words are there."""
    mask = len(slots) - 1
    for number in range(total):
        h = _hash(keys, np.int64(key_starts[number]), np.int64(key_starts[number + 1]) - 1)
        slot = np.int64(h >> _32) & mask
        while slots[slot] != 0:
            slot = (slot + 1) & mask
        slots[slot] = h << _32 | np.uint64(number + 1)


def place(words: Words) -> None:
    """Fills the empty slots of a table from its words."""
    _place(words.slots, words.keys, words.key_starts, words.total)


def add(pieces: Pieces, words: Words) -> Words:
    """As words.add."""
    done = 0
    while True:
        done, total = _add(
            done,
            pieces.data,
            pieces.words,
            pieces.starts,
            pieces.ends,
            words.slots,
            words.keys,
            words.key_starts,
            words.total,
        )
        words = words._replace(total=total)
        if done == len(pieces.words):
            return words
        words = _grown(words, int(pieces.ends[done] - pieces.starts[done]) + 1)


def _grown(words: Words, size: int) -> Words:
    """The table with room for one more word, of `size` bytes with its separator."""
    slots, keys, key_starts, ids, id_starts, total = words
    if 2 * (total + 1) > len(slots):
        slots = np.zeros(2 * len(slots), np.uint64)
        _place(slots, keys, key_starts, total)
        key_starts, id_starts = (_copied(x, len(slots) // 2 + 1) for x in (key_starts, id_starts))
    used = int(key_starts[total])
    if used + size > len(keys):
        keys = _copied(keys, max(2 * len(keys), used + size))
    return Words(slots, keys, key_starts, ids, id_starts, total)


def _copied(array: Any, size: int) -> Any:
    room = np.zeros(size, array.dtype)
    room[: len(array)] = array
    return room


@numba.njit(**OPTIONS)
def _tokens(numbers, text_pieces, ids, id_starts):  # type: ignore[no-untyped-def]
    total = np.int64(0)
    offsets = np.zeros(len(text_pieces), np.int64)
    for n in range(len(text_pieces) - 1):
        for p in range(text_pieces[n], text_pieces[n + 1]):
            total += np.int64(id_starts[numbers[p] + 1]) - 1 - np.int64(id_starts[numbers[p]])
        offsets[n + 1] = total
    out = np.empty(total, np.int32)
    at = 0
    for p in range(len(numbers)):
        for i in range(id_starts[numbers[p]], id_starts[numbers[p] + 1] - 1):
            out[at] = ids[i]
            at += 1
    return out, offsets


def tokens(pieces: Pieces, words: Words) -> tuple[Ids, Offsets]:
    """As words.tokens."""
    ids, offsets = _tokens(pieces.words, pieces.text_pieces, words.ids, words.id_starts)
    return ids, offsets
