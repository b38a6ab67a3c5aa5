"""Geometries made of seeds, for tests of distances: some of all kinds, and shapely's of z = 0."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from hartonomous.kernels.geometry.layout import (
    HULL,
    LINESTRING,
    MULTIPOINT,
    POINT,
    POLYGON,
    Shapes,
    make,
)

Numbers = npt.NDArray[np.float64]
Closed = list[list[float]]

SQUARE: Closed = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
HOLE: Closed = [[1, 1], [1, 3], [3, 3], [3, 1], [1, 1]]
CUBE: Closed = [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]


def corners(rng: np.random.Generator, count: int) -> Numbers:
    """float64[count,3]: on a grid, anywhere, nearly flat, needles, or flat."""
    whole = rng.integers(-2, 3, (count, 3)).astype(np.float64)
    free = rng.normal(size=(count, 3))
    made = [whole, free, free * [1, 1, 1e-7] + 1, free * [1, 1e-9, 1e-5], whole * [1, 1, 0]]
    return made[rng.integers(len(made))]


def convex_or_path(rng: np.random.Generator) -> tuple[int, Numbers]:
    """A value that the reference can take apart."""
    kind = int(rng.choice([POINT, LINESTRING, MULTIPOINT, HULL, HULL]))
    most = {POINT: 1, LINESTRING: 4, MULTIPOINT: 3, HULL: 6}[kind]
    return kind, corners(rng, int(rng.integers(min(most, 2), most + 1)))


def any_value(rng: np.random.Generator) -> tuple[int, Numbers]:
    if rng.random() < 0.7:
        return convex_or_path(rng)
    ring = corners(rng, int(rng.integers(3, 7)))
    return POLYGON, np.vstack([ring, ring[:1]])


def values(seed: int, count: int) -> Shapes:
    rng = np.random.default_rng(seed)
    return make([any_value(rng) for _ in range(count)], rng.choice([0.0, 0.5, 2.0], count))


def one(shapes: Shapes, i: int) -> Shapes:
    return shapes.take(np.array([i]))


def size(*shapes: Shapes) -> float:
    return max(float(np.abs(s.coords).max(initial=1e-300)) for s in shapes)


def flat_polygon(rng: np.random.Generator) -> BaseGeometry:
    """A valid polygon of z = 0, often with holes that touch."""
    while True:
        form = rng.integers(4)
        if form == 0:
            angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 30)))
            ring = np.column_stack([np.cos(angles), np.sin(angles)])
            made: BaseGeometry = shapely.Polygon(ring * rng.uniform(0.6, 3, len(ring))[:, None])
        elif form == 1:
            cells = rng.integers(0, 6, (20, 2))
            made = shapely.union_all([shapely.box(x, y, x + 1, y + 1) for x, y in cells])
        else:
            made = shapely.box(0, 0, 6, 6)
            for _ in range(rng.integers(0, 8)):
                x, y = rng.integers(0, 6, 2) if form == 2 else rng.uniform(0, 6, 2)
                w, h = rng.integers(1, 3, 2)
                if form == 2:
                    made = made.difference(shapely.box(x, y, x + w, y + h))
                else:
                    made = made.difference(shapely.Point(x, y).buffer(w / 2, quad_segs=int(h) + 1))
        if made.geom_type == "MultiPolygon":
            made = max(made.geoms, key=lambda part: float(part.area))
        if made.geom_type == "Polygon" and made.is_valid and not made.is_empty:
            return made


def flat_value(rng: np.random.Generator) -> BaseGeometry:
    places = rng.integers(-1, 8, (4, 2)) if rng.random() < 0.5 else rng.uniform(-2, 8, (4, 2))
    form = rng.integers(4)
    if form == 0:
        return shapely.Point(places[0])
    if form == 1:
        return shapely.MultiPoint(places)
    if form == 2:
        return shapely.LineString(places[: rng.integers(2, 5)])
    moved: BaseGeometry = shapely.transform(flat_polygon(rng), lambda xy: xy + places[0])
    return moved


def shapes_of(geometries: list[BaseGeometry]) -> Shapes:
    kinds = {"Point": POINT, "LineString": LINESTRING, "MultiPoint": MULTIPOINT}
    made, starts = [], []
    for geometry in geometries:
        if geometry.geom_type in kinds:
            made.append((kinds[geometry.geom_type], shapely.get_coordinates(geometry)))
            starts.append([])
            continue
        rings = [shapely.get_coordinates(r) for r in shapely.get_rings(geometry)]
        made.append((POLYGON, np.concatenate(rings)))
        starts.append([0, *np.cumsum([len(r) for r in rings])[:-1].tolist()])
    return make(made, rings=starts)
