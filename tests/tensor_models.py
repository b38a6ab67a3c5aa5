"""Models made of NumPy arrays, put into a database without a file; and their numbers again.

made = add(database, "m", [matrix("layer0.mlp.up.weight", numbers, layer=0, kind="neuron")])
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.model import Model, ModelDraft, Tensor, add_model
from hartonomous.hql.models.row_data import RowData, write_row_data
from hartonomous.kernels.blocks import row_bytes
from hartonomous.kernels.quantize import dequantise, quantise
from hartonomous.storage.database import Database
from hartonomous.storage.tensors import PackRef, put_object, write_pack
from hartonomous.storage.transaction import Transaction


@frozen
class Given:
    """A tensor: uint8[rows, row bytes] of `dtype`."""

    name: str
    dtype: str
    data: npt.NDArray[np.uint8]
    length: int
    layer: int | None
    kind: str
    rank: int

    @property
    def numbers(self) -> npt.NDArray[np.float32]:
        return dequantise(self.dtype, self.data, self.length)


def matrix(
    name: str,
    numbers: npt.ArrayLike,
    dtype: str = "F32",
    layer: int | None = None,
    kind: str = "residual",
) -> Given:
    """A matrix of numbers, rounded to what `dtype` holds."""
    rows = np.atleast_2d(np.asarray(numbers, np.float32))
    return Given(name, dtype, quantise(dtype, rows), rows.shape[1], layer, kind, 2)


def vector(name: str, numbers: npt.ArrayLike, layer: int | None = None) -> Given:
    return replace(matrix(name, numbers, layer=layer, kind="vector"), rank=1)


def blocks(
    name: str, dtype: str, rows: int, length: int, random: np.random.Generator, layer: int = 0
) -> Given:
    """Random blocks of any dtype whose numbers are finite."""
    while True:
        data = random.integers(0, 256, (rows, row_bytes(dtype, length)), np.uint8)
        given = Given(name, dtype, data, length, layer, "residual", 2)
        if np.isfinite(given.numbers).all():
            return given


def add(database: Database, name: str, given: Sequence[Given], **more: Any) -> Model:
    """Commits a model of these tensors."""
    transaction = database.begin()
    made = put(transaction, name, given, **more)
    transaction.commit(statement=f"-- {name}", author="test")
    return made


def put(
    transaction: Transaction,
    name: str,
    given: Sequence[Given],
    importance: npt.ArrayLike | None = None,
    config: dict[str, Any] | None = None,
) -> Model:
    """As add, without the commit."""
    tensors = tuple(_tensor(transaction, g) for g in given)
    rows = sum(t.rows for t in tensors)
    scores = np.ones(rows, "<f4") if importance is None else np.asarray(importance, "<f4")
    assert scores.shape == (rows,), (scores.shape, rows)
    projections = {
        g.length: put_object(transaction, _projection(g.length).tobytes())
        for g in given
        if g.rank >= 2
    }
    draft = ModelDraft(
        name=name,
        architecture="none",
        config=config or {},
        tensors=tensors,
        importance=put_object(transaction, scores.tobytes()),
        is_runnable=False,
        projections=projections,
    )
    return add_model(transaction, draft)


def _tensor(transaction: Transaction, given: Given) -> Tensor:
    rows = len(given.data)
    pack: PackRef = write_pack(transaction, given.dtype, rows, given.length, [given.data.tobytes()])
    numbers = given.numbers.astype(np.float64)
    head = f"{given.dtype}:{given.length}:".encode()
    digests = [hashlib.sha256(head + row.tobytes()).digest() for row in given.data]
    points = numbers @ _projection(given.length).T if given.rank >= 2 else None
    data = RowData(
        np.sqrt((numbers**2).sum(axis=1)),
        np.frombuffer(b"".join(digests), np.uint8).reshape(rows, 32),
        points,
    )
    return Tensor(
        name=given.name,
        source_name=f"file.{given.name}",
        layer=given.layer,
        dtype=given.dtype,
        rows=rows,
        length=given.length,
        shape=(rows, given.length) if given.rank >= 2 else (given.length,),
        pack=pack,
        row_data=write_row_data(transaction, data),
        unit_kind=given.kind,
    )


def _projection(length: int) -> npt.NDArray[np.float32]:
    """float32[3, length]: the first three elements."""
    return np.eye(3, length, dtype=np.float32)
