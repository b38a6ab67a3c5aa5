"""Well-known binary of geometries, in and out, over the buffers of an Arrow binary column.

    offset size  meaning                                       (geometry)
    0      1     byte order of this geometry: 0 big-endian, 1 little-endian
    1      4     type: kind + 1000 with z (ISO 13249-3), or kind with flags in the high bits (EWKB):
                 0x80000000 z, 0x40000000 M, 0x20000000 an SRID follows
    5      4     SRID, if flagged
    then         POINT       8 bytes a coordinate, all NaN: empty
                 LINESTRING  count (4 bytes), points
                 POLYGON     count of rings, for each: count of points, points
                 MULTIPOINT  count, geometries that are POINTs

In: any of this, 2 or 3 coordinates (z = 0). Other kinds, M, bytes that end early and counts beyond
what is there are faults; nothing is allocated for a count before the bytes for it are seen.

Out: ISO with z, little-endian, no SRID: what STAsBinary gives. There is none for a HULL (no kind of
the standard is a solid; its surface alone, a TIN, would not be the same set) nor with a radius:
`is_writable` says so beforehand.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.geometry import faults
from hartonomous.kernels.geometry.faults import Bytes, Each, Parsed, rows_of
from hartonomous.kernels.geometry.layout import (
    HULL,
    KIND_NAMES,
    MULTIPOINT,
    POINT,
    POLYGON,
    Flags,
    Offsets,
    Shapes,
)
from hartonomous.kernels.geometry.wkb_reference import decoded_type, scan_reference

#: bytes from which it pays to load the compiled scanner (numba: 0.35 s, once per process)
COMPILE_BYTES = 1 << 18
#: points written at once: 12 MiB of places
_BLOCK = 1 << 16
_ISO_Z = 1000
_HEAD_BYTES, _COUNT_BYTES, _POINT_BYTES = 5, 4, 24
_MEMBER_BYTES = _HEAD_BYTES + _POINT_BYTES

#: the standard's kinds that the project has not
_FOREIGN = {
    5: "MULTILINESTRING",
    6: "MULTIPOLYGON",
    7: "GEOMETRYCOLLECTION",
    8: "CIRCULARSTRING",
    9: "COMPOUNDCURVE",
    10: "CURVEPOLYGON",
    11: "MULTICURVE",
    12: "MULTISURFACE",
    13: "CURVE",
    14: "SURFACE",
    15: "POLYHEDRALSURFACE",
    16: "TIN",
    17: "TRIANGLE",
}


def parse_wkb(offsets: Offsets, data: Bytes, srid: npt.ArrayLike = 0) -> Parsed:
    """Geometries from N byte strings, up to the first fault.

    offsets: int64[N+1] into data: uint8[…]; srid: int32 or int32[N], what the geometries get where
    the bytes name none. Rows with faults are POINT EMPTY in the result.
    """
    return faults.first_fault(parse_wkb_each(offsets, data, srid))


def parse_wkb_each(offsets: Offsets, data: Bytes, srid: npt.ArrayLike = 0) -> Each:
    """As parse_wkb, with the fault of every row: what TRY_ forms need."""
    srids = faults.srid_of_each(srid, len(offsets) - 1)
    size = int(offsets[-1] - offsets[0])
    if size >= COMPILE_BYTES or "hartonomous.kernels.geometry.wkb_compiled" in sys.modules:
        from hartonomous.kernels.geometry.wkb_compiled import scan

        return faults.finished(scan(offsets, data, srids))
    return faults.finished(scan_reference(offsets, data, srids))


def describe(code: int, data: bytes, position: int) -> str:
    """The sentence for a fault in `data`, without its place."""
    if code == faults.UNKNOWN_KIND:
        order = "little" if data[position - 1] == 1 else "big"
        raw = int.from_bytes(data[position : position + 4], order)  # type: ignore[arg-type]
        kind = decoded_type(raw).kind
        if kind in _FOREIGN:
            return f"{_FOREIGN[kind]} is not supported: give its parts, a row each"
        names = ", ".join(f"{k} {KIND_NAMES[k]}" for k in KIND_NAMES if k != HULL)
        return f"there is no kind of geometry {kind}: there are {names}"
    if code == faults.BAD_SRID:
        return f"an SRID is a number from 0 to {faults.SRID_MAX}"
    return faults.SENTENCES[code]


def is_writable(shapes: Shapes) -> Flags:
    """bool[N]: has a form in WKB."""
    return np.asarray((shapes.kind != HULL) & (shapes.radius == 0), np.bool_)


def format_wkb(shapes: Shapes) -> tuple[Offsets, Bytes]:
    """(int64[N+1] offsets, uint8[…] bytes), as a large Arrow binary column has them."""
    assert is_writable(shapes).all(), "HULLs and buffered geometries have no form in WKB"
    points, rings = shapes.num_points, np.diff(shapes.ring_starts)
    is_point, is_multi = shapes.kind == POINT, shapes.kind == MULTIPOINT
    sizes = _HEAD_BYTES + np.where(is_point, 0, _COUNT_BYTES) + _COUNT_BYTES * rings
    sizes += np.where(
        is_point, _POINT_BYTES, points * np.where(is_multi, _MEMBER_BYTES, _POINT_BYTES)
    )
    offsets = np.zeros(len(shapes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    out = np.zeros(offsets[-1], np.uint8)
    starts = offsets[:-1]
    _heads(out, starts, shapes.kind)
    counted = ~is_point
    counts = np.where(shapes.kind == POLYGON, rings, points)
    _put(out, starts[counted] + _HEAD_BYTES, counts[counted].astype("<u4"))
    nothing = starts[is_point & (points == 0)] + _HEAD_BYTES
    _put(out, nothing, np.full((len(nothing), 3), np.nan, "<f8"))
    first, last = int(shapes.coord_starts[0]), int(shapes.coord_starts[-1])
    begins, lengths = _rings(shapes, first)
    for begin in range(first, last, _BLOCK):
        block = np.arange(begin, min(last, begin + _BLOCK))
        row = rows_of(shapes.coord_starts, block)
        within = block - shapes.coord_starts[row]
        places = starts[row] + _HEAD_BYTES + np.where(is_point[row], 0, _COUNT_BYTES)
        places += within * np.where(is_multi[row], _MEMBER_BYTES, _POINT_BYTES)
        # a ring's count stands before its points, as do those of the rings before
        before = np.searchsorted(begins, block, side="right")
        places += (
            _COUNT_BYTES
            * (before - (shapes.ring_starts[row] - shapes.ring_starts[0]))
            * (shapes.kind[row] == POLYGON)
        )
        opens = np.isin(block, begins)
        _put(out, places[opens] - _COUNT_BYTES, lengths[before[opens] - 1].astype("<u4"))
        members = is_multi[row]
        _heads(out, places[members], np.full(int(members.sum()), POINT, np.int8))
        places += np.where(members, _HEAD_BYTES, 0)
        _put(out, places, shapes.coords[block].astype("<f8"))
    return offsets, out


def _rings(shapes: Shapes, first: int) -> tuple[Offsets, Offsets]:
    """(int64[R] the ring's first place in coords, int64[R] its points) of all rings in order."""
    counts = np.diff(shapes.ring_starts)
    rows = np.repeat(np.arange(len(shapes)), counts)
    rings = shapes.rings[shapes.ring_starts[0] : shapes.ring_starts[-1]]
    begins = shapes.coord_starts[rows] + rings
    ends = np.append(begins[1:], first)
    is_last = np.append(rows[1:] != rows[:-1], True)[: len(rows)]
    ends = np.where(is_last, shapes.coord_starts[rows + 1], ends[: len(rows)])
    return begins, ends - begins


def _heads(out: Bytes, places: Offsets, kinds: npt.NDArray[np.int8]) -> None:
    out[places] = 1
    _put(out, places + 1, (kinds.astype(np.int64) + _ISO_Z).astype("<u4"))


def _put(out: Bytes, places: Offsets, values: npt.NDArray[np.generic]) -> None:
    """Writes each row of `values` at its place."""
    cells = (
        np.ascontiguousarray(values).view(np.uint8).reshape(len(places), -1)
        if len(places)
        else None
    )
    if cells is not None:
        out[places[:, None] + np.arange(cells.shape[1])] = cells
