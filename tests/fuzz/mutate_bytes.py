"""Damaged and lying files made from right ones, the same for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

#: numbers that break what was written for honest lengths, counts, types and offsets
LIES = (
    *(0, 1, 2, 3, 7, 8, 9, 255, 256, 65_535, 65_536, 1 << 20, 1 << 24, (1 << 31) - 1, 1 << 31),
    *((1 << 32) - 1, 1 << 32, 1 << 40, 1 << 60, (1 << 62) + 1, (1 << 63) - 1, 1 << 63),
    (1 << 64) - 1,
)
DIGITS = re.compile(rb"-?\d+")
QUOTED = re.compile(rb'"[^"]*"')
#: what stands in for a piece of JSON
ODD = (
    *(
        b"null",
        b"true",
        b"-1",
        b"1.5",
        b"1e999",
        b"NaN",
        b'""',
        b'"\\ud800"',
        b"{}",
        b"[]",
        b"[[]]",
    ),
    *(
        b'"F8_E4M3"',
        b'"F33"',
        b'"__metadata__"',
        b'"../x"',
        b'"\xff"',
        b"9" * 5_000,
        b"[" * 100_000,
    ),
    *(b"18446744073709551616", b"9223372036854775807", b'{"a":1,"a":2}', b",", b":", b"\0", b"{"),
)


def mutate(data: bytes, random: random.Random) -> bytes:
    """`data` with one to three things wrong, most of them near its beginning."""
    ways = (*WAYS, *[retell] * 8) if data[:1] == b"{" or data[8:9] == b"{" else WAYS
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = random.choice(ways)(data, random)
    return data


def place(data: bytes, random: random.Random) -> int:
    """An offset, rather an early one: headers are what lies."""
    reach = random.choice((32, 256, len(data), len(data)))
    return random.randrange(max(min(reach, len(data)), 1))


def flip(data: bytes, random: random.Random) -> bytes:
    changed = bytearray(data or b"\0")
    changed[place(changed, random)] ^= 1 << random.randrange(8)
    return bytes(changed)


def set_byte(data: bytes, random: random.Random) -> bytes:
    changed = bytearray(data or b"\0")
    changed[place(changed, random)] = random.choice((0, 1, 8, 9, 34, 44, 91, 123, 127, 128, 255))
    return bytes(changed)


def cut(data: bytes, random: random.Random) -> bytes:
    return data[: place(data, random)]


def remove(data: bytes, random: random.Random) -> bytes:
    start = place(data, random)
    return data[:start] + data[start + random.choice((1, 2, 4, 8, 32, 100)) :]


def double(data: bytes, random: random.Random) -> bytes:
    start = place(data, random)
    stop = start + random.choice((1, 2, 4, 8, 32, 100, 1_000))
    return data[:stop] + data[start:stop] + data[stop:]


def splice(data: bytes, random: random.Random) -> bytes:
    """One part of the file over another of the same length."""
    start, other, length = place(data, random), place(data, random), random.choice((4, 8, 40, 200))
    piece = data[other : other + length]
    return data[:start] + piece + data[start + len(piece) :]


def lie(data: bytes, random: random.Random) -> bytes:
    """A number of 4 or 8 bytes somewhere, on any offset, is another."""
    size = random.choice((4, 8))
    number = random.choice(LIES) % (1 << 8 * size)
    start = place(data, random)
    return data[:start] + number.to_bytes(size, "little") + data[start + size :]


def nudge(data: bytes, random: random.Random) -> bytes:
    """A number of 8 bytes is a little more or less."""
    start = place(data, random)
    number = int.from_bytes(data[start : start + 8], "little") + random.choice((-32, -8, -1, 1, 32))
    return data[:start] + (number % (1 << 64)).to_bytes(8, "little") + data[start + 8 :]


def retell(data: bytes, random: random.Random) -> bytes:
    """A number or a text of JSON is another."""
    found = list(random.choice((DIGITS, QUOTED)).finditer(data))
    if not found:
        return flip(data, random)
    start, stop = random.choice(found).span()
    replacements = (random.choice(ODD), str(random.choice(LIES)).encode(), data[start:stop] + b"0")
    another = random.choice(found)[0]
    return data[:start] + random.choice((*replacements, another)) + data[stop:]


WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(flip, flip, set_byte, cut, remove, double, splice, lie, lie, nudge, retell),
)
