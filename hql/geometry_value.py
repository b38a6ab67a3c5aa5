"""A geometry as a Python value: what fetchall gives, what parameters and constants may be.

    Geometry("POINT", [[1, 2, 3]])         Geometry.from_wkt("LINESTRING Z (0 0 0, 1 1 1)", srid=7)

Frozen and hashable. Equal are values of one stored representation, -0 and 0 being one number.
Other libraries read `__geo_interface__` (GeoJSON's form), and what has one is read by `of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from hartonomous.hql.errors import ExecutionFault
from hartonomous.kernels.geometry.layout import (
    KIND_NAMES,
    Numbers,
    Shapes,
    Srids,
)

if TYPE_CHECKING:
    import pyarrow as pa

_CODES = {name: code for code, name in KIND_NAMES.items()}
G = TypeVar("G", bound="Geometry")

#: GeoJSON's names
_GEOJSON = {
    "POINT": "Point",
    "LINESTRING": "LineString",
    "POLYGON": "Polygon",
    "MULTIPOINT": "MultiPoint",
}
_FROM_GEOJSON = {name: kind for kind, name in _GEOJSON.items()}


class Geometry:
    """One geometry: the points of its core, swept by a ball.

    kind: POINT, LINESTRING, POLYGON, MULTIPOINT or HULL. coords: float64[N, 3], read-only; two
    columns get z = 0; no rows are EMPTY. rings: int32[R], where the rings of a POLYGON begin in
    coords (by default there is one); rings are closed. radius: of the ball, in the coordinates'
    unit. srid: the space of the coordinates, 0 if none is stated. Raises ExecutionFault BAD_VALUE
    for what is no geometry.
    """

    __slots__ = ("coords", "kind", "radius", "rings", "srid")

    kind: str
    coords: Numbers
    radius: float
    srid: int
    rings: Srids

    def __init__(
        self,
        kind: str,
        coords: npt.ArrayLike,
        radius: float = 0.0,
        srid: int = 0,
        rings: npt.ArrayLike | None = None,
    ) -> None:
        points = _three(coords)
        if rings is None:
            rings = [0] if kind.upper() == "POLYGON" and len(points) else []
        starts = np.array(rings, np.int32).reshape(-1)
        starts.setflags(write=False)
        points.setflags(write=False)
        if kind.upper() not in _CODES:
            raise ExecutionFault(
                f'"{kind}" is not a kind of geometry', code="BAD_VALUE", hint=", ".join(_CODES)
            )
        if not -(2**31) <= int(srid) < 2**31:
            raise ExecutionFault(f"{srid} is not an SRID", code="BAD_VALUE")
        _set(self, kind.upper(), points, float(radius), int(srid), starts)
        from hartonomous.kernels.geometry.validity import first_fault

        fault = first_fault(self._shapes())
        if fault is not None:
            raise ExecutionFault(fault[1], code="BAD_VALUE")

    @classmethod
    def from_wkt(cls, text: str, srid: int = 0) -> Self:
        """The geometry of a text, as geometry::STGeomFromText reads it (BAD_CAST with the place in
        the text if it is none)."""
        from hartonomous.hql.functions.geometry_forms import shape_of_text

        return _values(cls, shape_of_text(text, srid))[0]

    @classmethod
    def of(cls, value: Any) -> Self:
        """The geometry of anything that has `__geo_interface__`. BAD_VALUE for other kinds than
        Point, LineString, Polygon and MultiPoint."""
        if isinstance(value, cls):
            return value
        said = value.__geo_interface__
        if isinstance(said, Mapping) and said.get("type") == "Feature":
            said = said["geometry"]
        name = said.get("type") if isinstance(said, Mapping) else None
        kind = _FROM_GEOJSON.get(str(name))
        if kind is None:
            raise ExecutionFault(
                f"{name} is not a kind of geometry that HQL has",
                code="BAD_VALUE",
                hint="split it: POINT, LINESTRING, POLYGON, MULTIPOINT",
            )
        given = said["coordinates"]
        if kind == "POLYGON":
            parts = [_three(ring) for ring in given]
            if not parts:
                return cls(kind, ())
            starts = np.cumsum([0, *map(len, parts[:-1])])
            return cls(kind, np.concatenate(parts), rings=starts)
        return cls(kind, given)

    def _shapes(self) -> Shapes:
        return shapes_of_values([self])

    @property
    def is_empty(self) -> bool:
        """Whether it has no points."""
        return len(self.coords) == 0

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        """GeoJSON's form, always with z. ValueError for a HULL and a buffered geometry, which
        GeoJSON has not."""
        if self.kind not in _GEOJSON or self.radius:
            what = "a HULL" if self.kind not in _GEOJSON else "a geometry with a radius"
            raise ValueError(f"GeoJSON has no form for {what}")
        points = tuple(map(tuple, self.coords.tolist()))
        coordinates: Any = points
        if self.kind == "POINT":
            coordinates = points[0] if points else ()
        elif self.kind == "POLYGON":
            ends = [*self.rings[1:].tolist(), len(points)]
            coordinates = tuple(
                points[a:b] for a, b in zip(self.rings.tolist(), ends, strict=False)
            )
        return {"type": _GEOJSON[self.kind], "coordinates": coordinates}

    def tobytes(self) -> bytes:
        """The stored representation, bit by bit: plans tell constants apart by it."""
        head = f"{self.kind} {self.radius.hex()} {self.srid} {len(self.rings)} ".encode()
        return head + self.rings.tobytes() + self.coords.tobytes()

    def _canonical(self) -> tuple[Any, ...]:
        """Equal for equal values: -0 is 0."""
        coords = (self.coords + 0.0).tobytes()
        return self.kind, self.radius + 0.0, self.srid, self.rings.tobytes(), coords

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return self._canonical() == other._canonical()

    def __hash__(self) -> int:
        return hash(self._canonical())

    def __str__(self) -> str:
        """Well-known text, read back by geometry::Parse."""
        from hartonomous.hql.functions.geometry_forms import texts_of

        return str(texts_of(self._shapes())[0])

    def __repr__(self) -> str:
        srid = f", srid={self.srid}" if self.srid else ""
        return f"Geometry.from_wkt({str(self)!r}{srid})"

    def __reduce__(self) -> Any:
        return Geometry, (self.kind, self.coords, self.radius, self.srid, self.rings)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Geometry does not change: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Geometry does not change: {name}")


_set_kind, _set_coords, _set_radius, _set_srid, _set_rings = (
    Geometry.__dict__[name].__set__ for name in ("kind", "coords", "radius", "srid", "rings")
)


def _set(
    value: Geometry, kind: str, coords: Numbers, radius: float, srid: int, rings: Srids
) -> None:
    _set_kind(value, kind)
    _set_coords(value, coords)
    _set_radius(value, radius)
    _set_srid(value, srid)
    _set_rings(value, rings)


def _three(coords: Any) -> Numbers:
    """float64[N, 3] of N points, or of one, with 2 or 3 numbers each; a copy."""
    given = np.array(coords, np.float64)
    if given.size == 0:
        return np.empty((0, 3))
    given = np.atleast_2d(given)
    if given.ndim != 2 or given.shape[1] not in (2, 3):
        raise ExecutionFault("a point has two or three coordinates", code="BAD_VALUE")
    made = np.zeros((len(given), 3))
    made[:, : given.shape[1]] = given
    return made


# --- many ----------------------------------------------------------------------------------------


def shapes_of_values(values: Sequence[Geometry]) -> Shapes:
    """The values as a structure of arrays."""
    return Shapes(
        np.array([_CODES[v.kind] for v in values], np.int8),
        np.array([v.radius for v in values], np.float64),
        np.array([v.srid for v in values], np.int32),
        np.cumsum([0, *(len(v.rings) for v in values)], dtype=np.int64),
        np.concatenate([np.empty(0, np.int32), *(v.rings for v in values)]),
        np.cumsum([0, *(len(v.coords) for v in values)], dtype=np.int64),
        np.concatenate([np.empty((0, 3)), *(v.coords for v in values)]),
    )


def array_of_values(values: Sequence[Geometry | None]) -> pa.Array:
    """The values as an Arrow array of GEOMETRY's type; None is NULL."""
    from hartonomous.hql.functions.geometry_kernels import array_of_shapes

    valid = np.array([v is not None for v in values], np.bool_)
    return array_of_shapes(shapes_of_values([v for v in values if v is not None]), valid)


def values_of_array(array: pa.Array) -> list[Geometry | None]:
    """An Arrow array of GEOMETRY's type as values; their coords are views of its memory."""
    from hartonomous.hql.functions.geometry_kernels import shapes_of

    shapes, valid = shapes_of(array)
    made = iter(_values(Geometry, shapes))
    if valid is None:
        return list(made)
    return [next(made) if v else None for v in valid.tolist()]


def _values(cls: type[G], shapes: Shapes) -> list[G]:
    shapes.coords.setflags(write=False)
    shapes.rings.setflags(write=False)
    points, rings = shapes.coord_starts.tolist(), shapes.ring_starts.tolist()
    kinds, radii, srids = shapes.kind.tolist(), shapes.radius.tolist(), shapes.srid.tolist()
    made = []
    for i, kind in enumerate(kinds):
        value = object.__new__(cls)
        coords = shapes.coords[points[i] : points[i + 1]]
        starts = shapes.rings[rings[i] : rings[i + 1]]
        _set(value, KIND_NAMES[kind], coords, radii[i], srids[i], starts)
        made.append(value)
    return made
