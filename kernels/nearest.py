"""Which rows can be among the k nearest to a vector: one pass in float32, with bounds on its error.

    pieces: float32[N,D] each, query: float32[D] -> int64[C] row numbers for each piece

The distances that count are those of distance.py (float64, the same bits on every path). Computing
them for every row takes twice as long as reading the rows; so this pass computes each in float32
with a lower and an upper bound on the true one, keeps the k-th smallest upper bound, and gives the
rows whose lower bound does not exceed it. The caller computes these few exactly. A row whose bounds
say nothing (zero, huge or tiny vectors, infinities, NaN) is always given.

The bound: a float32 sum of n products in any order differs from the true one by at most
n u / (1 - n u) times the sum of their magnitudes, u = 2^-24 (Higham, Accuracy and Stability of
Numerical Algorithms, 2nd edition, section 3.1), and that sum is at most the product of the norms.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

#: rows of one piece: about a millisecond's work between two looks at the cancel flag
PIECE_ROWS = 8_192
#: the largest k for which the pass pays
COUNT_MAX = 1024
#: squared norms between which float32 neither overflows nor loses digits
NORM_MIN, NORM_MAX = 1e-20, 1e20

#: a matrix, and the rows of it that count (None: all)
Piece = tuple[Matrix, Rows | None]


def candidates(
    metric: str,
    pieces: Sequence[Piece],
    query: Matrix,
    count: int,
    threads: int = 1,
    check: Callable[[], None] | None = None,
) -> list[Rows] | None:
    """For each piece the rows that may be among the `count` nearest of all pieces, ascending.

    None if the query's norm lies outside what the bounds can carry. `check` is called before each
    piece, in the thread that works on it, and may raise.
    """
    assert 0 < count <= COUNT_MAX, count
    wide = query.astype(np.float64)
    square = float(wide @ wide)
    if not NORM_MIN < square < NORM_MAX:
        return None
    workers = max(1, min(threads, len(pieces)))
    cuts = [len(pieces) * i // workers for i in range(workers + 1)]
    parts = [pieces[cuts[i] : cuts[i + 1]] for i in range(workers)]

    def run(part: Sequence[Piece]) -> tuple[list[tuple[Rows, Numbers]], float]:
        return _pass(metric, part, query, square, count, check)

    waiting = [_pool().submit(run, part) for part in parts[1:]]
    done = [run(parts[0]), *(w.result() for w in waiting)]
    bound = min(limit for _, limit in done)
    return [rows[low <= bound] for found, _ in done for rows, low in found]


def _pass(
    metric: str,
    pieces: Sequence[Piece],
    query: Matrix,
    square: float,
    count: int,
    check: Callable[[], None] | None,
) -> tuple[list[tuple[Rows, Numbers]], float]:
    """One thread's share: (rows, lower bounds) for each piece, and the bound that it ended with."""
    from hartonomous.kernels.nearest_compiled import METRICS, scan

    best = np.full(count, np.inf)  # a max-heap of upper bounds
    found = []
    for matrix, rows in pieces:
        if check is not None:
            check()
        size = len(matrix) if rows is None else len(rows)
        chosen, low = np.empty(size, np.int64), np.empty(size, np.float64)
        wanted = _NO_ROWS if rows is None else rows
        n = scan(METRICS[metric], matrix, wanted, rows is None, query, square, best, chosen, low)
        found.append((chosen[:n].copy(), low[:n].copy()))
    return found, float(best[0])


_NO_ROWS: Rows = np.empty(0, np.int64)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)) - 1), "hartonomous-nearest")
