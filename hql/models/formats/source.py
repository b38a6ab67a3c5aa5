"""A model as its files have it: tensors under the files' names, configuration, tokenizer.

Tensors are read by pread and never mapped: a file that another program cuts short would end this
process when a mapped page is touched (SIGBUS), while a read that comes out short is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from hartonomous.hql.frozen import frozen
from hartonomous.kernels.blocks import row_bytes

Bytes: TypeAlias = npt.NDArray[np.uint8]

#: bytes that `pieces` asks for at a time
PIECE_BYTES = 4 << 20


class ReadBytes(Protocol):
    """Bytes [start, stop) of a tensor's data, to its end by default: uint8[stop - start]."""

    def __call__(self, start: int = 0, stop: int | None = None, /) -> Bytes: ...


@frozen
class SourceTensor:
    """A tensor of a file. `shape` has the output first, as PyTorch has it, whatever the file does;
    data is in C order of that shape, little-endian, quantised types in blocks along the last
    dimension. `read()` raises MODEL_FORMAT if the file is no longer what it was when opened."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    read: ReadBytes

    @property
    def bytes(self) -> int:
        return data_bytes(self.dtype, self.shape)

    def pieces(self, bytes_max: int = PIECE_BYTES) -> Iterator[Bytes]:
        """The data in order, whole rows at a time unless a row is longer than `bytes_max`."""
        total = self.bytes
        row = row_bytes(self.dtype, self.shape[-1]) if self.shape else total
        step = max(bytes_max // row * row, row) if 0 < row <= bytes_max else bytes_max
        for start in range(0, total, step):
            yield self.read(start, min(start + step, total))


def held(name: str, dtype: str, shape: tuple[int, ...], make: Callable[[], Any]) -> SourceTensor:
    """A tensor whose data `make` gives whole (any buffer), at each read: for writing."""

    def read(start: int = 0, stop: int | None = None, /) -> Bytes:
        data = np.frombuffer(memoryview(make()).cast("B"), np.uint8)
        return data[start:stop]

    return SourceTensor(name, dtype, shape, read)


def data_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor's data. ValueError if rows are no multiple of the type's block."""
    length = shape[-1] if shape else 1
    return math.prod(shape[:-1]) * row_bytes(dtype, length)


@frozen
class SourceModel:
    """An open model; its files stay open until `close`.

    `config`: config.json's object, or a GGUF's metadata as plain values without `tokenizer.*`.
    `tokenizer`: {"kind": "json", "files": {name: bytes}}, or {"kind": "gguf", "metadata": {key:
    value}}, or {}. `metadata` is what `write_safetensors` or `write_gguf` need to write the same
    files again: plain values that msgpack can store. For safetensors `metadata["files"]` has what
    else lay in the folder (config.json, modules.json, 1_Pooling/config.json, LICENSE …) as bytes.
    """

    format: str
    architecture_hint: str
    config: dict[str, Any]
    tensors: tuple[SourceTensor, ...]
    tokenizer: dict[str, Any]
    metadata: dict[str, Any]
    close: Callable[[], None]

    def __enter__(self) -> SourceModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
