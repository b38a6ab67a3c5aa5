"""Tiny models put together from seeded numbers, without files: two layers, several types."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from hartonomous.hql.models.model import Model, ModelDraft, Tensor, add_model
from hartonomous.hql.models.row_data import RowData, read_row_data, write_row_data
from hartonomous.kernels.blocks import row_bytes
from hartonomous.storage.tensors import put_object, write_pack
from hartonomous.storage.transaction import Transaction

WIDTH = 64
#: name, layer, type, rows, unit kind
TENSORS: list[tuple[str, int | None, str, int, str]] = [
    ("embedding.token.weight", None, "Q4_1", 300, "token"),
    *(
        (f"layer{i}.{name}", i, dtype, rows, kind)
        for i in range(2)
        for name, dtype, rows, kind in (
            ("attention.query.weight", "F32", 64, "head:q"),
            ("mlp.up.weight", "Q8_0", 96, "neuron"),
            ("norm.attention.weight", "F32", 1, "vector"),
        )
    ),
    ("norm.final.weight", None, "F32", 1, "vector"),
]


def tensor_bytes(dtype: str, rows: int, length: int, seed: int) -> npt.NDArray[np.uint8]:
    """uint8[rows, row_bytes] of random bytes; floats are finite."""
    chance = np.random.default_rng(seed)
    if dtype == "F32":
        return chance.standard_normal((rows, length), np.float32).view(np.uint8)
    return chance.integers(0, 256, (rows, row_bytes(dtype, length)), np.uint8)


def tiny_draft(
    transaction: Transaction, name: str, seed: int = 0, only: int = len(TENSORS), **changes: Any
) -> ModelDraft:
    """A draft of the first `only` tensors whose objects are written. Equal seeds make equal
    models."""
    tensors = []
    for number, (tensor, layer, dtype, rows, kind) in enumerate(TENSORS[:only]):
        data = tensor_bytes(dtype, rows, WIDTH, 100 * seed + number)
        pack = write_pack(transaction, dtype, rows, WIDTH, [data[: rows // 2], data[rows // 2 :]])
        hashes = [hashlib.sha256(row.tobytes()).digest() for row in data]
        own = RowData(
            np.arange(rows, dtype=np.float64),
            np.frombuffer(b"".join(hashes), np.uint8).reshape(rows, 32),
            None if rows == 1 else np.zeros((rows, 3)),
        )
        shape = (WIDTH,) if rows == 1 else (rows, WIDTH)
        row_data = write_row_data(transaction, own)
        tensors.append(
            Tensor(tensor, f"file.{tensor}", layer, dtype, rows, WIDTH, shape, pack, row_data, kind)
        )
    everything = sum(t.rows for t in tensors)
    given: dict[str, Any] = {
        "name": name,
        "architecture": "llama",
        "config": {"hidden_size": WIDTH, "architectures": ["LlamaForCausalLM"]},
        "tensors": tuple(tensors),
        "tokenizer": put_object(transaction, b"a tokenizer"),
        "importance": put_object(transaction, np.ones(everything, np.float32).tobytes()),
        "is_runnable": True,
        "source": {"format": "safetensors", "metadata": {"b": 1, "a": b"\0"}},
        "projections": {WIDTH: put_object(transaction, bytes(3 * 4 * WIDTH))},
        "attachments": {"README.md": put_object(transaction, b"read me")},
        **changes,
    }
    return ModelDraft(**given)


def add_tiny(transaction: Transaction, name: str, seed: int = 0, **changes: Any) -> Model:
    """A tiny model, added."""
    return add_model(transaction, tiny_draft(transaction, name, seed, **changes))


def intact(model: Model, seed: int = 0, only: int = len(TENSORS)) -> None:
    """Whether it is the model that add_tiny makes of the seed, to the last byte."""
    assert [t.name for t in model.tensors] == [t[0] for t in TENSORS[:only]]
    for number, (name, layer, dtype, rows, kind) in enumerate(TENSORS[:only]):
        tensor = model.tensor(name)
        assert tensor is not None
        found = (tensor.layer, tensor.dtype, tensor.rows, tensor.unit_kind)
        assert found == (layer, dtype, rows, kind)
        expected = tensor_bytes(dtype, rows, WIDTH, 100 * seed + number)
        assert np.array_equal(model.pack(name).data, expected)
        own = read_row_data(model, tensor)
        assert own.norms.tolist() == list(range(rows)) and own.hashes.shape == (rows, 32)
        assert (own.points is None) == (rows == 1)
