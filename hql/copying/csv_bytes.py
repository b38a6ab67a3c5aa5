"""What a pass over the bytes of a CSV file tells before Arrow parses it.

Arrow takes a quote that is never closed for one that ends with the file, and `0x10` for a number.
The pass is NumPy's and the C library's; only a file with quotes inside unquoted fields, or with an
odd number of them, is gone through field by field.
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path

import numpy as np

#: bytes looked at together: as many as stay in the processor's cache
_SLICE = 1 << 19
_QUOTE = ord('"')


def find_unclosed_quote(path: Path, delimiter: str) -> int | None:
    """The line, from 1, of a quote that opens a field and that nothing closes; None if there is no
    such quote. The file is not empty."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        if _is_regular(text, delimiter):
            return None
        separators = b"\\r\\n" + re.escape(delimiter.encode())
        # from the start of a quoted field to its closing quote, or to the end of the file
        quoted = re.compile(
            rb"(?:\A(?:\xef\xbb\xbf)?|[" + separators + rb'])"(?:[^"]++|"")*+("?)', re.DOTALL
        )
        for match in quoted.finditer(text):
            if not match[1]:
                opening = text.find(b'"', match.start())
                return 1 + sum(
                    text[i : min(i + _SLICE, opening)].count(b"\n")
                    for i in range(0, opening, _SLICE)
                )
    return None


def _is_regular(text: mmap.mmap, delimiter: str) -> bool:
    """Whether the quotes pair up one after the other: their number is even, and before the first of
    each pair a field begins or the pair before it ended (a doubled quote)."""
    before = np.zeros(256, np.bool_)
    before[[ord(delimiter), ord("\n"), ord("\r"), _QUOTE]] = True
    count = 0
    for start in range(0, len(text), _SLICE):
        lead = max(start - 1, 0)
        part = np.frombuffer(text[lead : start + _SLICE], np.uint8)
        places = np.flatnonzero(part == _QUOTE)
        places = places[places >= start - lead]
        opening = places[count % 2 :: 2]
        opening = opening[opening > 0]  # the file's first byte begins a field
        if not before[part[opening - 1]].all():
            return False
        count += len(places)
    return count % 2 == 0


def may_hold_odd_integers(path: Path) -> bool:
    """Whether there may be integers that Arrow does not read (+7) or that only Arrow does (0x7)."""
    before = b""
    with open(path, "rb") as file:
        while part := file.read(_SLICE):
            text = np.frombuffer(before + part, np.uint8)
            marks = np.flatnonzero((text[1:] | 0x20) == ord("x"))  # X too
            if b"+" in part or (text[marks] == ord("0")).any():
                return True
            before = part[-1:]
    return False
