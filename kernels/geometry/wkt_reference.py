"""The definition of what WKT the project reads, in plain Python: one row, one mark at a time.

For a few rows it is also the fast way, as it loads nothing. wkt_compiled.py gives the same arrays.
Coordinates and radii come as places of decimals in the text (`Pending`), not as numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hartonomous.kernels.geometry import faults
from hartonomous.kernels.geometry.faults import Bytes, Scan
from hartonomous.kernels.geometry.layout import (
    KIND_NAMES,
    LINESTRING,
    MULTIPOINT,
    POINT,
    POLYGON,
    Offsets,
    Srids,
)
from hartonomous.kernels.geometry.scan_rows import Fault, Row, read_rows, scan_of

_KINDS = {name: kind for kind, name in KIND_NAMES.items()}
_BLANKS = re.compile(rb"[ \t\r\n]*")
_WORD = re.compile(rb"[A-Za-z]*")
_DIGITS = re.compile(rb"[0-9]*")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NO_NUMBER = re.compile(rb"[+-]?(?:nan|infinity|inf)(?![A-Za-z])", re.IGNORECASE)
_DELIMITER = re.compile(rb"[ \t\r\n,()]|\Z")


class Pending(NamedTuple):
    """Numbers that the scan did not read: where they stand in the text, where they belong."""

    starts: Offsets  # int64[K] into the text
    lengths: Offsets  # int64[K]
    targets: Offsets  # int64[K]: place in the flat coordinates, or -1 - row for a radius


@dataclass
class _Row(Row[list[tuple[int, int] | None]]):
    """One text and what was found in it; numbers as (start, length), None for an absent z."""

    dimensions: int = 0
    radius: tuple[int, int] | None = None

    def skip(self) -> None:
        self.at = self._end(_BLANKS)

    def _end(self, pattern: re.Pattern[bytes]) -> int:
        found = pattern.match(self.data, self.at)
        return self.at if found is None else found.end()

    def word(self) -> str:
        """The word here, in capitals; it stays unread."""
        return self.data[self.at : self._end(_WORD)].decode("ascii").upper()

    def next_word(self) -> str:
        """Reads a word and blanks; gives the word after them."""
        self.at = self._end(_WORD)
        self.skip()
        return self.word()

    def is_at(self, mark: bytes) -> bool:
        return self.data[self.at : self.at + 1] == mark

    def expect(self, mark: bytes, code: int) -> None:
        if not self.is_at(mark):
            raise Fault(code, self.at)
        self.at += 1
        self.skip()

    def number(self) -> tuple[int, int]:
        start, stop = self.at, self._end(_NUMBER)
        if _NO_NUMBER.match(self.data, start):
            raise Fault(faults.NOT_FINITE, start)
        if stop == start:
            raise Fault(faults.NUMBER_EXPECTED, start)
        if not _DELIMITER.match(self.data, stop):
            raise Fault(faults.BAD_NUMBER, start)
        self.at = stop
        self.skip()
        return start, stop - start

    # ---- grammar ----

    def value(self) -> None:
        self.skip()
        word = self.word()
        if word == "SRID":
            word = self.srid_prefix()
        if word == "BUFFER":
            self.next_word()
            self.expect(b"(", faults.OPEN_EXPECTED)
            self.radius = self.number()
            self.expect(b",", faults.COMMA_EXPECTED)
            word = self.word()
            if word == "BUFFER":
                raise Fault(faults.NESTED_BUFFER, self.at)
        self.geometry(word)
        if self.radius is not None:
            self.expect(b")", faults.CLOSE_EXPECTED)
        if self.at != len(self.data):
            raise Fault(faults.TRAILING, self.at)

    def srid_prefix(self) -> str:
        self.next_word()
        self.expect(b"=", faults.BAD_SRID)
        start, stop = self.at, self._end(_DIGITS)
        digits = self.data[start:stop].lstrip(b"0")
        if stop == start or len(digits) > 10 or int(digits or b"0") > faults.SRID_MAX:
            raise Fault(faults.BAD_SRID, start)
        srid = int(digits or b"0")
        self.at = stop
        self.skip()
        self.expect(b";", faults.BAD_SRID)
        self.name_srid(srid, start)
        return self.word()

    def geometry(self, word: str) -> None:
        start = self.at
        if not word:
            raise Fault(faults.KIND_EXPECTED, start)
        if word not in _KINDS and word.removesuffix("Z") not in _KINDS:
            raise Fault(faults.UNKNOWN_KIND, start)
        self.kind = _KINDS[word.removesuffix("Z")]
        self.dimensions = 3 if word.endswith("Z") else 0
        word = self.next_word()
        if word == "Z":
            self.dimensions = 3
            word = self.next_word()
        elif word in ("M", "ZM"):
            raise Fault(faults.MEASURES, self.at)
        if word == "EMPTY":
            self.next_word()
        elif word:
            raise Fault(faults.OPEN_EXPECTED, self.at)
        elif self.kind == POLYGON:
            self.polygon()
        else:
            self.sequence()

    def polygon(self) -> None:
        self.expect(b"(", faults.OPEN_EXPECTED)
        while True:
            start, first = self.at, len(self.points)
            self.sequence()
            if len(self.points) - first < faults.RING_POINTS_MIN:
                raise Fault(faults.SHORT_RING, start)
            self.rings.append(first)
            self.ring_positions.append(start)
            if not self.is_at(b","):
                break
            self.expect(b",", faults.COMMA_EXPECTED)
        self.expect(b")", faults.CLOSE_EXPECTED)

    def sequence(self) -> None:
        start, first = self.at, len(self.points)
        self.expect(b"(", faults.OPEN_EXPECTED)
        while True:
            if self.kind == MULTIPOINT and self.is_at(b"("):
                self.expect(b"(", faults.OPEN_EXPECTED)
                self.point()
                self.expect(b")", faults.CLOSE_EXPECTED)
            else:
                self.point()
            if not self.is_at(b","):
                break
            if self.kind == POINT:
                raise Fault(faults.ONE_POINT, self.at)
            self.expect(b",", faults.COMMA_EXPECTED)
        self.expect(b")", faults.CLOSE_EXPECTED)
        if self.kind == LINESTRING and len(self.points) - first < faults.LINE_POINTS_MIN:
            raise Fault(faults.SHORT_LINE, start)

    def point(self) -> None:
        start = self.at
        numbers: list[tuple[int, int] | None] = [self.number(), self.number()]
        while self.at < len(self.data) and self.data[self.at] not in b",()":
            if len(numbers) == 3:
                raise Fault(faults.DIMENSIONS, start)
            numbers.append(self.number())
        if len(numbers) != (self.dimensions or len(numbers)):
            raise Fault(faults.DIMENSIONS, start)
        self.dimensions = len(numbers)
        self.points.append(numbers if len(numbers) == 3 else [*numbers, None])


def scan_reference(offsets: Offsets, data: Bytes, srids: Srids) -> tuple[Scan, Pending]:
    """Every row by `_Row`; a row with a fault is POINT EMPTY with its code and place."""
    rows, codes, positions = read_rows(_Row, offsets, data, srids)
    points = sum(len(row.points) for row in rows)
    return scan_of(rows, np.zeros((points, 3)), codes, positions), _pending(rows, offsets)


def _pending(rows: list[_Row], offsets: Offsets) -> Pending:
    found: list[tuple[int, int, int]] = []
    target = 0
    for i, row in enumerate(rows):
        base = int(offsets[i])
        if row.radius is not None:
            found.append((base + row.radius[0], row.radius[1], -1 - i))
        for number in (n for point in row.points for n in point):
            if number is not None:
                found.append((base + number[0], number[1], target))
            target += 1
    table = np.array(found, np.int64).reshape(-1, 3).T
    return Pending(*(np.ascontiguousarray(column) for column in table))
