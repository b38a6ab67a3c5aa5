"""Laws of GEOMETRY: what goes in comes out, through text, bytes, Arrow and the store; equal values
are one group, whatever batch they came in."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.functions.geometry_forms import from_binary, from_text, to_binary, to_text
from hartonomous.hql.geometry_value import Geometry, array_of_values, values_of_array

FINITE = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.tuples(FINITE, FINITE, FINITE)


def lists(least: int, most: int = 6) -> st.SearchStrategy[list[tuple[float, float, float]]]:
    return st.lists(POINTS, min_size=least, max_size=most)


@st.composite
def geometries(draw: st.DrawFn, swept: bool = True) -> Geometry:
    """Any value that there is, empty ones and repeated points among them."""
    kind = draw(
        st.sampled_from(["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "HULL"][: 4 + swept])
    )
    radius = draw(st.sampled_from([0.0, 0.0, 0.1, 5.0])) if swept else 0.0
    srid = draw(st.sampled_from([0, 0, 1, 2**31 - 1]))
    if draw(st.integers(0, 9)) == 0:
        return Geometry(kind, (), radius, srid)
    if kind == "POLYGON":
        rings = draw(st.lists(lists(3), min_size=1, max_size=3))
        closed = [[*ring, ring[0]] for ring in rings]
        starts = [sum(map(len, closed[:i])) for i in range(len(closed))]
        return Geometry(kind, [p for ring in closed for p in ring], radius, srid, starts)
    least, most = {"POINT": (1, 1), "LINESTRING": (2, 6)}.get(kind, (1, 6))
    return Geometry(kind, draw(lists(least, most)), radius, srid)


COLUMNS = st.lists(st.none() | geometries(), max_size=8)


def bits(values: list[Geometry | None]) -> list[bytes | None]:
    return [None if v is None else v.tobytes() for v in values]


@settings(max_examples=60)
@given(COLUMNS, st.integers(0, 4))
def test_text_and_arrow_keep_every_bit(values: list[Geometry | None], start: int) -> None:
    array = array_of_values(values).slice(start)
    given_bits = bits(values[start:])
    assert bits(values_of_array(array)) == given_bits
    assert bits(values_of_array(from_text(to_text(array, with_srid=True)))) == given_bits


@settings(max_examples=60)
@given(st.lists(st.none() | geometries(swept=False), max_size=8))
def test_bytes_keep_every_bit_but_the_srid(values: list[Geometry | None]) -> None:
    plain = [v and Geometry(v.kind, v.coords, 0.0, 0, v.rings) for v in values]
    data = to_binary(array_of_values(values))
    assert bits(values_of_array(from_binary(data))) == bits(plain)
    assert bits(values_of_array(from_binary(data, pa.scalar(7)))) == [
        v and Geometry(v.kind, v.coords, 0.0, 7, v.rings).tobytes() for v in values
    ]


@pytest.fixture(scope="module")
def database() -> Iterator[Connection]:
    connection = hql.connect(":memory:")
    yield connection
    connection.close()


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_groups_are_equal_values(database: Connection, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.none() | geometries(), min_size=1, max_size=6))
    values = data.draw(st.lists(st.sampled_from(some), min_size=1, max_size=12))
    database.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (id INT, g GEOMETRY)")
    # two chunks, so that a value comes in different batches
    for part in (slice(0, 5), slice(5, None)):
        rows = list(enumerate(values))[part]
        if rows:
            database.executemany("INSERT INTO t VALUES (?, ?)", rows)
    got = database.execute("SELECT g, COUNT(*) FROM t GROUP BY g").fetchall()
    assert {g: n for g, n in got} == {v: values.count(v) for v in values}
    assert len(got) == len(set(values))
    (chosen,) = database.execute("SELECT COUNT(*) FROM t WHERE g = @g", {"g": some[0]}).fetchone()
    assert chosen == (0 if some[0] is None else values.count(some[0]))
