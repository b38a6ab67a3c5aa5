"""The rows and coefficients of a real model against NumPy over what the package gguf reads."""

from __future__ import annotations

from collections.abc import Iterator

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize
from model_files import SMOLLM, model_file

from hartonomous import hql

pytestmark = pytest.mark.slow

JOIN = "TensorAtoms t JOIN TensorAtomCoefficients c ON c.TensorAtomId = t.TensorAtomId"


@pytest.fixture(scope="module")
def database() -> Iterator[hql.Connection]:
    with hql.connect(":memory:") as database:
        database.execute(f"CREATE MODEL smollm FROM '{model_file(*SMOLLM)}'")
        yield database


def test_figures_of_all_coefficients(database: hql.Connection) -> None:
    found = {
        row[0]: row[1:]
        for row in database.execute(
            "SELECT t.SourceName, COUNT(*), SUM(c.Coefficient), AVG(c.Magnitude), "
            f"MIN(c.Coefficient), MAX(c.Magnitude), MAX(c.Position) FROM {JOIN} "
            "WHERE c.Magnitude < 0.25 AND c.Position >= 32 GROUP BY t.SourceName"
        ).fetchall()
    }
    below = np.nextafter(np.float32(0.25), np.float32(0))
    for tensor in gguf.GGUFReader(model_file(*SMOLLM)).tensors:
        tile = np.atleast_2d(dequantize(tensor.data, tensor.tensor_type))[:, 32:]
        kept = np.abs(tile) <= below
        values = tile[kept].astype(np.float64)
        if not len(values):
            assert tensor.name not in found
            continue
        places = np.nonzero(kept)[1] + 32
        sizes = np.abs(values)
        expected = (len(values), values.sum(), sizes.mean(), values.min(), sizes.max())
        assert found.pop(tensor.name) == pytest.approx((*expected, places.max()), rel=1e-9)
    assert not found


def test_rows_of_a_semi_join(database: hql.Connection) -> None:
    found = database.execute(
        "SELECT SourceName, COUNT(*) FROM TensorAtoms WHERE TensorAtomId IN "
        f"(SELECT t.TensorAtomId FROM {JOIN} WHERE c.Magnitude > 1) GROUP BY SourceName"
    ).fetchall()
    expected = {}
    for tensor in gguf.GGUFReader(model_file(*SMOLLM)).tensors:
        rows = np.atleast_2d(dequantize(tensor.data, tensor.tensor_type))
        count = int((np.abs(rows) > 1).any(axis=1).sum())
        if count:
            expected[tensor.name] = count
    assert dict(found) == expected


def test_norms_and_near_duplicates(database: hql.Connection) -> None:
    off = "SELECT COUNT(*), MAX(ABS(VECTOR_NORM(Weights) - Norm)) FROM TensorAtoms"
    count, difference = database.execute(off).fetchone()
    assert count == 204_733 and difference < 1e-9
    (matrix,) = (
        dequantize(t.data, t.tensor_type)
        for t in gguf.GGUFReader(model_file(*SMOLLM)).tensors
        if t.name == "blk.3.ffn_gate.weight"
    )
    unit = matrix.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    distances[np.tril_indices(len(unit))] = np.inf
    near = np.argsort(distances, axis=None)[:3]
    expected = [tuple(int(i) for i in np.unravel_index(n, distances.shape)) for n in near]
    found = database.execute(
        "SELECT TOP 3 a.RowIdx, b.RowIdx FROM TensorAtoms a JOIN TensorAtoms b "
        "ON b.TensorName = a.TensorName AND a.RowIdx < b.RowIdx "
        "WHERE a.TensorName = 'layer3.mlp.gate.weight' "
        "ORDER BY VECTOR_DISTANCE('cosine', a.Weights, b.Weights)"
    ).fetchall()
    assert found == expected
