"""The float32 pass never loses a row that the exact distances put among the k nearest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.kernels import nearest
from hartonomous.kernels.distance import METRICS, distances_reference
from hartonomous.kernels.topk import smallest_reference

Matrix = npt.NDArray[np.float32]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Matrix, Matrix, int]:
    """Rows of several scales, repeated and nearly equal ones, zeros, infinities and NaN."""
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    width = draw(st.sampled_from([1, 3, 16, 33, 256]))
    base = random.standard_normal((draw(st.integers(1, 60)), width))
    rows = base[random.integers(0, len(base), draw(st.integers(1, 200)))]
    rows = rows + random.standard_normal(rows.shape) * draw(st.sampled_from([0.0, 1e-7, 1e-4, 1.0]))
    rows *= 10.0 ** random.integers(-1, 2, (len(rows), 1)) ** draw(st.sampled_from([0, 1, 5, 30]))
    with np.errstate(over="ignore", under="ignore"):
        matrix = rows.astype(np.float32)
    for special in draw(st.lists(st.sampled_from([0.0, np.inf, -np.inf, np.nan, 1e-30]))):
        matrix[random.integers(0, len(matrix))] = special
    query = base[0].astype(np.float32) * np.float32(draw(st.sampled_from([1.0, 1e-3, 1e3])))
    return matrix, query, draw(st.integers(1, 20))


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=60, deadline=None)
@given(world=worlds(), threads=st.sampled_from([1, 2]))
def test_candidates_hold_the_nearest(
    metric: str, world: tuple[Matrix, Matrix, int], threads: int
) -> None:
    matrix, query, count = world
    cuts = [0, len(matrix) // 3, len(matrix) // 2, len(matrix)]
    pieces: list[nearest.Piece] = [
        (matrix[cuts[0] : cuts[1]], None),
        (matrix, np.arange(cuts[1], cuts[2], dtype=np.int64)),
        (matrix[cuts[2] :], None),
    ]
    found = nearest.candidates(metric, pieces, query, count, threads)
    if found is None:
        return
    rows = np.concatenate([found[0], found[1], found[2] + cuts[2]])
    with np.errstate(all="ignore"):
        exact = distances_reference(metric, matrix, query)
    ids = np.arange(len(matrix), dtype=np.int64)
    is_null = np.isnan(exact) if metric == "cosine" else None
    for nulls_first in (True, False):
        wanted = smallest_reference(exact, is_null, ids, count, nulls_first)
        finite = wanted[~np.isnan(exact[wanted])] if not nulls_first else wanted
        assert set(finite.tolist()) <= set(rows.tolist())


def test_few_rows_of_many_are_candidates() -> None:
    random = np.random.default_rng(3)
    matrix = random.standard_normal((20_000, 64)).astype(np.float32)
    for metric in METRICS:
        (found,) = nearest.candidates(metric, [(matrix, None)], matrix[7], 10) or [None]
        assert found is not None and 10 <= len(found) < 40


def test_what_cannot_be_bounded_is_left_to_the_caller() -> None:
    matrix = np.ones((5, 4), np.float32)
    assert nearest.candidates("dot", [(matrix, None)], np.zeros(4, np.float32), 2) is None
    huge = np.full(4, 1e30, np.float32)
    assert nearest.candidates("dot", [(matrix, None)], huge, 2) is None


def test_an_error_of_the_check_arrives_from_every_thread() -> None:
    def check() -> None:
        raise TimeoutError

    pieces: list[nearest.Piece] = [(np.ones((5, 4), np.float32), None)] * 4
    for threads in (1, 2):
        with pytest.raises(TimeoutError):
            nearest.candidates("dot", pieces, np.ones(4, np.float32), 2, threads, check)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("where", ["", "WHERE id % 7 = 3", "WHERE id < 5"])
def test_statements_give_the_rows_of_a_full_sort(metric: str, where: str) -> None:
    """70,000 rows: two batches, ties among them, zero vectors, deleted rows."""
    random = np.random.default_rng(5)
    matrix = random.integers(-3, 4, (70_000, 16)).astype(np.float32)
    matrix[[11, 66_000]] = 0
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), 16)
    table = pa.table({"id": pa.array(np.arange(len(matrix))), "v": vectors})
    query = matrix[20] + np.float32(0.25)
    with hql.connect(":memory:") as database:
        database.execute("CREATE TABLE t (id BIGINT, v VECTOR(16))")
        database.execute("INSERT INTO t SELECT * FROM @rows", {"rows": table})
        database.execute("DELETE FROM t WHERE id % 10 = 9")
        distance = f"VECTOR_DISTANCE('{metric}', v, @q)"
        text = f"SELECT TOP (25) id, {distance} FROM t {where} ORDER BY {distance}"
        got = database.execute(text, {"q": query}).fetchall()
        whole = f"SELECT id, {distance} FROM t {where}"
        rows = database.execute(whole, {"q": query}).fetchall()
    order = sorted(rows, key=lambda r: (r[1] is not None, r[1] or 0.0, r[0]))
    assert got == order[:25]
