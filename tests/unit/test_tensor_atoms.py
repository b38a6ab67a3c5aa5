"""TensorAtoms and TensorAtomCoefficients: columns, pruning, values and aggregates against NumPy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from query_world import World
from tensor_models import Given, blocks, matrix, put, vector

from hartonomous import hql
from hartonomous.hql.limits import Limits
from hartonomous.hql.models.model import Model
from hartonomous.hql.models.relations import columns
from hartonomous.hql.models.relations.layout import chosen_rows, layout_of
from hartonomous.hql.rules import ALL
from hartonomous.hql.types import INT
from hartonomous.kernels import coefficients as kernel
from hartonomous.storage.errors import Cancelled, Corruption
from hartonomous.storage.ranges import ColumnRange

RANDOM = np.random.default_rng(11)
DTYPES = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K")

FIRST: list[Given] = [
    matrix("embedding.token.weight", RANDOM.standard_normal((9, 32)), "F16", None, "token"),
    matrix("layer0.attention.query.weight", RANDOM.integers(-3, 4, (6, 32)), "Q8_0", 0, "head:q"),
    matrix("layer0.mlp.down.weight", RANDOM.integers(-2, 3, (4, 6)), "F32", 0),
    vector("layer0.norm.mlp.weight", [0.5, -1, 2], 0),
    *(blocks(f"layer1.{d}.weight", d, 3, 256, RANDOM, 1) for d in DTYPES),
]
SECOND: list[Given] = [matrix("head.weight", [[1, 2], [3, -4], [0, 0]], "BF16")]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    rows = sum(len(g.data) for g in FIRST)
    config = {"kind": "transformer", "head_size": 2}
    importance = np.linspace(0, 1, rows)
    put(world.source, "first", FIRST, importance, config)
    put(world.source, "second", SECOND)
    yield world
    world.database.close()


def same(some: list[Any], others: list[Any]) -> bool:
    """Whether rows are the same in any order, sums but for rounding."""

    def place(row: Any) -> str:
        return repr([f"{x:.6g}" if isinstance(x, float) else x for x in row])

    def alike(a: Any, b: Any) -> bool:
        is_float = isinstance(a, float) and isinstance(b, float)
        return is_float and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or repr(a) == repr(b)

    pairs = zip(sorted(some, key=place), sorted(others, key=place), strict=True)
    return all(alike(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


def both(world: World, text: str) -> list[Any]:
    """The rows, which are the same without rules."""
    found: list[Any] = world.rows(text)
    assert same(found, world.rows(text, off=ALL))
    return found


def numbers(given: Given) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What another library makes of the blocks."""
    if given.dtype in DTYPES:
        return dequantize(given.data, GGMLQuantizationType[given.dtype]).astype(np.float32)
    return given.numbers


def test_weights_are_what_gguf_reads(world: World) -> None:
    table = world.table("SELECT TensorName, RowIdx, Weights, Norm FROM TensorAtoms")
    found = {(r["TensorName"], r["RowIdx"]): r for r in table.to_pylist()}
    for given in (*FIRST, *SECOND):
        for row, expected in enumerate(numbers(given)):
            got = found.pop((given.name, row))
            np.testing.assert_array_equal(np.array(got["Weights"], np.float32), expected)
            assert got["Norm"] == pytest.approx(float(np.linalg.norm(expected.astype("f8"))))
    assert not found


def test_columns_of_a_model(world: World) -> None:
    rows = world.rows(
        "SELECT TensorAtomId, ModelName, LayerIdx, SourceName, UnitKind, UnitId, DType, "
        "ImportanceScore, WeightsGeometry.STX() FROM TensorAtoms "
        "WHERE TensorName = 'layer0.attention.query.weight' ORDER BY RowIdx"
    )
    first = rows[0][0]
    assert [r[0] for r in rows] == list(range(first, first + 6))
    assert [r[1:5] for r in rows] == [
        ("first", 0, "file.layer0.attention.query.weight", "head:q")
    ] * 6
    assert [r[5] for r in rows] == [0, 0, 1, 1, 2, 2]  # two rows a head
    total = sum(len(g.data) for g in FIRST)
    expected = np.linspace(0, 1, total).astype(np.float32)[9:15]
    np.testing.assert_array_equal(np.array([r[7] for r in rows], np.float32), expected)
    np.testing.assert_array_equal([r[8] for r in rows], FIRST[1].numbers[:, 0])
    assert world.rows("SELECT COUNT(WeightsGeometry) FROM TensorAtoms")[0][0] == total + 3 - 1


def test_ranges_leave_whole_tensors_out(world: World) -> None:
    layout = layout_of(world.source.catalog, world.database)
    names = [t.tensor.name for t in layout.tensors]

    def kept(*ranges: ColumnRange) -> list[str]:
        spans = chosen_rows(layout, ranges).spans
        owners = {names[layout.tensors_of(np.array([n]))[0]] for s in spans for n in range(*s)}
        return [n for n in names if n in owners]

    assert kept(ColumnRange("ModelName", "second", "second")) == ["head.weight"]
    assert kept(ColumnRange("LayerIdx", 0, 0)) == names[1:4]
    assert kept(ColumnRange("LayerIdx", is_null=True)) == ["embedding.token.weight", "head.weight"]
    assert kept(ColumnRange("TensorName", "layer1", "layer1.Q4_1", high_open=True)) == [names[4]]
    assert kept(ColumnRange("RowIdx", 6)) == ["embedding.token.weight"]
    assert kept(ColumnRange("TensorAtomId", values=(1, 10, 2**62 + 5))) == names[:2]
    assert kept(ColumnRange("TensorAtomId", 2**63 - 1, low_open=True)) == []
    assert kept(ColumnRange("Norm", 1, 2)) == names  # rows of it are tested above


@pytest.mark.parametrize(
    "where",
    [
        "ModelName = 'first' AND LayerIdx = 0",
        "TensorName IN ('head.weight', 'layer0.mlp.down.weight') AND RowIdx BETWEEN 1 AND 2",
        "TensorAtomId > 5 AND TensorAtomId <= 20",
        "TensorAtomId IN (1, 3, 30, 300) OR DType = 'BF16'",
        "LayerIdx IS NULL AND UnitKind <> 'token'",
        "ImportanceScore > 0.7 AND Norm < 20",
        "RowIdx = 2.5 OR UnitId = @x",
    ],
)
def test_rows_are_the_same_without_rules(world: World, where: str) -> None:
    text = f"SELECT TensorAtomId, TensorName, RowIdx, Norm FROM dbo.TensorAtom WHERE {where}"
    options: dict[str, Any] = {"types": {"x": INT}} if "@x" in where else {}
    parameters = {"x": 3} if "@x" in where else {}
    on = sorted(world.rows(text, parameters, **options))
    assert on == sorted(world.rows(text, parameters, off=ALL, **options)) and on


def test_many_short_spans_are_copied_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "SELECT TensorAtomId, TensorName, Norm FROM TensorAtoms WHERE TensorAtomId IN (2, 4, 41)"
    expected = sorted(world.rows(text))
    monkeypatch.setattr(columns, "SPANS_MAX", 1)
    assert sorted(world.rows(text)) == expected and len(expected) == 3


def test_nearest_rows_of_one_tensor(world: World) -> None:
    rows = FIRST[1].numbers.astype(np.float64)
    query = rows[2]
    cosine = 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
    expected = np.lexsort((np.arange(6), cosine.round(12)))[:4].tolist()
    for where in ("TensorName = 'layer0.attention.query.weight'", "TensorName LIKE '%query%'"):
        text = (
            f"SELECT TOP (4) RowIdx FROM TensorAtoms WHERE {where} "
            f"ORDER BY VECTOR_DISTANCE('cosine', Weights, VECTOR({', '.join(map(str, query))}))"
        )
        assert [r[0] for r in world.rows(text)] == expected
        assert [r[0] for r in world.rows(text, off=ALL)] == expected


def test_functions_take_rows_of_several_lengths(world: World) -> None:
    found = world.rows("SELECT MAX(ABS(VECTOR_NORM(Weights) - Norm)) FROM TensorAtoms")
    assert found[0][0] == pytest.approx(0, abs=1e-9)
    dims = world.rows(
        "SELECT DISTINCT TensorName, VECTOR_DIMS(VECTOR_NORMALIZE(Weights)) "
        "FROM TensorAtoms WHERE Norm > 0"
    )
    assert dict(dims) == {g.name: g.length for g in (*FIRST, *SECOND)}
    means = world.rows(
        "SELECT TensorName, VECTOR_AVG(Weights) FROM TensorAtoms GROUP BY TensorName"
    )
    for name, mean in means:
        given = next(g for g in (*FIRST, *SECOND) if g.name == name)
        np.testing.assert_allclose(mean, given.numbers.mean(axis=0), rtol=1e-5, atol=1e-5)


def test_pairs_of_rows(world: World) -> None:
    found = world.rows(
        "SELECT a.RowIdx, b.RowIdx FROM TensorAtoms a JOIN TensorAtoms b ON b.ModelId = a.ModelId "
        "AND b.TensorName = a.TensorName AND a.RowIdx < b.RowIdx "
        "WHERE VECTOR_DISTANCE('euclidean', a.Weights, b.Weights) < 1e-6"
    )
    expected = [
        (i, j)
        for g in (*FIRST, *SECOND)
        for i in range(len(g.data))
        for j in range(i + 1, len(g.data))
        if np.array_equal(g.numbers[i], g.numbers[j])
    ]
    assert sorted(found) == sorted(expected)


# --- coefficients --------------------------------------------------------------------------------

AGGREGATES = (
    "COUNT(*), COUNT(c.Magnitude), SUM(c.Coefficient), AVG(c.Magnitude), MIN(c.Coefficient), "
    "MAX(c.Coefficient), MIN(c.Magnitude), MAX(c.Magnitude), SUM(c.Position), MIN(c.Position), "
    "MAX(c.Position), AVG(c.Position)"
)
JOIN = "TensorAtoms t JOIN TensorAtomCoefficients c ON c.TensorAtomId = t.TensorAtomId"
TESTS = (
    "1 = 1",
    "c.Magnitude < 0.25",
    "c.Coefficient < 0.01 AND c.Position >= 2",
    "c.Coefficient BETWEEN -1 AND 1 AND c.Coefficient <> 0",
    "c.Position IN (0, 3, 7) AND c.Magnitude >= 1",
    "c.Coefficient IN (1, 2, NULL)",
    "c.Position NOT IN (1, 2) AND c.Magnitude NOT BETWEEN 1 AND 2",
    "c.TensorAtomId IN (3, 12, 14) AND 0.5 > c.Magnitude",
    "c.Magnitude < NULL",
    "c.Position > 1000",
)


@pytest.mark.parametrize("test", TESTS)
def test_aggregates_are_the_same_without_rules(world: World, test: str) -> None:
    both(world, f"SELECT {AGGREGATES} FROM TensorAtomCoefficients c WHERE {test}")
    both(
        world,
        f"SELECT t.ModelName, t.LayerIdx, {AGGREGATES} FROM {JOIN} "
        f"WHERE {test} GROUP BY t.ModelName, t.LayerIdx",
    )
    both(world, f"SELECT c.* FROM TensorAtomCoefficients c WHERE {test} AND c.TensorAtomId < 20")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT TensorAtomId FROM TensorAtoms WHERE LayerIdx = 0 AND TensorAtomId IN "
        f"(SELECT t.TensorAtomId FROM {JOIN} WHERE c.Magnitude < 0.01)",
        "SELECT TensorAtomId FROM TensorAtoms WHERE TensorAtomId NOT IN "
        "(SELECT TensorAtomId FROM TensorAtomCoefficients WHERE Coefficient = 0)",
        "SELECT t.TensorAtomId FROM TensorAtoms t WHERE EXISTS (SELECT * FROM "
        "TensorAtomCoefficients c WHERE c.TensorAtomId = t.TensorAtomId AND c.Coefficient = 3)",
        f"SELECT DISTINCT t.TensorName FROM {JOIN} WHERE c.Coefficient = 2",
        f"SELECT t.TensorName FROM {JOIN} WHERE c.Magnitude > 1 GROUP BY t.TensorName "
        "HAVING COUNT(*) > 4",
        "SELECT COUNT(DISTINCT TensorAtomId), MAX(TensorAtomId), COUNT(*) "
        "FROM TensorAtomCoefficients WHERE Magnitude = 0",
        f"SELECT t.LayerIdx, COUNT(t.LayerIdx), COUNT(*) FROM {JOIN} GROUP BY ROLLUP (t.LayerIdx)",
        f"SELECT t.LayerIdx, MAX(t.Norm), SUM(c.Coefficient) FROM {JOIN} GROUP BY t.LayerIdx",
        f"SELECT SUM(t.Norm), COUNT(*) FROM {JOIN} WHERE c.Magnitude > 1",
        f"SELECT t.TensorName, COUNT(DISTINCT c.Coefficient) FROM {JOIN} GROUP BY t.TensorName",
        "SELECT COUNT(*), COUNT(c.Position), SUM(c.Coefficient) FROM TensorAtoms t LEFT JOIN "
        "TensorAtomCoefficients c ON c.TensorAtomId = t.TensorAtomId AND c.Magnitude > 2.5",
        "SELECT COUNT(*), COUNT(c.Position), SUM(c.Coefficient) FROM TensorAtoms t LEFT JOIN "
        "TensorAtomCoefficients c ON c.TensorAtomId = t.TensorAtomId AND t.LayerIdx = 0",
        "SELECT COUNT(*), SUM(c.Coefficient) FROM TensorAtomCoefficients c LEFT JOIN TensorAtoms t "
        "ON c.TensorAtomId = t.TensorAtomId AND t.LayerIdx = 0 WHERE t.TensorAtomId IS NULL",
        f"SELECT SUM(c.Coefficient * 2), MAX(ABS(c.Coefficient)) FROM {JOIN}",
        "SELECT TensorAtomId, Position, RANK() OVER (PARTITION BY TensorAtomId ORDER BY Magnitude) "
        "FROM TensorAtomCoefficients WHERE TensorAtomId < 3",
        "SELECT x.n FROM (SELECT TensorAtomId AS n, COUNT(*) AS m FROM TensorAtomCoefficients "
        "WHERE Coefficient > 0 GROUP BY TensorAtomId) x WHERE x.m > 3",
        "SELECT COUNT(*) FROM TensorAtomCoefficients a JOIN TensorAtomCoefficients b "
        "ON a.TensorAtomId = b.TensorAtomId WHERE a.Coefficient = 1 AND b.Coefficient = -1",
    ],
)
def test_statements_are_the_same_without_rules(world: World, text: str) -> None:
    assert both(world, text)


def test_aggregates_are_those_of_numpy(world: World) -> None:
    found = {
        r[0]: r[1:]
        for r in world.rows(
            f"SELECT t.TensorName, {AGGREGATES} FROM {JOIN} WHERE c.Magnitude >= 0.5 "
            "AND c.Position > 0 GROUP BY t.TensorName"
        )
    }
    for given in (*FIRST, *SECOND):
        tile = numbers(given)
        kept = np.abs(tile) >= 0.5
        kept[:, 0] = False
        values, places = tile[kept].astype(np.float64), np.nonzero(kept)[1]
        sizes = np.abs(values)
        if not len(values):
            assert given.name not in found
            continue
        expected = (
            *(len(values), len(values), values.sum(), sizes.mean(), values.min(), values.max()),
            *(sizes.min(), sizes.max(), places.sum(), places.min(), places.max(), places.mean()),
        )
        assert found.pop(given.name) == pytest.approx(expected, rel=1e-9)
    assert not found


def test_compiled_scans_give_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        f"SELECT t.TensorName, {AGGREGATES} FROM {JOIN} WHERE c.Magnitude < 1.5 "
        "GROUP BY t.TensorName",
        "SELECT * FROM TensorAtomCoefficients WHERE Coefficient > 1 AND Position BETWEEN 3 AND 250",
    ]
    expected = [world.rows(t) for t in texts]
    monkeypatch.setattr(kernel, "COMPILE_ELEMENTS", 0)
    for text, rows in zip(texts, expected, strict=True):
        assert same(world.rows(text), rows)


def test_a_stream_is_cancelled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hartonomous.hql.models.relations.coefficients.TASK_ELEMENTS", 1)
    limits = Limits()
    stream = world.stream("SELECT Position FROM TensorAtomCoefficients", limits=limits)
    limits.cancel()
    with pytest.raises(Cancelled):
        stream.read_all()


def test_what_goes_wrong_in_a_stream_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Model, tensor: Any) -> Any:
        raise Corruption(f"{tensor.name} is damaged")

    monkeypatch.setattr(Model, "pack_of", broken)
    for text in ("*", "SUM(Coefficient)"):
        with pytest.raises(Corruption, match=r"embedding.token.weight is damaged"):
            world.table(f"SELECT {text} FROM TensorAtomCoefficients")


def test_a_statement_sees_the_models_of_its_snapshot() -> None:
    with hql.connect(":memory:") as db:
        database = db.session.database
        count = "SELECT COUNT(*), COUNT(UpdatedAt) FROM TensorAtoms"
        assert db.execute(count).fetchone() == (0, 0)
        transaction = database.begin()
        put(transaction, "m", SECOND)
        assert db.execute(count).fetchone() == (0, 0)
        transaction.commit(statement="import", author="test")
        assert db.execute(count).fetchone() == (3, 3)
        other = database.begin()
        put(other, "n", SECOND)
        world = World()
        world.source = other
        assert world.rows(count) == [(6, 3)]  # its own has no commit yet
        other.rollback()
        assert db.execute(count).fetchone() == (3, 3)
