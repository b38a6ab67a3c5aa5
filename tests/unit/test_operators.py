"""Operators through execute: types, streams, parameters, sources, native calls' errors."""

from __future__ import annotations

import gc
import weakref
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from query_world import World, tuples, vectors

from hartonomous.hql import types
from hartonomous.hql.errors import ExecutionFault, ResourceFault
from hartonomous.hql.execute import execute
from hartonomous.hql.limits import Limits
from hartonomous.hql.operators.nearest_rows import NearestRows
from hartonomous.hql.operators.values import column_value
from hartonomous.hql.rules import ALL
from hartonomous.kernels.topk import Smallest, smallest_reference

COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "b": ("BIT", [True, False, None]),
    "ti": ("TINYINT", [-128, 127, None]),
    "si": ("SMALLINT", [-32768, 32767, None]),
    "i": ("INT", [1, -5, None]),
    "bi": ("BIGINT", [1 << 62, -5, None]),
    "r": ("REAL", [0.5, -2.0, None]),
    "f": ("FLOAT", [0.1, -0.0, None]),
    "d": ("DECIMAL(20,3)", [Decimal("1.250"), Decimal("-99999999999999999.999"), None]),
    "s": ("NVARCHAR", ["ä\n'", "", None]),
    "x": ("VARBINARY", [b"\0\xff", b"", None]),
    "da": ("DATE", [date(1, 1, 1), date(9999, 12, 31), None]),
    "t": ("TIME", [time(0, 0), time(23, 59, 59, 999999), None]),
    "dt": ("DATETIME2", [datetime(1900, 1, 1), datetime(2026, 11, 22, 1, 2, 3, 4), None]),
    "dz": ("DATETIMEOFFSET", [datetime(2026, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC),
                              None]),
    "u": ("UNIQUEIDENTIFIER", [bytes(16), bytes(range(16)), None]),
    "j": ("JSON", ['{"a": 1}', "[]", None]),
    "v": ("VECTOR(2)", [[1.0, 2.0], [0.0, -0.5], None]),
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.create("all_types", {n: t for n, (t, _) in COLUMNS.items()},
                [values for _, values in COLUMNS.values()])  # fmt: skip
    made.create("v", {"id": "INT", "e": "VECTOR(4)"}, [list(range(200)), vectors(200, 4)], "id")
    made.create("empty", {"id": "INT", "e": "VECTOR(4)"}, [[], []])
    return made


def test_every_type_comes_back_as_declared(world: World) -> None:
    table = world.table("SELECT * FROM all_types")
    for name, (text, values) in COLUMNS.items():
        column = table.column(name)
        assert column.type == types.parse_type(text).arrow, name
        assert column.to_pylist() == values, name
    assert world.both("SELECT * FROM all_types")


def test_results_of_expressions_have_their_declared_types(world: World) -> None:
    text = "SELECT SUM(i), SUM(d), AVG(i), COUNT(*), MIN(u), MAX(dz), NULL, 1.5 FROM all_types"
    table = world.table(text)
    kinds = ["BIGINT", "DECIMAL(38,3)", "FLOAT", "BIGINT", "UNIQUEIDENTIFIER", "DATETIMEOFFSET"]
    assert table.schema.types[:6] == [types.parse_type(k).arrow for k in kinds]
    assert table.schema.types[6] == pa.null()
    assert tuples(table)[0][:2] == (-4, Decimal("-99999999999999998.749"))


def test_nearest_rows_are_those_of_the_engine(world: World) -> None:
    """Every type, NULLs first and last, OFFSET, computed columns; the fragment is made by an
    expression in the list or by switching the rule off."""
    for tail in (
        "WHERE f IS NULL ORDER BY VECTOR_DISTANCE('euclidean', v, [0, 1]) DESC",
        "ORDER BY VECTOR_DISTANCE('euclidean', v, [0, 1])",
        "WHERE i < 5 ORDER BY VECTOR_DISTANCE('cosine', v, [0, 1])",
        "ORDER BY VECTOR_DISTANCE('dot', v, [0, 1]) OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY",
        "ORDER BY VECTOR_DISTANCE('dot', v, [0, 1]) OFFSET 9 ROWS FETCH NEXT 1 ROWS ONLY",
    ):
        top = "" if "FETCH" in tail else "TOP (3) "
        computed = "VECTOR_DISTANCE('dot', v, [0, 1]) AS d, v + v AS w, VECTOR_NORM(v) AS n"
        text = f"SELECT {top}{{}}*, {computed}, i AS i FROM all_types {tail}"
        bare, engine = text.format(""), text.format("i + 0 AS more, ")
        is_native = type(world.prepare(bare).operator) is NearestRows
        assert is_native == ("DESC" not in tail)
        found = world.table(bare)
        assert found.equals(world.table(bare, off=ALL))
        assert found.equals(world.table(engine).drop_columns("more"))


def test_nearest_rows_check_their_counts_and_limits(world: World) -> None:
    text = "SELECT id, e FROM v ORDER BY VECTOR_DISTANCE('dot', e, [1,2,3,4]) OFFSET @a ROWS"
    text += " FETCH NEXT @b ROWS ONLY"
    types_ = {"a": types.INT, "b": types.INT}
    assert type(world.prepare(text, types=types_).operator) is NearestRows
    for a, b in ((-1, 3), (None, 3), (3, -1), (3, None)):
        with pytest.raises(ExecutionFault, match="not a count of rows"):
            world.rows(text, {"a": a, "b": b}, types=types_)
    assert len(world.rows(text, {"a": 199, "b": 3}, types=types_)) == 1
    assert world.rows(text, {"a": 3, "b": 0}, types=types_) == []
    with pytest.raises(ResourceFault, match="memory limit"):
        world.rows(text, {"a": 0, "b": 9}, types=types_, limits=Limits(memory_bytes=100))


def test_duplicate_names_stay(world: World) -> None:
    table = world.table("SELECT id, id, id AS ID FROM v WHERE id = 3")
    assert table.schema.names == ["id", "id", "ID"] and tuples(table) == [(3, 3, 3)]


def test_tables_without_rows(world: World) -> None:
    assert world.both("SELECT id, e FROM empty") == []
    assert world.both("SELECT e, COUNT(*) FROM empty GROUP BY e") == []
    assert world.both("SELECT COUNT(*), VECTOR_SUM(e) FROM empty") == [(0, None)]
    by = "ORDER BY VECTOR_DISTANCE('cosine', e, [1, 2, 3, 4])"
    assert world.both(f"SELECT TOP (3) id FROM empty {by}") == []


def test_parameters_are_bound_when_it_runs(world: World) -> None:
    kinds = {"n": types.INT, "q": types.vector(4), "k": types.INT}
    prepared = world.prepare(
        "SELECT TOP (@k) id FROM v WHERE id > @n ORDER BY VECTOR_DISTANCE('cosine', e, @q)",
        types=kinds,
    )
    everything = np.array(vectors(200, 4), np.float32)
    for low, query in ((10, [1, 0, 0, 1]), (150, [0, 1, 2, -1])):
        values = {"n": low, "q": np.array(query, np.float32), "k": 5}
        found = tuples(prepared.start(world.source, values, Limits()).read_all())
        assert [r[0] for r in found] == nearest(everything, query, low + 1)[:5]


def nearest(matrix: Any, query: Any, first: int) -> list[int]:
    """Row numbers by cosine distance, zero vectors (NULL) first, ties by number."""
    a, b = matrix.astype(np.float64), np.array(query, np.float64)
    norms = np.sqrt((a * a).sum(1) * (b * b).sum())
    with np.errstate(invalid="ignore"):
        distance = np.round(1 - (a @ b) / norms, 12)
    order = sorted(range(first, len(a)), key=lambda i: (norms[i] > 0, distance[i], i))
    return order


@pytest.mark.parametrize("value", [None, -1])
def test_a_count_that_is_none(world: World, value: Any) -> None:
    for text in ("SELECT TOP (@k) id FROM v", "SELECT id FROM v ORDER BY id OFFSET @k ROWS"):
        with pytest.raises(ExecutionFault) as caught:
            world.rows(text, {"k": value}, types={"k": types.INT})
        assert caught.value.code == "BAD_VALUE" and caught.value.line == 1


def test_an_error_in_a_native_call_keeps_code_and_place(world: World) -> None:
    for off in ((), ("hoist_native",)):
        with pytest.raises(ExecutionFault) as caught:
            world.rows("SELECT\n  CAST(s AS VECTOR(2)) FROM all_types WHERE i = 1", off=off)
        assert (caught.value.code, caught.value.line, caught.value.column) == ("BAD_CAST", 2, 3)


def test_a_constant_native_value_is_computed_once(world: World) -> None:
    operator = world.operator("SELECT VECTOR_NORM([3, 4]) + id FROM v")
    assert len(operator.values) == 1 and operator.calls == ()
    assert world.both("SELECT VECTOR_NORM([3, 4])") == [(5.0,)]


def test_arrow_sources(world: World) -> None:
    keys = pa.array([1, 2, 2], pa.int32())
    wide = pa.array([[1.0, 0.0], None, [1.0, 0.0]], pa.list_(pa.float32(), 2))
    rows = pa.table({"k": keys, "e": wide})
    given: dict[str, Any] = {
        "table_parameters": {"rows": rows.schema},
        "tables": {"@rows": lambda: rows},
    }
    assert world.both("SELECT k, e FROM @rows", **given) == tuples(rows)
    assert sorted(world.both("SELECT COUNT(*), e FROM @rows GROUP BY e", **given))[0][0] == 1
    joined = "SELECT v.id, r.k FROM v JOIN @rows r ON r.k = v.id"
    assert sorted(world.both(joined, **given)) == [(1, 1), (2, 2), (2, 2)]
    assert world.both("SELECT COUNT(*) FROM @rows", **given) == [(3,)]


def test_a_reader_streams_where_it_is_read_once(world: World) -> None:
    schema = pa.schema([("k", pa.int64())])
    pulled = []

    def batches() -> Any:
        for i in range(1000):
            pulled.append(i)
            yield pa.RecordBatch.from_arrays([pa.array(range(5000), pa.int64())], schema=schema)

    given: dict[str, Any] = {
        "table_parameters": {"rows": schema},
        "tables": {"@rows": lambda: pa.RecordBatchReader.from_batches(schema, batches())},
    }
    assert len(world.rows("SELECT TOP (3) k FROM @rows", **given)) == 3
    assert len(pulled) < 1000
    assert world.rows("SELECT COUNT(*), SUM(k) FROM @rows", **given)[0][0] == 5_000_000
    twice = "SELECT COUNT(*) FROM @rows a JOIN @rows b ON a.k = b.k WHERE a.k = 7"
    pulled.clear()
    assert world.rows(twice, **given)[0][0] == 1_000_000


# --- streams -------------------------------------------------------------------------------------


def test_a_stream_keeps_what_it_began_with() -> None:
    world = World()
    table = world.create("n", {"id": "INT"}, [list(range(200_000))])
    stream = world.stream("SELECT id FROM n")
    world.insert(table, [[-1]])
    world.source.truncate(table.id)
    assert sum(b.num_rows for b in stream) == 200_000
    assert world.rows("SELECT COUNT(*) FROM n") == [(0,)]


def test_a_closed_stream_lets_go(world: World) -> None:
    stream = world.stream("SELECT id FROM v")
    execution = weakref.ref(stream._execution.store)
    assert next(stream).num_rows == 200
    stream.close()
    stream.close()
    assert list(stream) == []
    del stream
    gc.collect()
    assert execution() is None


def test_an_exhausted_stream_is_closed(world: World) -> None:
    stream = world.stream("SELECT id FROM v")
    stream.read_all()
    assert stream._execution.closers == []


def test_two_streams_at_once(world: World) -> None:
    first, second = (world.stream("SELECT id FROM v ORDER BY id") for _ in range(2))
    assert next(first).equals(next(second))


def test_execute_prepares_and_starts(world: World) -> None:
    bound = world.bind("SELECT COUNT(*) FROM v")
    assert tuples(execute(bound, world.source, {}, Limits()).read_all()) == [(200,)]


def test_values_of_simple_cells_need_no_engine(world: World) -> None:
    prepared = world.prepare("VALUES (1, 'a'), (2, NULL)")
    assert type(prepared.operator).__name__ == "SimpleValues"
    assert world.both("VALUES (1, 'a'), (2, NULL)") == [(1, "a"), (2, None)]
    assert world.both("VALUES (1 + 1), (2)") == [(2,), (2,)]


def test_a_row_of_simple_cells_needs_no_engine(world: World) -> None:
    prepared = world.prepare("SELECT 1, 'a', NULL")
    assert type(prepared.operator).__name__ == "SimpleValues"
    assert world.both("SELECT 1, 'a', NULL") == [(1, "a", None)]
    for text in ("SELECT 1 WHERE 1 = 0", "SELECT 1 HAVING 1 = 0", "SELECT TOP (0) 1"):
        assert world.both(text) == []


# --- small parts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        (5, pa.int8(), (True, 5)),
        (200, pa.int8(), (False, 200)),
        (5.0, pa.int32(), (True, 5)),
        (5.5, pa.int32(), (False, 5)),
        (float("nan"), pa.int32(), (False, None)),
        (Decimal("1.25"), pa.decimal128(5, 2), (True, Decimal("1.25"))),
        (Decimal("1.255"), pa.decimal128(5, 2), (False, Decimal("1.255"))),
        (Decimal("1000"), pa.decimal128(5, 2), (False, Decimal("1000"))),
        (1 << 60, pa.float64(), (True, float(1 << 60))),
        ((1 << 60) + 1, pa.float64(), (False, float(1 << 60))),
        ("x", pa.string(), (True, "x")),
        (None, pa.int8(), (True, None)),
    ],
)
def test_values_in_a_columns_own_form(value: Any, type_: Any, expected: Any) -> None:
    assert column_value(value, type_) == expected


@pytest.mark.parametrize("nulls_first", [True, False])
@pytest.mark.parametrize("count", [0, 1, 7, 500, 5000])
def test_smallest_is_the_sorted_head(count: int, nulls_first: bool) -> None:
    random = np.random.default_rng(count)
    keys = random.integers(0, 20, 2000).astype(np.float64)
    keys[random.integers(0, 2000, 30)] = np.nan
    keys[random.integers(0, 2000, 30)] = -np.inf
    nulls = random.random(2000) < 0.02
    row_ids = random.permutation(2000)
    best = Smallest(count, nulls_first)
    for start in range(0, 2000, 300):
        part = slice(start, start + 300)
        best.add(keys[part], nulls[part], row_ids[part], np.arange(2000)[part])
    expected = smallest_reference(keys, nulls, row_ids, count, nulls_first)
    assert best.places.tolist() == expected.tolist()
