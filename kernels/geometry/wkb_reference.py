"""The definition of what WKB the project reads, in plain Python; the format stands in wkb.py.

For a few rows it is also the fast way, as it loads nothing. wkb_compiled.py gives the same arrays.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hartonomous.kernels.geometry import faults
from hartonomous.kernels.geometry.faults import Bytes, Scan
from hartonomous.kernels.geometry.layout import (
    LINESTRING,
    MULTIPOINT,
    POINT,
    POLYGON,
    Offsets,
    Srids,
)
from hartonomous.kernels.geometry.scan_rows import Fault, Row, read_rows, scan_of

_FLAG_Z, _FLAG_M, _FLAG_SRID = 0x80000000, 0x40000000, 0x20000000
_FLAGS = _FLAG_Z | _FLAG_M | _FLAG_SRID
_ISO = 1000
#: of ISO's thousands: 1 is z, 2 m, 3 both
_ISO_DIMENSIONS_MAX = 3

_Coordinates = tuple[float, float, float]


class Type(NamedTuple):
    """A type number, taken apart."""

    kind: int
    has_z: bool
    has_m: bool
    has_srid: bool


def decoded_type(raw: int) -> Type:
    """uint32 -> Type; a kind that no standard has keeps its thousands."""
    base = raw & ~_FLAGS
    thousands = base // _ISO
    if thousands > _ISO_DIMENSIONS_MAX:
        thousands = 0
    return Type(
        base - thousands * _ISO,
        bool(raw & _FLAG_Z) or thousands in (1, 3),
        bool(raw & _FLAG_M) or thousands in (2, 3),
        bool(raw & _FLAG_SRID),
    )


@dataclass
class _Row(Row[_Coordinates]):
    """One byte string and what was found in it."""

    order: str = "<"
    size: int = 2

    def take(self, form: str, count: int, width: int) -> tuple[int, ...]:
        if len(self.data) - self.at < count * width:
            raise Fault(faults.TRUNCATED, len(self.data))
        found = struct.unpack_from(f"{self.order}{count}{form}", self.data, self.at)
        self.at += count * width
        return found

    def count(self, width: int) -> int:
        """A count of things of at least `width` bytes."""
        (count,) = self.take("I", 1, 4)
        if count * width > len(self.data) - self.at:
            raise Fault(faults.TRUNCATED, len(self.data))
        return count

    def head(self) -> Type:
        start = self.at
        (order,) = self.take("B", 1, 1)
        if order > 1:
            raise Fault(faults.BYTE_ORDER, start)
        self.order = "<" if order else ">"
        (raw,) = self.take("I", 1, 4)
        made = decoded_type(raw)
        if made.kind not in (POINT, LINESTRING, POLYGON, MULTIPOINT):
            raise Fault(faults.UNKNOWN_KIND, start + 1)
        if made.has_m:
            raise Fault(faults.MEASURES, start + 1)
        return made

    def value(self) -> None:
        made = self.head()
        self.kind, self.size = made.kind, 3 if made.has_z else 2
        if made.has_srid:
            self.srid_field()
        if made.kind == POINT:
            self.point(may_be_empty=True)
        elif made.kind == LINESTRING:
            start = self.at
            count = self.count(8 * self.size)
            if count == 1:
                raise Fault(faults.SHORT_LINE, start)
            self.sequence(count)
        elif made.kind == POLYGON:
            self.polygon()
        else:
            for _ in range(self.count(5 + 8 * self.size)):
                self.member()
        if self.at != len(self.data):
            raise Fault(faults.TRAILING, self.at)

    def srid_field(self) -> None:
        start = self.at
        (srid,) = self.take("I", 1, 4)
        if srid > faults.SRID_MAX:
            raise Fault(faults.BAD_SRID, start)
        self.name_srid(srid, start)

    def polygon(self) -> None:
        for _ in range(self.count(4)):
            start = self.at
            count = self.count(8 * self.size)
            if count < faults.RING_POINTS_MIN:
                raise Fault(faults.SHORT_RING, start)
            self.rings.append(len(self.points))
            self.ring_positions.append(start)
            self.sequence(count)

    def member(self) -> None:
        start = self.at
        made = self.head()
        if made.kind != POINT:
            raise Fault(faults.BAD_MEMBER, start + 1)
        if (3 if made.has_z else 2) != self.size:
            raise Fault(faults.DIMENSIONS, start + 1)
        if made.has_srid:
            self.srid_field()
        self.point(may_be_empty=False)

    def sequence(self, count: int) -> None:
        for _ in range(count):
            self.point(may_be_empty=False)

    def point(self, may_be_empty: bool) -> None:
        start = self.at
        numbers = self.take("d", self.size, 8)
        if may_be_empty and all(math.isnan(x) for x in numbers):
            return
        for i, x in enumerate(numbers):
            if not math.isfinite(x):
                raise Fault(faults.NOT_FINITE, start + 8 * i)
        self.points.append((numbers[0], numbers[1], numbers[2] if self.size == 3 else 0.0))


def scan_reference(offsets: Offsets, data: Bytes, srids: Srids) -> Scan:
    """Every row by `_Row`; a row with a fault is POINT EMPTY with its code and place."""
    rows, codes, positions = read_rows(_Row, offsets, data, srids)
    points = [point for row in rows for point in row.points]
    return scan_of(rows, np.array(points, np.float64).reshape(-1, 3), codes, positions)
