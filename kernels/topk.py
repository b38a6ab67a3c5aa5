"""The k smallest of a stream of keys, ties by row id.

    keys: float64[N], is_null: bool[N] or None, row_ids: int64[N] -> int64[min(k, N)] places, sorted

Order: numbers ascending (-0 equals 0), then NaN; NULLs before or after all; then by row id. Per
batch one comparison with the k-th best so far leaves a few candidates, which are sorted with those
kept: 9 bytes read per key, O(k) kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_NUMBER, _NAN = 1, 2


def smallest_reference(
    keys: Keys, is_null: Mask | None, row_ids: Ids, count: int, nulls_first: bool
) -> Ids:
    """The definition: sort everything."""
    kinds, values = _ranked(keys, is_null, nulls_first)
    return np.lexsort((row_ids, values, kinds))[:count]


def _ranked(
    keys: Keys, is_null: Mask | None, nulls_first: bool
) -> tuple[npt.NDArray[np.int8], Keys]:
    """int8[N] kind of each key in sort order, and float64[N] with 0 for what is no number."""
    nan = np.isnan(keys)
    kinds = np.where(nan, np.int8(_NAN), np.int8(_NUMBER))
    values = np.where(nan, 0.0, keys)
    if is_null is not None:
        kinds[is_null] = 0 if nulls_first else 3
        values[is_null] = 0.0
    return kinds, values


class Smallest:
    """The `count` smallest keys of all batches added so far."""

    def __init__(self, count: int, nulls_first: bool = True) -> None:
        assert count >= 0, count
        self.capacity, self._nulls_first = count, nulls_first
        self._kinds = np.empty(0, np.int8)
        self.keys = np.empty(0, np.float64)
        self._row_ids = np.empty(0, np.int64)
        self.places = np.empty(0, np.int64)

    @property
    def is_null(self) -> Mask:
        """bool[K]: which of `keys` stand for NULL."""
        return np.asarray((self._kinds == 0) | (self._kinds == 3), np.bool_)

    @property
    def is_nan(self) -> Mask:
        return np.asarray(self._kinds == _NAN, np.bool_)

    def add(self, keys: Keys, is_null: Mask | None, row_ids: Ids, places: Ids) -> None:
        """One batch. `places` are what the caller wants to know of the best in the end."""
        kinds, values = _ranked(keys, is_null, self._nulls_first)
        if self.capacity and len(self.keys) == self.capacity:
            kind, value = self._kinds[-1], self.keys[-1]
            near = (kinds < kind) | ((kinds == kind) & (values <= value))
            if not near.any():
                return
            kinds, values, row_ids, places = kinds[near], values[near], row_ids[near], places[near]
        elif len(keys) > 4 * self.capacity:
            near = _near(kinds, values, self.capacity)
            kinds, values, row_ids, places = kinds[near], values[near], row_ids[near], places[near]
        kinds = np.concatenate((self._kinds, kinds))
        values = np.concatenate((self.keys, values))
        row_ids = np.concatenate((self._row_ids, row_ids))
        order = np.lexsort((row_ids, values, kinds))[: self.capacity]
        self._kinds, self.keys, self._row_ids = kinds[order], values[order], row_ids[order]
        self.places = np.concatenate((self.places, places))[order]


def _near(kinds: npt.NDArray[np.int8], values: Keys, count: int) -> Mask:
    """bool[N]: a superset of the `count` smallest, by one partial sort of the numbers."""
    if count == 0:
        return np.zeros(len(kinds), np.bool_)
    numbers = np.where(kinds < _NUMBER, -np.inf, np.where(kinds > _NUMBER, np.inf, values))
    bound = np.partition(numbers, count - 1)[count - 1]
    return np.asarray(numbers <= bound, np.bool_)
