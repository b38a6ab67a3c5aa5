"""Geometries of others: GeoArrow's encodings, GeoParquet, our own struct, in tables and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.errors import ExecutionFault, FileFault, ParameterFault
from hartonomous.hql.geo_arrow import encoding_of, srid_of, with_geoparquet
from hartonomous.hql.geometry_value import Geometry, array_of_values
from hartonomous.hql.types import GEOMETRY

EPSG = {"id": {"authority": "EPSG", "code": 25832}}


@pytest.fixture
def database() -> Any:
    connection = hql.connect(":memory:")
    connection.execute("CREATE TABLE t (id INT, g GEOMETRY)")
    yield connection
    connection.close()


def field(kind: pa.DataType, name: str, crs: Any = None) -> pa.Field:
    marks = {"ARROW:extension:name": f"geoarrow.{name}"}
    if crs is not None:
        marks["ARROW:extension:metadata"] = json.dumps({"crs": crs})
    return pa.field("g", kind, metadata=marks)


def read(database: Connection, array: pa.Array, given: pa.Field) -> list[Any]:
    """The geometries of a table parameter, through the engine and past it."""
    table = pa.Table.from_arrays([array], schema=pa.schema([given]))
    rows = database.execute("SELECT g FROM @rows AS r WHERE 1 = 1", {"rows": table}).fetchall()
    database.execute("DELETE FROM t")
    database.execute("INSERT INTO t (g) SELECT * FROM @rows", {"rows": table})
    stored = database.execute("SELECT g FROM t").fetchall()
    assert sorted(map(str, stored)) == sorted(map(str, rows))
    return [row[0] for row in rows]


XY = pa.struct([("x", pa.float64()), ("y", pa.float64())])
XYZ = pa.struct([("x", pa.float64()), ("y", pa.float64()), ("z", pa.float64())])
FLAT = pa.list_(pa.field("xy", pa.float64()), 2)
SOLID = pa.list_(pa.field("xyz", pa.float64()), 3)
NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (XY, [{"x": 1, "y": 2}, None, {"x": NAN, "y": NAN}]),
        (XYZ, [{"x": 1, "y": 2, "z": 0}, None, {"x": NAN, "y": NAN, "z": NAN}]),
        (FLAT, [[1, 2], None, [NAN, NAN]]),
        (SOLID, [[1, 2, 0], None, [NAN, NAN, NAN]]),
    ],
    ids=["xy", "xyz", "interleaved xy", "interleaved xyz"],
)
def test_points(database: Connection, kind: pa.DataType, values: Any) -> None:
    given = field(kind, "point", EPSG)
    point = Geometry("POINT", (1, 2), srid=25832)
    empty = Geometry("POINT", (), srid=25832)
    assert read(database, pa.array(values, kind), given) == [point, None, empty]


@pytest.mark.parametrize("large", [False, True])
def test_lists_of_points(database: Connection, large: bool) -> None:
    list_ = pa.large_list if large else pa.list_
    kind = list_(XY)
    given = pa.array(
        [[{"x": 9, "y": 9}] * 2, [{"x": 0, "y": 0}, {"x": 1, "y": 1}], None, []], kind
    ).slice(1)
    line = Geometry("LINESTRING", [(0, 0), (1, 1)])
    assert read(database, given, field(kind, "linestring")) == [
        line,
        None,
        Geometry("LINESTRING", ()),
    ]
    points = Geometry("MULTIPOINT", [(0, 0), (1, 1)])
    assert read(database, given, field(kind, "multipoint"))[0] == points


def test_polygons(database: Connection) -> None:
    texts = [
        "POLYGON ((0 0, 4 0, 4 4, 0 0), (1 0.5, 2 0.5, 2 1, 1 0.5))",
        "POLYGON EMPTY",
        "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    ]
    shapes = [shapely.from_wkt(t) for t in texts]
    kind = pa.list_(pa.list_(FLAT))
    rings = [
        [np.asarray(r.coords).tolist() for r in (s.exterior, *s.interiors) if not r.is_empty]
        for s in shapes
    ]
    array = pa.array([rings[1], None, *rings], kind).slice(1)
    expected = [None, *map(Geometry.from_wkt, texts)]
    assert read(database, array, field(kind, "polygon")) == expected


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()], ids=str)
def test_well_known_binary(database: Connection, kind: pa.DataType) -> None:
    data = shapely.to_wkb(shapely.from_wkt(["POINT (1 2)", "LINESTRING Z (0 0 0, 1 1 1)"]))
    given = pa.array([*data, None], kind)
    found = read(database, given, field(kind, "wkb", "EPSG:4326"))
    assert found[:2] == [
        Geometry("POINT", (1, 2), srid=4326),
        Geometry("LINESTRING", [(0, 0, 0), (1, 1, 1)], srid=4326),
    ]
    assert found[2] is None


def test_well_known_text_and_a_registered_type(database: Connection) -> None:
    class Text(pa.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pa.string(), "geoarrow.wkt")

        def __arrow_ext_serialize__(self) -> bytes:
            return json.dumps({"crs": EPSG}).encode()

        @classmethod
        def __arrow_ext_deserialize__(cls, storage: Any, serialized: Any) -> Any:
            return cls()

    array = pa.ExtensionArray.from_storage(Text(), pa.array(["POINT (1 2)", None]))
    found = read(database, array, pa.field("g", Text()))
    assert found == [Geometry("POINT", (1, 2), srid=25832), None]


def test_what_is_no_geometry_is_what_it_was() -> None:
    assert encoding_of(pa.field("g", pa.binary())) is None
    assert encoding_of(field(pa.list_(pa.list_(pa.list_(XY))), "multipolygon")) is None
    assert encoding_of(field(pa.binary(), "point")) is None
    assert encoding_of(field(pa.list_(pa.field("xym", pa.float64()), 3), "point")) is None
    assert encoding_of(pa.field("g", XY)) is None
    assert encoding_of(pa.field("g", GEOMETRY.arrow)) == "own"
    for crs, srid in ((None, 0), ("OGC:CRS84", 0), ("EPSG:3857", 3857), (EPSG, 25832), (7, 0)):
        assert srid_of(field(pa.binary(), "wkb", crs)) == srid


def test_an_unmarked_binary_column_is_bytes_until_it_is_cast(database: Connection) -> None:
    table = pa.table({"b": [shapely.to_wkb(shapely.Point(1, 2))]})
    database.execute("INSERT INTO t (g) SELECT CAST(b AS GEOMETRY) FROM @rows", {"rows": table})
    assert database.execute("SELECT g FROM t").fetchall() == [(Geometry("POINT", (1, 2)),)]


def broken(**changes: Any) -> pa.Array:
    value = {"kind": 1, "radius": 0.0, "srid": 0, "rings": [], "coords": [[1.0, 2.0, 3.0]]}
    return pa.array([None, value | changes], GEOMETRY.arrow)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": 9}, "no such kind"),
        ({"kind": None}, "part that is NULL"),
        ({"radius": -1.0}, "radius"),
        ({"radius": NAN}, "radius"),
        ({"srid": -4}, "SRID"),
        ({"coords": [[1.0, NAN, 3.0]]}, "finite"),
        ({"coords": [[1.0, None, 3.0]]}, "part that is NULL"),
        ({"coords": [None]}, "part that is NULL"),
        ({"coords": None}, "part that is NULL"),
        ({"coords": [[1.0, 2.0, 3.0]] * 2}, "one point"),
        ({"rings": [0]}, "only a POLYGON"),
        ({"rings": [None]}, "part that is NULL"),
        ({"kind": 3, "rings": [0]}, "four points"),
        ({"kind": 3}, "has rings"),
    ],
)
def test_our_own_struct_is_checked(database: Connection, changes: Any, words: str) -> None:
    table = pa.table({"g": broken(**changes)})
    for text in ("INSERT INTO t (g) SELECT * FROM @r", "SELECT g FROM @r AS r"):
        with pytest.raises(ExecutionFault, match=f'column "g": .*{words}') as caught:
            database.execute(text, {"r": table}).fetchall()
        assert caught.value.code == "BAD_VALUE"


def test_our_own_struct_in_other_layouts(database: Connection) -> None:
    value = Geometry.from_wkt("POLYGON ((0 0, 1 0, 1 1, 0 0))", srid=3)
    array = array_of_values([value, None])
    wide = pa.struct(
        [
            ("kind", pa.int32()),
            ("radius", pa.float64()),
            ("srid", pa.int64()),
            ("rings", pa.large_list(pa.field("element", pa.int64()))),
            ("coords", pa.large_list(pa.field("element", pa.list_(pa.float64(), 3)))),
        ]
    )
    assert read(database, array.cast(wide), pa.field("g", wide)) == [value, None]


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["parquet", "arrow", "arrows", "csv", "json", "jsonl"])
def test_files_and_back(database: Connection, tmp_path: Path, ending: str) -> None:
    texts = ["POINT (1 2)", "LINESTRING EMPTY", "BUFFER (0.1, POINT (-0 1e300))"]
    texts += ["POLYGON ((0 0, 4 0, 4 4, 0 0), (1 0.5, 2 0.5, 2 1, 1 0.5))", "HULL (0 0, 1 0, 0 1)"]
    values: list[Any] = [Geometry.from_wkt(t, srid=i % 2 * 7) for i, t in enumerate(texts)]
    database.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate([*values, None])))
    path = tmp_path / f"t.{ending}"
    database.execute(f"COPY t TO '{path}'")
    database.execute("CREATE TABLE u (id INT, g GEOMETRY)")
    database.execute(f"COPY u FROM '{path}'")
    rows = database.execute("SELECT g FROM u ORDER BY id").fetchall()
    assert [r[0] for r in rows] == [*values, None]
    assert [r[0].tobytes() for r in rows[:-1]] == [v.tobytes() for v in values]


def test_geoparquet(database: Connection, tmp_path: Path) -> None:
    points = shapely.points([[1, 2], [3, 4]])
    geo = {"columns": {"g": {"encoding": "WKB", "crs": EPSG}, "gone": {"encoding": "WKB"}}}
    table = pa.table({"id": [1, 2], "g": list(shapely.to_wkb(points))})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "g.parquet")
    database.execute(f"COPY t FROM '{tmp_path / 'g.parquet'}'")
    rows = database.execute("SELECT g FROM t ORDER BY id").fetchall()
    assert rows == [(Geometry("POINT", p, srid=25832),) for p in ((1, 2), (3, 4))]
    for text in (b"", b"[]", b'{"columns": 3}', b"{", b'{"columns": {"g": 1}}'):
        schema = table.schema.with_metadata({b"geo": text})
        assert with_geoparquet(schema) == schema


def test_plain_bytes_into_a_geometry_column(database: Connection, tmp_path: Path) -> None:
    table = pa.table({"id": [1], "g": [shapely.to_wkb(shapely.Point(1, 2))]})
    pq.write_table(table, tmp_path / "plain.parquet")
    database.execute(f"COPY t FROM '{tmp_path / 'plain.parquet'}'")
    assert database.execute("SELECT g FROM t").fetchall() == [(Geometry("POINT", (1, 2)),)]


def test_a_bad_value_in_a_file_is_named(database: Connection, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("id,g\n1,POINT (1 2)\n2,POINT (1\n")
    with pytest.raises(ExecutionFault, match='row 2, column "g": .*character 9'):
        database.execute(f"COPY t FROM '{path}'")
    other = pa.table({"id": [1], "g": [{"x": 1.0, "y": 2.0}]})
    pq.write_table(other, tmp_path / "struct.parquet")
    with pytest.raises(FileFault, match="which HQL has not"):
        database.execute(f"COPY t FROM '{tmp_path / 'struct.parquet'}'")
    with pytest.raises(ParameterFault, match="which HQL has not"):
        database.execute("SELECT * FROM @r AS r", {"r": other})
