"""What a sequence has behind it: keys and values of its tokens, in every layer.

    keys: float32[L,K,D,S], values: float32[L,K,S,D]      layers, key heads, head size, places

Keys lie as attention reads them (kernels/attention.py). Places are doubled as they are needed, up
to the model's context.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from hartonomous.hql.errors import ExecutionFault
from hartonomous.kernels.attention import roomy

Floats = npt.NDArray[np.float32]

#: places that a new state has
FIRST_PLACES: Final = 64


class State:
    """The keys and values of one sequence of `length` tokens. For one thread at a time."""

    def __init__(self, layers: int, heads: int, size: int, context: int) -> None:
        self.length = 0
        self.context = context
        self._shape = (layers, heads, size)
        nothing = np.empty((layers, heads, size, 0), np.float32)
        self.keys, self.values = nothing, nothing.reshape(layers, heads, 0, size)

    @property
    def bytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes

    def reserve(self, tokens: int) -> None:
        """Room for so many more. ExecutionFault MODEL_INPUT if they do not fit the context."""
        needed = self.length + tokens
        if needed > self.context:
            raise too_long(needed, self.context)
        places = self.keys.shape[3]
        if needed <= places:
            return
        places = min(max(needed, 2 * places, FIRST_PLACES), self.context)
        self._move(places)

    def copy(self) -> State:
        """Another sequence with the same beginning."""
        layers, heads, size = self._shape
        other = State(layers, heads, size, self.context)
        other.keys, other.values, other.length = self.keys, self.values, self.length
        other._move(self.keys.shape[3])
        return other

    def _move(self, places: int) -> None:
        """To arrays of so many places."""
        keys, values = self._empty(places)
        keys[..., : self.length] = self.keys[..., : self.length]
        values[:, :, : self.length] = self.values[:, :, : self.length]
        self.keys, self.values = keys, values

    def _empty(self, places: int) -> tuple[Floats, Floats]:
        layers, heads, size = self._shape
        places = roomy(places)
        keys = np.empty((layers, heads, size, places), np.float32)
        return keys, np.empty((layers, heads, places, size), np.float32)


def too_long(tokens: int, context: int) -> ExecutionFault:
    """MODEL_INPUT: so many tokens for a context of so many."""
    return ExecutionFault(
        f"{tokens:,} tokens do not fit the model's context of {context:,}",
        code="MODEL_INPUT",
        hint="shorten the text, or cut it into several",
    )
