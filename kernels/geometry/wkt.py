"""Well-known text of geometries, in and out, over the buffers of an Arrow string column.

    [SRID=n;] KIND [Z] (…)            [SRID=n;] BUFFER (r, KIND [Z] (…))

    POINT Z (1 2 3)                    LINESTRING (0 0, 1 1)
    POLYGON ((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))
    MULTIPOINT (0 0, 1 1)              MULTIPOINT ((0 0), (1 1))
    HULL Z (0 0 0, 1 0 0, 0 1 0, 0 0 1)                POINT EMPTY

Kinds are OGC 06-103r4's, and HULL, the convex hull of its points; SRID= is EWKT's. In any case,
with blanks anywhere between words and marks; 3 coordinates do not need the Z, 2 get z = 0. Other
kinds, M coordinates, NaN and infinity are faults, with the byte where they stand.

Out: always Z, the shortest numbers that read back as the same float64, no SRID; `POINT EMPTY`.
Parsing gives back the same bits: -0 stays -0.

Reading is a scan (compiled from `COMPILE_BYTES` on, 0.1 µs a point; else `scan_reference`) that
settles whatever plain float64 arithmetic settles exactly; number_text.py reads the other numbers.
"""

from __future__ import annotations

import re
import sys

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.geometry import faults, number_text
from hartonomous.kernels.geometry.faults import Bytes, Each, Parsed, Scan
from hartonomous.kernels.geometry.layout import (
    HULL,
    KIND_NAMES,
    KINDS,
    POINT,
    POLYGON,
    Flags,
    Numbers,
    Offsets,
    Shapes,
)
from hartonomous.kernels.geometry.wkt_reference import Pending, scan_reference

#: bytes of text from which it pays to load the compiled scanner (numba: 0.35 s, once per process)
COMPILE_BYTES = 1 << 18
#: points formatted at once: about 8 MiB of cells
_BLOCK = 1 << 16

_FOREIGN = ("MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION")


def parse_wkt(offsets: Offsets, data: Bytes, srid: npt.ArrayLike = 0) -> Parsed:
    """Geometries from N texts, up to the first fault.

    offsets: int64[N+1] into data: uint8[…]; srid: int32 or int32[N], what the geometries get where
    the text names none. Rows with faults are POINT EMPTY in the result.
    """
    return faults.first_fault(parse_wkt_each(offsets, data, srid))


def parse_wkt_each(offsets: Offsets, data: Bytes, srid: npt.ArrayLike = 0) -> Each:
    """As parse_wkt, with the fault of every row: what TRY_ forms need."""
    srids = faults.srid_of_each(srid, len(offsets) - 1)
    size = int(offsets[-1] - offsets[0])
    if size >= COMPILE_BYTES or "hartonomous.kernels.geometry.wkt_compiled" in sys.modules:
        from hartonomous.kernels.geometry.wkt_compiled import scan

        return _settled(*scan(offsets, data, srids), offsets, data)
    return _settled(*scan_reference(offsets, data, srids), offsets, data)


def _settled(scan: Scan, pending: Pending, offsets: Offsets, data: Bytes) -> Each:
    """Reads the numbers that the scan left, and refuses what is out of range."""
    if len(pending.targets):
        numbers = number_text.values(data, pending.starts, pending.lengths)
        is_radius = pending.targets < 0
        coords, radius = scan.coords.reshape(-1), scan.radius
        coords[pending.targets[~is_radius]] = numbers[~is_radius]
        radius[-1 - pending.targets[is_radius]] = numbers[is_radius]
        rows = faults.rows_of(offsets[:-1], pending.starts)
        places = pending.starts - offsets[rows]
        for wrong, code in (
            (~np.isfinite(numbers), faults.NOT_FINITE),
            (is_radius & (numbers < 0), faults.BAD_RADIUS),
        ):
            faults.mark(scan, rows[wrong], places[wrong], code)
    return faults.finished(scan)


def describe(code: int, text: bytes, position: int) -> str:
    """The sentence for a fault in `text`, without its place."""
    if code == faults.UNKNOWN_KIND:
        word = _word_at(text, position)
        if word in _FOREIGN or word.removesuffix("Z") in _FOREIGN:
            return f"{word} is not supported: give its parts, a row each"
        if word.endswith("M") and word.removesuffix("M").removesuffix("Z") in KIND_NAMES.values():
            return faults.SENTENCES[faults.MEASURES]
        names = ", ".join(KIND_NAMES[kind] for kind in KINDS)
        return f"{word} is no kind of geometry: use {names} or BUFFER (radius, …)"
    return faults.SENTENCES[code]


def _word_at(text: bytes, position: int) -> str:
    found = re.compile(rb"[A-Za-z]*").match(text, position)
    assert found is not None, (text, position)
    return found[0].decode("ascii").upper()[:40]


# ---- out -----------------------------------------------------------------------------------------

_HEADS = {kind: f"{name} Z (" for kind, name in KIND_NAMES.items()} | {POLYGON: "POLYGON Z (("}
#: before a point: between points, between rings, then heads and empties by kind
_BEFORE = np.array(
    [", ", "), (", *(_HEADS[k] for k in KINDS), *(f"{KIND_NAMES[k]} EMPTY" for k in KINDS)], "S"
)
_HEAD, _EMPTY = 2, 2 + len(KINDS)
_AFTER = np.array(["", ")", "))", ")))"], "S")
#: int8[128]: the place of a kind in KINDS
_PLACES = np.zeros(max(KINDS) + 1, np.int64)
_PLACES[list(KINDS)] = np.arange(len(KINDS))

assert max(KINDS) == HULL and KINDS[0] == POINT


def format_wkt(shapes: Shapes) -> tuple[Offsets, Bytes]:
    """(int64[N+1] offsets, uint8[…] text), as a large Arrow string column has them."""
    counts = shapes.num_points
    lines = np.maximum(counts, 1)  # an empty value is a line of its own, without numbers
    firsts = np.zeros(len(shapes) + 1, np.int64)
    np.cumsum(lines, out=firsts[1:])
    opens = np.zeros(firsts[-1], np.bool_)  # a ring begins
    with_rings = np.diff(shapes.ring_starts)
    rings = shapes.rings[shapes.ring_starts[0] : shapes.ring_starts[-1]]
    opens[np.repeat(firsts[:-1], with_rings) + rings] = True
    sizes = np.zeros(firsts[-1] + 1, np.int64)
    parts = []
    for begin in range(0, int(firsts[-1]), _BLOCK):
        block = np.arange(begin, min(begin + _BLOCK, int(firsts[-1])))
        cells = _cells(shapes, firsts, opens, block)
        filled = cells != 0
        sizes[block + 1] = np.count_nonzero(filled, axis=1)
        parts.append(cells[filled])
    np.cumsum(sizes, out=sizes)
    return sizes[firsts], np.concatenate([np.empty(0, np.uint8), *parts])


def _cells(shapes: Shapes, firsts: Offsets, opens: Flags, block: Offsets) -> Bytes:
    """uint8[B, W]: the text of some points with what stands around them, 0 where nothing does."""
    row = faults.rows_of(firsts, block)
    is_first = block == firsts[row]
    is_last = block + 1 == firsts[row + 1]
    start, stop = shapes.coord_starts[row], shapes.coord_starts[row + 1]
    empty = start == stop
    kind = _PLACES[shapes.kind[row]]
    before = np.where(opens[block], 1, 0)
    before[is_first] = _HEAD + kind[is_first]
    before[empty] = _EMPTY + kind[empty]
    swept = shapes.radius[row] > 0
    closing = np.where(empty, 0, 1 + (shapes.kind[row] == POLYGON)) + swept
    columns = [_BEFORE[before]]
    if swept.any():
        columns.insert(0, _buffers(shapes.radius[row], swept & is_first))
    # the line of an empty value has no point of its own: any will do, it is wiped out
    place = np.where(empty, 0, start + block - firsts[row])
    points = shapes.coords[place] if len(shapes.coords) else np.zeros((len(block), 3))
    blank = np.where(empty, b"", b" ")
    for axis in range(3):
        number = number_text.texts(np.ascontiguousarray(points[:, axis]))
        number[empty] = b""
        columns += [number] if axis == 2 else [number, blank]
    columns.append(_AFTER[np.where(is_last, closing, 0)])
    return np.concatenate([np.ascontiguousarray(c).view(np.uint8).reshape(len(block), -1)
                           for c in columns], axis=1)  # fmt: skip


def _buffers(radius: Numbers, wanted: Flags) -> number_text.Texts:
    out = np.zeros(len(radius), f"S{number_text.TEXT_BYTES + 10}")
    made = np.char.add(np.char.add(b"BUFFER (", number_text.texts(radius[wanted])), b", ")
    out[wanted] = made
    return out
