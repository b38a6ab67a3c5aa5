"""What is kept of every row of a tensor: its norm, its content hash and its point, in one object.

    norms    float64[rows]       Euclidean norm of the row
    hashes   uint8[rows, 32]     SHA-256 of (dtype, length, stored bytes)
    points   float64[rows, 3]    the row's projection; only for tensors of rank 2 and more

One after the other, little-endian, nothing between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hartonomous.hql.frozen import frozen
from hartonomous.storage.errors import Corruption
from hartonomous.storage.tensors import put_object, read_object

if TYPE_CHECKING:
    from hartonomous.hql.models.model import Model, Tensor
    from hartonomous.storage.transaction import Transaction

HASH_BYTES = 32


@frozen
class RowData:
    """Arrays over the mapped object, read-only. `points` is None for vectors."""

    norms: npt.NDArray[np.float64]
    hashes: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float64] | None


def write_row_data(transaction: Transaction, data: RowData) -> str:
    """Store row data; the object's name."""
    rows = len(data.norms)
    assert data.hashes.shape == (rows, HASH_BYTES), data.hashes.shape
    parts = [data.norms.astype("<f8").tobytes(), data.hashes.tobytes()]
    if data.points is not None:
        assert data.points.shape == (rows, 3), data.points.shape
        parts.append(data.points.astype("<f8").tobytes())
    return put_object(transaction, b"".join(parts))


def read_row_data(model: Model, tensor: Tensor) -> RowData:
    """Raises Corruption, naming the tensor."""
    label = f'row data of tensor "{tensor.name}" of model "{model.name}"'
    data = read_object(model.database, tensor.row_data, label)
    rows = tensor.rows
    has_points = data.size == rows * (8 + HASH_BYTES + 24)
    if not has_points and data.size != rows * (8 + HASH_BYTES):
        raise Corruption(f"object {tensor.row_data}, {label}, has {data.size} bytes")
    norms = np.frombuffer(data, "<f8", rows)
    hashes = np.frombuffer(data, np.uint8, rows * HASH_BYTES, rows * 8)
    points = np.frombuffer(data, "<f8", rows * 3, rows * (8 + HASH_BYTES)) if has_points else None
    return RowData(
        norms,
        hashes.reshape(rows, HASH_BYTES),
        None if points is None else points.reshape(rows, 3),
    )
