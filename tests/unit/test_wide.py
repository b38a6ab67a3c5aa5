"""Wide values: handles, gathering, interning; vectors in every clause of a query."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from query_world import World, tuples

from hartonomous.hql import types
from hartonomous.hql.limits import Limits
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.calls import BoundCall
from hartonomous.hql.operators.wide import (
    POSITION_BITS,
    Interned,
    Source,
    WideStore,
    canonical_bits,
    fingerprints,
    handles,
    take_rows,
)

PAIR = pa.list_(pa.float32(), 2)


def pairs(*values: Any) -> pa.Array:
    return pa.array(list(values), PAIR)


# --- the store -----------------------------------------------------------------------------------


def test_handles_are_source_and_position() -> None:
    made = handles(3, 5, pairs([1, 2], None, [3, 4]))
    assert made.to_pylist() == [3 << POSITION_BITS | 5, None, 3 << POSITION_BITS | 7]


@pytest.mark.parametrize("seed", range(5))
def test_gather_gives_the_values_in_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    store = WideStore()
    everything: list[Any] = []
    given: list[int] = []
    for number in range(3):
        chunks = []
        position = 0
        for _ in range(random.integers(1, 5)):
            matrix = random.integers(0, 9, (random.integers(0, 6), 2)).astype(np.float32)
            chunks.append(pairs(*matrix.tolist()))
            for row in matrix.tolist():
                everything.append(row)
                given.append(number << POSITION_BITS | position)
                position += 1
        store.add(number, chunks)
    order = random.integers(0, len(given), 50)
    wanted: list[Any] = [given[i] for i in order]
    expected: list[Any] = [everything[i] for i in order]
    wanted[7] = wanted[30] = expected[7] = expected[30] = None
    assert store.gather(pa.array(wanted, pa.int64()), PAIR).to_pylist() == expected


def test_a_run_of_one_chunk_is_not_copied() -> None:
    chunk = pairs([1, 2], [3, 4], [5, 6])
    taken = Source([chunk]).take(np.array([1, 2]))
    assert taken.values.buffers()[1].address == chunk.values.buffers()[1].address


def test_take_respects_slices_and_nulls() -> None:
    array = pairs([1, 2], None, [3, 4], [5, 6]).slice(1)
    assert take_rows(array, np.array([2, 0, 1])).to_pylist() == [[5, 6], None, [3, 4]]
    assert take_rows(array.slice(1), np.array([1, 0])).to_pylist() == [[5, 6], [3, 4]]


def interned(store: WideStore, number: int, values: pa.Array) -> list[Any]:
    return store.intern(store.append(number, values)).to_pylist()  # type: ignore[no-any-return]


def test_interning_is_by_value_over_sources_and_batches() -> None:
    store = WideStore()
    a = interned(store, 1, pairs([1, 2], [0.0, 1], None, [1, 2]))
    b = interned(store, 2, pairs([-0.0, 1], [float("nan"), 1], [1, 2], [float("nan"), 1]))
    assert a[0] == a[3] == b[2] and a[1] == b[0] and b[1] == b[3] and a[2] is None
    assert len({a[0], a[1], b[1]}) == 3


def test_interning_vectors_of_different_lengths() -> None:
    store = WideStore()
    lists = pa.array([[1.0], [1.0, 0.0], [], [1.0], [0.0, 1.0], []], pa.list_(pa.float32()))
    found = interned(store, 1, lists)
    assert found[0] == found[3] and found[2] == found[5] and len(set(found)) == 4


def test_a_collision_of_fingerprints_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from hartonomous.hql.operators import wide

    monkeypatch.setattr(wide, "fingerprints", lambda o, b: np.zeros(len(o) - 1, np.uint64))
    store = WideStore()
    first = interned(store, 1, pairs([1, 2], [3, 4], [1, 2], [5, 6]))
    second = interned(store, 2, pairs([5, 6], [3, 4], [7, 8]))
    assert first[0] == first[2] and second[:2] == [first[3], first[1]]
    assert len({*first, *second}) == 4


def test_fingerprints_tell_places_apart() -> None:
    values = pairs([1, 2], [2, 1], [1, 1], [2, 2], [0, 3])
    assert len(set(fingerprints(*canonical_bits(values)).tolist())) == 5
    assert Interned() is not None


# --- in queries ----------------------------------------------------------------------------------

VECTORS: list[Any] = [[1, 2], [1, 2], None, [3, 4], [0, 0], None, [3, 4], [3, 4]]


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.create("a", {"id": "INT", "g": "NVARCHAR", "v": "VECTOR(2)"},
                [list(range(8)), list("xyxyxyxx"), VECTORS], "id")  # fmt: skip
    made.create("b", {"id": "INT", "v": "VECTOR(2)"}, [[1, 2, 3], [[3, 4], [9, 9], None]])
    return made


def as_set(rows: list[Any]) -> set[Any]:
    def frozen(value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    return {tuple(map(frozen, row)) for row in rows}


CASES: list[tuple[str, set[Any]]] = [
    ("SELECT v, COUNT(*) FROM a GROUP BY v", {((1, 2), 2), (None, 2), ((3, 4), 3), ((0, 0), 1)}),
    ("SELECT DISTINCT v FROM a", {((1, 2),), (None,), ((3, 4),), ((0, 0),)}),
    ("SELECT COUNT(DISTINCT v), COUNT(v), COUNT(*) FROM a", {(3, 6, 8)}),
    ("SELECT v FROM a UNION SELECT v FROM b",
     {((1, 2),), (None,), ((3, 4),), ((0, 0),), ((9, 9),)}),
    ("SELECT v FROM a INTERSECT SELECT v FROM b", {((3, 4),), (None,)}),
    ("SELECT v FROM b EXCEPT SELECT v FROM a", {((9, 9),)}),
    ("SELECT a.id, b.id FROM a JOIN b ON a.v = b.v", {(3, 1), (6, 1), (7, 1)}),
    ("SELECT id FROM a WHERE v = [3, 4]", {(3,), (6,), (7,)}),
    ("SELECT id FROM a WHERE v <> [3, 4]", {(0,), (1,), (4,)}),
    ("SELECT id FROM a WHERE v IN ([3, 4], [-0.0, 0], NULL)", {(3,), (4,), (6,), (7,)}),
    ("SELECT id FROM a WHERE v NOT IN ([3, 4], [0, 0])", {(0,), (1,)}),
    ("SELECT id FROM a WHERE v IN (SELECT v FROM b)", {(3,), (6,), (7,)}),
    ("SELECT id FROM a WHERE v = ANY (SELECT v FROM b)", {(3,), (6,), (7,)}),
    ("SELECT id FROM a WHERE v IS NOT DISTINCT FROM NULL", {(2,), (5,)}),
    ("SELECT id FROM a WHERE v IS NULL AND g = 'x'", {(2,)}),
    ("SELECT id, COUNT(*) OVER (PARTITION BY v) FROM a WHERE id < 4",
     {(0, 2), (1, 2), (2, 1), (3, 1)}),
    ("SELECT CASE WHEN id = 1 THEN v ELSE [7, 7] END FROM a WHERE id < 3", {((1, 2),), ((7, 7),)}),
    ("SELECT COALESCE(v, [5, 5]) FROM b", {((3, 4),), ((9, 9),), ((5, 5),)}),
    ("SELECT LAG(v) OVER (ORDER BY id) FROM b", {(None,), ((3, 4),), ((9, 9),)}),
    ("SELECT VECTOR_SUM(v), VECTOR_AVG(v) FROM a WHERE id > 2", {((9, 12), (2.25, 3))}),
    ("SELECT g, VECTOR_SUM(v) FROM a GROUP BY g", {("x", (7, 10)), ("y", (4, 6))}),
    ("SELECT VECTOR_SUM(DISTINCT v) FROM a", {((4, 6),)}),
    ("SELECT VECTOR_SUM(v) FROM a WHERE v IS NULL", {(None,)}),
    ("SELECT id, VECTOR_SUM(v) OVER (ORDER BY id ROWS 1 PRECEDING) FROM a WHERE id < 3",
     {(0, (1, 2)), (1, (2, 4)), (2, (1, 2))}),
    ("SELECT g FROM a GROUP BY g HAVING VECTOR_NORM(VECTOR_SUM(v)) > 10", {("x",)}),
    ("SELECT d.w FROM (SELECT g, VECTOR_SUM(v) AS w FROM a GROUP BY g) d WHERE d.w = [4, 6]",
     {((4, 6),)}),
    ("SELECT a.id FROM a CROSS JOIN b WHERE VECTOR_DISTANCE('euclidean', a.v, b.v) = 0",
     {(3,), (6,), (7,)}),
    ("SELECT VECTOR_NORM(v), v + [1, 1] FROM b WHERE id = 1", {(5.0, (4, 5))}),
    ("SELECT VECTOR(id, id + 1) FROM b WHERE id < 3", {((1, 2),), ((2, 3),)}),
    ("SELECT CAST('[' + CAST(id AS NVARCHAR) + ', 0]' AS VECTOR(2)) FROM b WHERE id < 3",
     {((1, 0),), ((2, 0),)}),
    ("SELECT CAST(v AS NVARCHAR) FROM b", {("[3, 4]",), ("[9, 9]",), (None,)}),
    ("SELECT x.v FROM (VALUES ([1, 1]), (NULL), ([2, 2])) x(v)", {((1, 1),), (None,), ((2, 2),)}),
    ("SELECT [1, 2]", {((1, 2),)}),
    ("SELECT (SELECT v FROM b WHERE id = 2) FROM a WHERE id = 0", {((9, 9),)}),
    ("WITH RECURSIVE r AS (SELECT 0 AS n, [1, 0] AS v UNION ALL SELECT n + 1, v + [1, 1] FROM r "
     "WHERE n < 3) SELECT n, v FROM r WHERE n = 3", {(3, (4, 3))}),
    ("SELECT a.id, x.v FROM a OUTER APPLY (SELECT b.v FROM b WHERE b.v = a.v) x WHERE a.id < 4 "
     "AND a.id > 1", {(2, None), (3, (3, 4))}),
    ("SELECT v FROM a GROUP BY GROUPING SETS ((v), ())",
     {((1, 2),), (None,), ((3, 4),), ((0, 0),)}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_vectors_everywhere(world: World, text: str, expected: set[Any]) -> None:
    assert as_set(world.both(text)) == expected


def test_wide_parameters(world: World) -> None:
    given = {"q": types.vector(2)}
    value = np.array([3, 4], np.float32)
    text = "SELECT id FROM a WHERE v = @q OR (@q IS NULL AND id = 0)"
    assert sorted(world.both(text, {"q": value}, types=given)) == [(3,), (6,), (7,)]
    assert world.both(text, {"q": None}, types=given) == [(0,)]
    assert world.both("SELECT @q, VECTOR_NORM(@q)", {"q": value}, types=given) == [([3, 4], 5.0)]


def test_sums_do_not_depend_on_the_order_of_threads(world: World) -> None:
    """The engine's threads collect a group's handles in any order."""
    store = WideStore()
    made = store.append(1, pairs([1e30, 1], [1, 1e-30], [-1e30, 3], [1, -1])).to_pylist()
    (slot,) = world.operator("SELECT VECTOR_SUM(v) FROM a").calls
    execution = Execution(world.source, {}, Limits(), {}, store)
    sums = [
        store.gather(BoundCall(slot, execution)([pa.array([order, [], None])]), PAIR).to_pylist()
        for order in (made, made[::-1], [made[0], made[2], made[1], made[3]])
    ]
    assert sums[0] == sums[1] == sums[2] and sums[0][1:] == [None, None]


def test_unfiltered_vectors_leave_without_a_copy(world: World) -> None:
    made = World()
    entry = made.create("w", {"v": "VECTOR(2)"}, [[[float(i), 0.0] for i in range(70_000)]])
    stored = made.source.view(entry.id).scan(["v"]).table.column("v")
    table = made.table("SELECT v FROM w")
    assert tuples(table)[69_999] == ([69_999.0, 0.0],)
    addresses = {c.values.buffers()[1].address for c in stored.chunks}
    assert table.column("v").chunk(0).values.buffers()[1].address in addresses
