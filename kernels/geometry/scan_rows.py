"""What the plain Python readers of WKT and WKB share: one row, and how rows become a Scan.

wkt_reference.py and wkb_reference.py say how a row is read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from hartonomous.kernels.geometry import faults
from hartonomous.kernels.geometry.faults import Bytes, Codes, Scan
from hartonomous.kernels.geometry.layout import POINT, Numbers, Offsets, Srids


class Fault(Exception):
    """Ends the scan of one row."""

    def __init__(self, code: int, position: int) -> None:
        super().__init__(code, position)
        self.code, self.position = code, position


Point = TypeVar("Point")


@dataclass
class Row(ABC, Generic[Point]):
    """The text or the bytes of one value, and what was found there."""

    data: bytes
    srid: int
    at: int = 0
    kind: int = POINT
    rings: list[int] = field(default_factory=list)
    ring_positions: list[int] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    @abstractmethod
    def value(self) -> None:
        """Reads all of it; Fault if that is no geometry."""

    def name_srid(self, srid: int, position: int) -> None:
        """Takes the SRID that is written at `position`; 0 names none."""
        if srid and self.srid and srid != self.srid:
            raise Fault(faults.SRID_CONFLICT, position)
        self.srid = srid or self.srid


AnyRow = TypeVar("AnyRow", bound=Row[Any])


def read_rows(
    row_of: Callable[[bytes, int], AnyRow], offsets: Offsets, data: Bytes, srids: Srids
) -> tuple[list[AnyRow], Codes, Offsets]:
    """(N rows, int8[N] codes, int64[N] positions): a row with a fault is POINT EMPTY."""
    count = len(offsets) - 1
    codes, positions = np.zeros(count, np.int8), np.zeros(count, np.int64)
    rows: list[AnyRow] = []
    for i, (start, stop, srid) in enumerate(
        zip(offsets[:-1].tolist(), offsets[1:].tolist(), srids.tolist(), strict=True)
    ):
        row = row_of(data[start:stop].tobytes(), srid)
        try:
            row.value()
        except Fault as fault:
            codes[i], positions[i] = fault.code, fault.position
            row = row_of(b"", 0)
        rows.append(row)
    return rows, codes, positions


def scan_of(rows: Sequence[Row[Any]], coords: Numbers, codes: Codes, positions: Offsets) -> Scan:
    """What was read, with float64[M, 3] coordinates of all points; no radii."""
    return Scan(
        np.array([row.kind for row in rows], np.int8),
        np.zeros(len(rows)),
        np.array([row.srid for row in rows], np.int32),
        np.cumsum([0, *(len(row.rings) for row in rows)], dtype=np.int64),
        np.array([ring for row in rows for ring in row.rings], np.int32),
        np.cumsum([0, *(len(row.points) for row in rows)], dtype=np.int64),
        coords,
        codes,
        positions,
        np.array([place for row in rows for place in row.ring_positions], np.int64),
    )
