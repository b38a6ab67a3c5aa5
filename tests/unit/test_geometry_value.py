"""Geometry: the value that callers give and get."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from shapely.geometry import shape

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.errors import ExecutionFault, ParameterFault
from hartonomous.hql.geometry_value import Geometry, array_of_values, values_of_array
from hartonomous.hql.types import GEOMETRY

TEXTS = [
    "POINT Z (1 2 3)",
    "POINT EMPTY",
    "LINESTRING Z (0 0 0, 1 1 1, 2 0 5)",
    "POLYGON Z ((0 0 0, 4 0 0, 4 4 0, 0 0 0), (1 0.5 0, 2 0.5 0, 2 1 0, 1 0.5 0))",
    "POLYGON EMPTY",
    "MULTIPOINT Z (0 0 0, 1 1 1)",
    "HULL Z (0 0 0, 1 0 0, 0 1 0, 0 0 1)",
    "BUFFER (2.5, LINESTRING Z (0 0 0, 1 1 1))",
]


@pytest.fixture
def database() -> Any:
    connection = hql.connect(":memory:")
    connection.execute("CREATE TABLE t (id INT, g GEOMETRY)")
    yield connection
    connection.close()


@pytest.mark.parametrize("text", TEXTS)
def test_text_and_back(text: str) -> None:
    value = Geometry.from_wkt(text, srid=3)
    assert str(value) == text and value.srid == 3
    assert eval(repr(value)) == value
    for again in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == value and hash(again) == hash(value)


def test_the_package_has_it() -> None:
    assert hql.Geometry is Geometry


def test_fields() -> None:
    value = Geometry.from_wkt(TEXTS[3])
    assert (value.kind, value.radius, value.srid) == ("POLYGON", 0.0, 0)
    assert value.coords.shape == (8, 3) and value.rings.tolist() == [0, 4]
    assert Geometry("point", (1, 2)).coords.tolist() == [[1.0, 2.0, 0.0]]
    assert Geometry.from_wkt("POINT EMPTY").is_empty and not value.is_empty
    assert value != "POLYGON" and value != Geometry("POLYGON", value.coords[:4])


def test_zero_is_zero_but_plans_tell_them_apart() -> None:
    one, other = Geometry("POINT", (0.0, 1)), Geometry("POINT", (-0.0, 1))
    assert one == other and hash(one) == hash(other)
    assert one.tobytes() != other.tobytes()


def test_a_value_does_not_change() -> None:
    given = np.array([[1.0, 2.0, 3.0]])
    value = Geometry("POINT", given)
    given[0, 0] = 9
    assert value.coords[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        value.coords[0, 0] = 5
    with pytest.raises(AttributeError):
        value.srid = 5
    with pytest.raises(AttributeError):
        del value.kind


@pytest.mark.parametrize(
    ("kind", "coords", "named", "words"),
    [
        ("CIRCLE", (1, 2), {}, "not a kind"),
        ("POINT", [(1, 2), (3, 4)], {}, "one point"),
        ("POINT", (1, float("nan")), {}, "finite"),
        ("POINT", (1, 2, 3, 4), {}, "two or three coordinates"),
        ("POINT", (1, 2), {"radius": -1}, "radius"),
        ("POINT", (1, 2), {"radius": float("inf")}, "radius"),
        ("POINT", (1, 2), {"srid": -1}, "SRID"),
        ("POINT", (1, 2), {"srid": 2**31}, "SRID"),
        ("POINT", (1, 2), {"rings": [0]}, "only a POLYGON"),
        ("LINESTRING", [(1, 2)], {}, "two points"),
        ("POLYGON", [(0, 0), (1, 0), (0, 0)], {}, "four points"),
        ("POLYGON", [(0, 0), (1, 0), (1, 1), (0, 1)], {}, "ends where it begins"),
        ("POLYGON", [(0, 0), (1, 0), (1, 1), (0, 0)], {"rings": [1]}, "begin with 0"),
        ("POLYGON", [(0, 0), (1, 0), (1, 1), (0, 0)], {"rings": [0, 9]}, "lie in its points"),
        ("POLYGON", [(0, 0), (1, 0), (1, 1), (0, 0)], {"rings": []}, "has rings"),
    ],
)
def test_what_is_no_geometry(kind: str, coords: Any, named: Any, words: str) -> None:
    with pytest.raises(ExecutionFault, match=words) as caught:
        Geometry(kind, coords, **named)
    assert caught.value.code == "BAD_VALUE"


@pytest.mark.parametrize("text", TEXTS[:6])
def test_shapely_and_back(text: str) -> None:
    value = Geometry.from_wkt(text)
    other = shape(value)
    assert shapely.equals_exact(other, shapely.from_wkt(text)) or (
        value.is_empty and other.is_empty
    )
    assert Geometry.of(other) == value


def test_what_geojson_has_not() -> None:
    for text in TEXTS[6:]:
        with pytest.raises(ValueError, match="GeoJSON"):
            Geometry.from_wkt(text).__geo_interface__  # noqa: B018
    lines = shapely.from_wkt("MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))")
    with pytest.raises(ExecutionFault, match="MultiLineString is not a kind"):
        Geometry.of(lines)

    class Feature:
        __geo_interface__ = {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": (1, 2)},
        }

    assert Geometry.of(Feature()) == Geometry("POINT", (1, 2))


def test_through_arrow() -> None:
    values = [Geometry.from_wkt(t, srid=i) for i, t in enumerate(TEXTS)]
    mixed: list[Geometry | None] = [None, *values, None, values[0]]
    array = array_of_values(mixed)
    assert array.type == GEOMETRY.arrow and array.null_count == 2
    assert values_of_array(array) == mixed
    assert values_of_array(array.slice(2, 5)) == mixed[2:7]
    assert values_of_array(array_of_values([])) == []
    assert values_of_array(array_of_values([None])) == [None]


# --- as a parameter ------------------------------------------------------------------------------


def test_parameters(database: Connection) -> None:
    given: list[Any] = [Geometry.from_wkt(t, srid=4) for t in TEXTS]
    for i, value in enumerate(given):
        database.execute("INSERT INTO t VALUES (@i, @g)", {"i": i, "g": value})
    rows = database.execute("SELECT g FROM t ORDER BY id").fetchall()
    assert [g for (g,) in rows] == given
    found = database.execute("SELECT id FROM t WHERE g = @g", {"g": given[2]}).fetchall()
    assert found == [(2,)]
    database.executemany("INSERT INTO t VALUES (?, ?)", [(50, given[0]), (51, None)])
    assert database.execute("SELECT COUNT(g) FROM t WHERE id >= 50").fetchone() == (1,)


def test_what_has_a_geo_interface_is_a_parameter(database: Connection) -> None:
    box = shapely.box(0, 0, 4, 4)
    database.execute("INSERT INTO t VALUES (1, @g)", {"g": box})
    database.execute("INSERT INTO t VALUES (2, ?)", [shapely.Point(1, 2, 3)])
    near = "SELECT id FROM t ORDER BY g.STDistance(@p) LIMIT 1"
    assert database.execute(near, {"p": shapely.Point(9, 9)}).fetchall() == [(1,)]
    (got,) = database.execute("SELECT g FROM t WHERE id = 1").fetchall()[0]
    assert shape(got).equals(box)
    with pytest.raises(ParameterFault, match="GeometryCollection is not a kind"):
        database.execute("SELECT @g", {"g": shapely.GeometryCollection()})


def test_arrow_scalars_are_parameters(database: Connection) -> None:
    value = Geometry.from_wkt(TEXTS[3], srid=2)
    scalar = array_of_values([value])[0]
    assert database.execute("SELECT @g", {"g": scalar}).fetchone() == (value,)
    torn = pa.array([{"kind": 1, "radius": 0.0, "srid": 0, "rings": [], "coords": None}])
    with pytest.raises(ParameterFault):
        database.execute("SELECT @g", {"g": torn.cast(GEOMETRY.arrow)[0]})


def test_description_says_geometry(database: Connection) -> None:
    cursor = database.execute("SELECT g, geometry::Point(1, 2) AS p FROM t")
    assert [str(column[1]) for column in cursor.description or ()] == ["GEOMETRY", "GEOMETRY"]
