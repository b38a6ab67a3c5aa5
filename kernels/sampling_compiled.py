"""The compiled form of sampling.py's log_sum_exp_reference: exponentials in float32, their sum in
float64, within 1e-6. Importing it imports numba."""

from __future__ import annotations

import numba
import numpy as np

from hartonomous.kernels.elementary_compiled import exp32
from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.sampling import Floats, Wide

_FAST = {"reassoc", "contract"}


@numba.njit(fastmath=_FAST, **OPTIONS)
def _log_sum_exp(logits):  # type: ignore[no-untyped-def]
    out = np.empty(len(logits), np.float64)
    for n in range(len(logits)):
        row = logits[n]
        largest = row[0]
        for i in range(len(row)):
            largest = max(largest, row[i])
        total = np.float64(0)
        for i in range(len(row)):
            total += np.float64(exp32(row[i] - largest))
        out[n] = np.float64(largest) + np.log(total)
    return out


def log_sum_exp(logits: Floats) -> Wide:
    """As sampling.log_sum_exp_reference."""
    out: Wide = _log_sum_exp(logits)
    return out
