"""Tables of rotary angles that grow as positions are met. Safe across threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hartonomous.hql.errors import NotSupported
from hartonomous.kernels import rope

Floats = npt.NDArray[np.float32]


class Rotary:
    """Cosines and sines of one base, float32[positions, D/2] each."""

    def __init__(self, size: int, base: float, scaling: Mapping[str, Any] | None = None) -> None:
        try:
            self._frequencies = rope.frequencies(size, base, scaling)
        except ValueError as error:
            raise NotSupported(f"not supported yet: positions scaled by {error}") from None
        self._tables = rope.angles(self._frequencies, 0, 0)

    def between(self, first: int, last: int) -> tuple[Floats, Floats]:
        """(cos, sin) of positions first … last - 1."""
        tables = self._tables
        if len(tables[0]) < last:  # replaced as a whole, so another thread sees old or new
            tables = rope.angles(self._frequencies, 0, max(last, 2 * len(tables[0])))
            self._tables = tables
        return tables[0][first:last], tables[1][first:last]


class Unturned:
    """For models without rotary positions."""

    _nothing = np.empty((0, 0), np.float32)

    def between(self, first: int, last: int) -> tuple[Floats, Floats]:
        """No angles at all."""
        return self._nothing, self._nothing
