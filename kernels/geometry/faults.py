"""What may be wrong with text or bytes that should be geometries: codes, and what is shared by
the readers of both (wkt.py, wkb.py).

A reader scans all rows (`Scan`), then `finished` does what needs the numbers: it refuses what is
not finite and rings that do not close. A row with a fault becomes POINT EMPTY with its code and the
byte, counted from the row's start, at which the fault shows; the other rows are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.geometry.layout import POINT, Flags, Kinds, Numbers, Offsets, Shapes, Srids

Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.int8]

#: points of the smallest ring, a closed triangle, and of the shortest line
RING_POINTS_MIN = 4
LINE_POINTS_MIN = 2
SRID_MAX = 2**31 - 1

(
    OK,
    KIND_EXPECTED,
    UNKNOWN_KIND,
    MEASURES,
    BAD_SRID,
    SRID_CONFLICT,
    NUMBER_EXPECTED,
    BAD_NUMBER,
    NOT_FINITE,
    OPEN_EXPECTED,
    CLOSE_EXPECTED,
    COMMA_EXPECTED,
    DIMENSIONS,
    ONE_POINT,
    SHORT_LINE,
    SHORT_RING,
    OPEN_RING,
    TRAILING,
    BAD_RADIUS,
    NESTED_BUFFER,
    TRUNCATED,
    BYTE_ORDER,
    BAD_MEMBER,
) = range(23)

#: a sentence a code; wkt.describe and wkb.describe put the kind's name in where one is meant
SENTENCES = {
    KIND_EXPECTED: "a kind of geometry should stand here",
    UNKNOWN_KIND: "there is no such kind of geometry",
    MEASURES: "M coordinates are not supported: a point is x y or x y z",
    BAD_SRID: f"an SRID is a whole number from 0 to {SRID_MAX}: SRID=n;",
    SRID_CONFLICT: "the SRID written here is not the SRID given beside it",
    NUMBER_EXPECTED: "a number is missing here",
    BAD_NUMBER: "this is no number",
    NOT_FINITE: "coordinates and radii are finite numbers",
    OPEN_EXPECTED: "( or EMPTY should stand here",
    CLOSE_EXPECTED: ") should stand here",
    COMMA_EXPECTED: ", should stand here",
    DIMENSIONS: "points have 2 or 3 coordinates, all points of a geometry as many, 3 after Z",
    ONE_POINT: "a POINT has one point: use MULTIPOINT for more",
    SHORT_LINE: "a LINESTRING has two points or more",
    SHORT_RING: "a ring of a POLYGON has four points or more, the last equal to the first",
    OPEN_RING: "a ring of a POLYGON ends where it begins: repeat its first point",
    TRAILING: "the geometry ends before this",
    BAD_RADIUS: "a radius is 0 or more",
    NESTED_BUFFER: "a BUFFER in a BUFFER: write one, with the sum of the radii",
    TRUNCATED: "the bytes end before the geometry does",
    BYTE_ORDER: "a geometry's first byte is 0 (big-endian) or 1 (little-endian)",
    BAD_MEMBER: "the members of a MULTIPOINT are POINTs",
}


class Parsed(NamedTuple):
    """What a reader gives: the row of the first fault or -1, its place in that row and its code."""

    shapes: Shapes
    error_row: int
    error_position: int
    error_code: int


class Each(NamedTuple):
    """What a reader gives where faults are not the end: a code for every row, OK = 0."""

    shapes: Shapes  # POINT EMPTY where codes is not OK
    codes: Codes  # int8[N]
    positions: Offsets  # int64[N], bytes from the row's start


@dataclass(frozen=True, slots=True)
class Scan:
    """The rows of a column after scanning, before what needs the numbers."""

    kind: Kinds
    radius: Numbers
    srid: Srids
    ring_starts: Offsets
    rings: Srids
    coord_starts: Offsets
    coords: Numbers
    codes: Codes
    positions: Offsets
    ring_positions: Offsets  # int64[R]: the byte, in its row, where each ring begins

    def shapes(self) -> Shapes:
        return Shapes(
            self.kind,
            self.radius,
            self.srid,
            self.ring_starts,
            self.rings,
            self.coord_starts,
            self.coords,
        )


def srid_of_each(srid: npt.ArrayLike, count: int) -> Srids:
    """int32[count] of one SRID or as many."""
    return np.ascontiguousarray(np.broadcast_to(np.asarray(srid, np.int32), count))


def mark(scan: Scan, rows: Offsets, positions: Offsets, code: int) -> None:
    """Notes a fault in each of `rows`, unless one is noted already; the first of several wins."""
    fresh = scan.codes[rows] == OK
    rows, first = np.unique(rows[fresh], return_index=True)
    scan.codes[rows] = code
    scan.positions[rows] = positions[fresh][first]


def rows_of(starts: Offsets, places: Offsets) -> Offsets:
    """int64[K]: in which of the lists that begin at `starts` each of `places` lies."""
    found: Offsets = np.searchsorted(starts, places, side="right") - 1
    return found


def finished(scan: Scan) -> Each:
    """Refuses rings that are open and takes rows with faults out."""
    counts = np.diff(scan.ring_starts)
    if len(scan.rings):
        rows = np.repeat(np.arange(len(counts)), counts)
        base = scan.coord_starts[rows]
        ends = np.append(base[1:] + scan.rings[1:], scan.coord_starts[-1])
        ends = np.minimum(ends, scan.coord_starts[rows + 1])
        opened = (scan.coords[base + scan.rings] != scan.coords[ends - 1]).any(axis=1)
        mark(scan, rows[opened], scan.ring_positions[opened], OPEN_RING)
    return Each(_without(scan.shapes(), scan.codes != OK), scan.codes, scan.positions)


def _without(shapes: Shapes, faulty: Flags) -> Shapes:
    """`shapes` with POINT EMPTY in the place of what is faulty."""
    if not faulty.any():
        return shapes
    count = len(shapes)
    padded = Shapes(
        np.append(shapes.kind, np.int8(POINT)),
        np.append(shapes.radius, 0.0),
        np.append(shapes.srid, np.int32(0)),
        np.append(shapes.ring_starts, shapes.ring_starts[-1]),
        shapes.rings,
        np.append(shapes.coord_starts, shapes.coord_starts[-1]),
        shapes.coords,
    )
    return padded.take(np.where(faulty, count, np.arange(count)))


def first_fault(each: Each) -> Parsed:
    """The form that stops at the first fault."""
    faulty = np.flatnonzero(each.codes)
    if not len(faulty):
        return Parsed(each.shapes, -1, 0, OK)
    row = int(faulty[0])
    return Parsed(each.shapes, row, int(each.positions[row]), int(each.codes[row]))
