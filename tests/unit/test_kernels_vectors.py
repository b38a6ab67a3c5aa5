"""Distances, norms and sums: compiled forms give the reference's bits, the reference is right."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.functions import vector_kernels
from hartonomous.kernels import distance, distance_compiled, vector

#: widths around the number of lanes, and usual ones
WIDTHS = [1, 2, 3, 15, 16, 17, 31, 32, 33, 100, 128, 384]
Matrix = npt.NDArray[np.float32]


def matrix(rows: int, width: int, seed: int = 0) -> Matrix:
    made = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    made.setflags(write=False)  # as mapped segments are
    return made


def by_hand(metric: str, a: Matrix, b: Matrix) -> npt.NDArray[np.float64]:
    """Tolerance 1e-12 relative: both are float64 sums."""
    x, y = a.astype(np.float64), np.broadcast_to(b, a.shape).astype(np.float64)
    if metric == "euclidean":
        return np.linalg.norm(x - y, axis=1)
    dots = (x * y).sum(axis=1)
    if metric == "dot":
        return -dots
    return 1 - dots / (np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1))


@pytest.mark.parametrize("metric", distance.METRICS)
@pytest.mark.parametrize("width", WIDTHS)
def test_compiled_distances_are_the_reference_to_the_bit(metric: str, width: int) -> None:
    a = matrix(50, width)
    for b in (matrix(50, width, 1), matrix(50, width, 1)[7]):
        reference = distance.distances_reference(metric, a, b)
        assert np.array_equal(distance_compiled.distances(metric, a, b), reference)
        np.testing.assert_allclose(reference, by_hand(metric, a, b), rtol=1e-12, atol=1e-12)
        one = np.concatenate([
            distance.distances(metric, a[i : i + 1], b if b.ndim == 1 else b[i : i + 1])
            for i in range(50)
        ])  # fmt: skip
        assert np.array_equal(one, reference)


@pytest.mark.parametrize("metric", distance.METRICS)
def test_blocks_do_not_show(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a, q = matrix(37, 5), matrix(1, 5, 1)[0]
    whole = distance.distances_reference(metric, a, q)
    monkeypatch.setattr(distance, "_BLOCK_ELEMENTS", 12)
    assert np.array_equal(distance.distances_reference(metric, a, q), whole)


def test_distances_at_the_edges() -> None:
    for compute in (distance.distances_reference, distance_compiled.distances):
        same = matrix(20, 33)
        assert compute("cosine", same, same).tolist() == [0.0] * 20
        assert compute("cosine", same, -same).tolist() == [2.0] * 20
        zero = np.zeros((1, 3), np.float32)
        assert np.isnan(compute("cosine", zero, zero)).all()
        huge = np.full((1, 3), 3e38, np.float32)
        assert compute("cosine", huge, huge).tolist() == [0.0]
        assert np.isfinite(compute("euclidean", huge, -huge)).all()
        tiny = np.full((1, 3), 1e-45, np.float32)
        assert compute("cosine", tiny, tiny).tolist() == [0.0]
        assert len(compute("dot", np.empty((0, 3), np.float32), zero[0])) == 0


def test_norms_and_normalised() -> None:
    a = np.array([[3, 4], [0, 0], [1e-20, 0]], np.float32)
    assert vector.norms(a).tolist() == [5.0, 0.0, pytest.approx(1e-20)]
    rows, valid = vector.normalized(a)
    assert valid.tolist() == [True, False, True]
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0], [1, 0]], rtol=1e-7)


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_group_sums(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector, "_BLOCK_ELEMENTS", block)
    a = matrix(20, 3)
    offsets = np.array([0, 0, 5, 5, 6, 20, 20], np.int64)
    sums = vector.group_sums(a, offsets)
    wanted = [a[i:j].astype(np.float64).sum(axis=0) for i, j in pairwise(offsets)]
    np.testing.assert_allclose(sums, wanted, rtol=1e-12, atol=1e-12)
    assert vector.group_sums(a[:0], np.zeros(3, np.int64)).tolist() == [[0, 0, 0]] * 2


def test_small_work_does_not_load_numba() -> None:
    code = (
        "import sys, numpy as np\n"
        "from hartonomous.kernels import distance, vector\n"
        "a = np.ones((500, 3), np.float32)\n"
        "distance.distances('cosine', a, a[0]); vector.norms(a)\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- over Arrow ----------------------------------------------------------------------------------


def vectors(rows: list[list[float] | None], width: int = 2) -> pa.Array:
    return pa.array(rows, pa.list_(pa.float32(), width))


def test_null_rows_give_null_whatever_lies_under_them() -> None:
    a, b = vectors([[1, 2], None, [3, 4], [5, 6]]), vectors([[1, 2], [1, 1], None, [5, 7]])
    metric = pa.scalar("euclidean")
    assert vector_kernels.distance(metric, a, b).to_pylist() == [0.0, None, None, 1.0]
    query = pa.scalar([1, 2], a.type)
    assert vector_kernels.distance(metric, a[1:], query).to_pylist()[0] is None
    assert vector_kernels.distance(metric, query, a[:1]).to_pylist() == [0.0]
    null = pa.scalar(None, a.type)
    assert vector_kernels.distance(metric, a, null).to_pylist() == [None] * 4
    assert vector_kernels.norm(a[1:3]).to_pylist() == [None, 5.0]
    assert vector_kernels.add(a, b).to_pylist() == [[2, 4], None, None, [10, 13]]
    assert vector_kernels.multiply(a, pa.array([2.0, 1, 1, None])).to_pylist() == [
        [2, 4], None, [3, 4], None
    ]  # fmt: skip
    assert vector_kernels.normalize(vectors([None, [0, 0], [0, 2]])).to_pylist() == [
        None, None, [0, 1]
    ]  # fmt: skip


def test_vectors_of_several_lengths_meet_only_their_like() -> None:
    ragged = pa.array([[3, 4], [2, 3, 6]], pa.list_(pa.float32()))
    assert vector_kernels.norm(ragged).to_pylist() == [5, 7]
    assert vector_kernels.dimensions(ragged).to_pylist() == [2, 3]
    assert vector_kernels.add(ragged, ragged).to_pylist() == [[6, 8], [4, 6, 12]]
    for a, b in ((vectors([[1, 2]]), pa.scalar([1.0, 2, 3])), (ragged, pa.scalar([1.0, 2]))):
        with pytest.raises(ExecutionFault, match="2 and one of 3|3 and one of 2") as caught:
            vector_kernels.distance(pa.scalar("dot"), a, b)
        assert caught.value.code == "BAD_VALUE"


def test_strings_become_vectors() -> None:
    texts = pa.array([" [1, -2.5e0] ", None, "[.5,+1]"])
    two, strict, lenient = pa.scalar(2), pa.scalar(False), pa.scalar(True)
    assert vector_kernels.to_vector(texts, two, strict).to_pylist() == [[1, -2.5], None, [0.5, 1]]
    bad = ["[1 2]", "1, 2", "[1, 2", "[]", "[1, x]", "[nan, 1]", "[[1, 2]]", "[1,,2]", ""]
    for text in bad:
        with pytest.raises(ExecutionFault) as caught:
            vector_kernels.to_vector(pa.array([text]), two, strict)
        assert caught.value.code == "BAD_CAST"
    given = pa.array([*bad, "[1, 2]", "[1, 2, 3]", "[1, 1e39]"])
    found = vector_kernels.to_vector(given, two, lenient).to_pylist()
    assert found == [None] * len(bad) + [[1, 2], None, None]


def test_aggregates_of_vectors() -> None:
    values = vectors([[1, 2], None, [3, 4], [5, 6]])
    offsets = np.array([0, 2, 2, 4], np.int64)
    assert vector_kernels.total(values, offsets).to_pylist() == [[1, 2], None, [8, 10]]
    assert vector_kernels.average(values, offsets).to_pylist() == [[1, 2], None, [4, 5]]
    assert vector_kernels.total(vectors([None]), np.array([0, 1])).to_pylist() == [None]


def test_making_vectors() -> None:
    made = vector_kernels.make(pa.array([1.0, None]), pa.scalar(2.0))
    assert made.to_pylist() == [[1, 2], None]
    with pytest.raises(ExecutionFault) as caught:
        vector_kernels.make(pa.array([1e39]), pa.scalar(2.0))
    assert caught.value.code == "OVERFLOW"
