"""Random geometries for tests, and what compares them."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import strategies as st

from hartonomous.kernels.geometry.layout import (
    HULL,
    KINDS,
    LINESTRING,
    MULTIPOINT,
    POINT,
    POLYGON,
    Shapes,
    make,
)

Point = tuple[float, float, float]
Rings = list[list[Point]]

#: whole and short numbers as people write them, and any that a float64 can be
any_number = st.one_of(
    st.integers(-9, 9).map(float),
    st.sampled_from([0.5, -0.25, 0.1, 1e-5, 123456.789, 1e16, 9007199254740993.0, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)
small_number = st.integers(-9, 9).map(float)


@st.composite
def shapes(draw: st.DrawFn, number: st.SearchStrategy[float] = any_number) -> Shapes:
    """Some values of all kinds, empty ones, with radii and SRIDs."""
    point = st.tuples(number, number, number)
    values: list[tuple[int, list[Point]]] = []
    rings: list[list[int]] = []
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=6)):
        made = draw(_rings(kind, point))
        values.append((kind, [p for ring in made for p in ring]))
        starts = np.cumsum([0, *map(len, made)])[:-1].tolist()
        rings.append(starts if kind == POLYGON else [])
    size = len(values)
    radius = draw(st.lists(st.sampled_from([0.0, 0.0, 2.5, 0.1]), min_size=size, max_size=size))
    srid = draw(st.lists(st.sampled_from([0, 7, 2**31 - 1]), min_size=size, max_size=size))
    return make(values, radius, srid, rings)


def _rings(kind: int, point: st.SearchStrategy[Point]) -> st.SearchStrategy[Rings]:
    least = {POINT: 1, LINESTRING: 2, MULTIPOINT: 1, HULL: 1, POLYGON: 3}[kind]
    most = 1 if kind == POINT else 6
    line = st.lists(point, min_size=least, max_size=most)
    if kind != POLYGON:
        return st.one_of(line.map(lambda made: [made]), st.just([]))
    return st.lists(line.map(lambda made: [*made, made[0]]), max_size=3)


def assert_same(a: Shapes, b: Shapes) -> None:
    """The same arrays, to the bit."""
    for field in fields(Shapes):
        x, y = getattr(a, field.name), getattr(b, field.name)
        assert x.dtype == y.dtype and x.shape == y.shape, (field.name, x, y)
        assert x.tobytes() == y.tobytes(), (field.name, x, y)


def sliced(made: Shapes) -> Shapes:
    """The same values as views into larger, read-only arrays, as mapped columns are."""
    padding = make([(POLYGON, [(9, 9, 9)] * 4), (LINESTRING, [(8, 8, 8)] * 2)])
    count = len(made)
    arrays = {}
    for name in ("kind", "radius", "srid", "rings", "coords"):
        around = getattr(padding, name)
        arrays[name] = np.concatenate([around, getattr(made, name), around])
    for name in ("kind", "radius", "srid"):
        arrays[name] = arrays[name][2 : 2 + count]
    arrays["ring_starts"] = made.ring_starts + len(padding.rings)
    arrays["coord_starts"] = made.coord_starts + len(padding.coords)
    for array in arrays.values():
        array.setflags(write=False)
    return Shapes(**arrays)
