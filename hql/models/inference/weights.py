"""What a network is made of: matrices that multiply, vectors, both by canonical name.

A matrix of the model is float32[rows, length] (rows = outputs), in whatever form it lies. Two
products: `multiply` for a few rows of new tokens, at the speed of the stored bytes; `multiply_rows`
for many rows, in float32 by BLAS. In both a row's result is the same whoever stands beside it only
if the caller hands over the same rows: see network.py on chunks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

#: a vector that is not there
NOTHING: Floats = np.empty(0, np.float32)


class Matrix(Protocol):
    """A matrix that can be multiplied with. Safe across threads."""

    @property
    def rows(self) -> int: ...

    @property
    def length(self) -> int: ...

    @property
    def bytes(self) -> int:
        """Memory of our own; what is mapped does not count."""

    def multiply(self, x: Floats) -> Floats:
        """float32[B, length] -> float32[B, rows]; each row as if it were alone."""

    def multiply_rows(self, x: Floats) -> Floats:
        """float32[B, length] -> float32[B, rows], in float32."""

    def gather(self, numbers: Numbers) -> Floats:
        """float32[K, rows' length] of K row numbers, all of them inside."""


class Dense:
    """A matrix that lies there as float32, maybe mapped."""

    def __init__(self, array: Floats, owned: bool = True) -> None:
        assert array.ndim == 2 and array.dtype == np.float32, (array.shape, array.dtype)
        self.array = array
        self.bytes = array.nbytes if owned else 0

    @property
    def rows(self) -> int:
        return int(self.array.shape[0])

    @property
    def length(self) -> int:
        return int(self.array.shape[1])

    def multiply(self, x: Floats) -> Floats:
        out = np.empty((len(x), len(self.array)), np.float32)
        for n in range(len(x)):
            np.matmul(self.array, x[n], out=out[n])
        return out

    def multiply_rows(self, x: Floats) -> Floats:
        out: Floats = np.matmul(x, self.array.T)
        return out

    def gather(self, numbers: Numbers) -> Floats:
        return self.array[numbers]


class Stack:
    """Matrices of one length under each other, multiplied one by one."""

    def __init__(self, parts: Sequence[Matrix]) -> None:
        self._parts = tuple(parts)
        self.length = parts[0].length
        assert all(part.length == self.length for part in parts), [part.length for part in parts]
        self._ends = np.cumsum([part.rows for part in parts]).tolist()
        self.rows = int(self._ends[-1])
        self.bytes = sum(part.bytes for part in parts)

    def multiply(self, x: Floats) -> Floats:
        return np.concatenate([part.multiply(x) for part in self._parts], axis=1)

    def multiply_rows(self, x: Floats) -> Floats:
        return np.concatenate([part.multiply_rows(x) for part in self._parts], axis=1)

    def gather(self, numbers: Numbers) -> Floats:
        out = np.empty((len(numbers), self.length), np.float32)
        first = 0
        for part, end in zip(self._parts, self._ends, strict=True):
            here = (numbers >= first) & (numbers < end)
            out[here] = part.gather(numbers[here] - first)
            first = end
        return out


class Weights(Protocol):
    """A model's tensors by canonical name."""

    def has(self, name: str) -> bool: ...

    def rows(self, name: str) -> int:
        """Rows of the matrix of that name."""

    def matrix(self, *names: str) -> Matrix:
        """The matrix of that name; of several names, all under each other."""

    def vector(self, name: str) -> Floats:
        """float32[C], a copy that may be written; no elements if there is none of that name."""


class ArrayWeights:
    """Weights out of a dict of float32 arrays."""

    def __init__(self, arrays: Mapping[str, Floats]) -> None:
        self._arrays = arrays

    def has(self, name: str) -> bool:
        return name in self._arrays

    def rows(self, name: str) -> int:
        return len(self._arrays[name])

    def matrix(self, *names: str) -> Matrix:
        parts = [Dense(np.ascontiguousarray(self._arrays[name], np.float32)) for name in names]
        return parts[0] if len(parts) == 1 else Stack(parts)

    def vector(self, name: str) -> Floats:
        found = self._arrays.get(name)
        return NOTHING if found is None else np.array(found, np.float32).reshape(-1)
