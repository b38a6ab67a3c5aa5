"""Texts for tokenizers: all planes of Unicode, code, spaces. And byte-level BPE in plain Python.
Needs nothing of the project, as the scripts in tests/oracle run without it."""

from __future__ import annotations

import functools
import random
import re
import unicodedata

WORDS = ["the", "a", "Token", "izer", "naïve", "café", "don't", "I'LL", "we've", "123", "3.14"]
WORDS += ["東京", "привет", "мир", "γειά", "x_y", "foo()", "🐈", "👩\u200d👩\u200d👧"]
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\t", " \n ", "\r\n", "\u00a0", "\u3000", "\u200b"]

CODE = r"""
def fibonacci(n: int = 10) -> list[int]:
    found = [0, 1]
	while len(found) < n:  # mixed indentation
        found.append(found[-1] + found[-2])
    return found[:n]

class HTTPServer2(BaseServer):
    # It's what it'll be; we've 1_000 of 'em.
    PATTERN = re.compile(r'\d{3,5}(?:\.\d+)?[eE]?')
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs); self._x = 0xFF ^ 0b1010

SELECT a.Id, COUNT(*) AS n FROM [dbo].[Table 1] a WHERE x >= 3.14e-10 AND y <> N'ß' GROUP BY a.Id;
#include <stdio.h>
int main(int argc, char **argv) { for (int i = 0; i < 10; ++i) printf("%d\n", i); return 0; }
const f = async (x) => { await g(`${x ?? "none"}`); return x?.y !== null && !!x; };
<div class="a b" onclick='f("x")'>&nbsp;&#8364;</div>   <!-- comment -->
{"key": [1, 2.5, null, true], "ключ": "значение", "escaped": "\u00e9\t"}
fn main() -> Result<(), Box<dyn Error>> { let v: Vec<_> = (0..=9).map(|x| x * x).collect(); Ok(()) }
C:\Users\me\file.txt /usr/local/bin ~/.config https://example.org/a?b=c&d=%20#e user@host.net
               deep      spaces        and	tabs		and (trailing)
+-----+-----+ |  a  |  b  | ===== ***** ~~~~~ ..... !!!??? ,,, ;;; ((( ))) [[[ ]]]
12345678901234567890 1,234.56 $99.99 50% 2024-03-05T12:34:56Z 192.168.0.1 ½ Ⅷ ² ٣ ४
"""


@functools.cache
def texts(count: int = 1000, seed: int = 7) -> list[str]:
    """The same texts each time, with every Python; characters younger than Unicode 3.2 are left
    out but for some words', as tables of other ages class them differently."""
    rng = random.Random(seed)
    lines = CODE.splitlines(keepends=True)
    found = ["", " ", "a", "\n", "'s 'S 'LL 'ſ", " 's", "a  b", "  a", "a ", "0" * 50, "\x00\x7f"]
    while len(found) < count:
        kind = rng.randrange(5)
        if kind == 0:
            text = "".join(assigned(rng, rng.randrange(17)) for _ in range(rng.randrange(1, 20)))
        elif kind == 1:
            start = rng.randrange(len(lines))
            text = "".join(lines[start : start + rng.randrange(1, 6)])
        elif kind == 2:
            text = "".join(rng.choice(WORDS) + rng.choice(SPACES) for _ in range(rng.randrange(12)))
        elif kind == 3:
            text = "".join(assigned(rng, 0) for _ in range(rng.randrange(1, 30)))
        else:
            text = "".join(chr(rng.randrange(128)) for _ in range(rng.randrange(40)))
        found.append(text)
    return found


def assigned(rng: random.Random, plane: int) -> str:
    """A character of a plane, or of the first where the plane has none to give."""
    for _ in range(40):
        character = chr(plane << 16 | rng.randrange(1 << 16))
        if unicodedata.ucd_3_2_0.category(character) not in ("Cn", "Cs"):
            return character
    return chr(rng.randrange(0x20, 0x7F))


@functools.cache
def category(letter: str) -> str:
    r"""The inside of a character class of Python's `re` that is \p{letter}."""
    ranges: list[list[int]] = []
    for code in range(0x110000):
        if unicodedata.category(chr(code))[0] == letter:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in ranges)


def reference_bpe(
    text: str, tokens: dict[str, int], merges: list[str], single_digits: bool
) -> list[int]:
    """Byte-level BPE as its paper has it: cut into words, join the pair of the lowest rank until
    no pair has one; bytes without a token are dropped first. Plain Python, with its own bytes and
    patterns."""
    letters, numbers = category("L"), category("N")
    white = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    word = re.compile(
        f"'s|'t|'re|'ve|'m|'ll|'d| ?[{letters}]+| ?[{numbers}]+|"
        f" ?[^{white}{letters}{numbers}]+|[{white}]+(?![^{white}])|[{white}]+"
    )
    pieces = re.split(f"([{numbers}])", text) if single_digits else [text]
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    others = [b for b in range(256) if b not in printable]
    alphabet = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    found = []
    for piece in pieces:
        for match in word.finditer(piece):
            symbols = [alphabet[b] for b in match[0].encode() if alphabet[b] in tokens]
            while len(symbols) > 1:
                neighbours = zip(symbols, symbols[1:], strict=False)
                pairs = [(ranks.get(p, len(ranks)), i) for i, p in enumerate(neighbours)]
                rank, i = min(pairs)
                if rank == len(ranks):
                    break
                symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
            found += [tokens[symbol] for symbol in symbols]
    return found
