"""What is computed of every row when a model is stored: norm, content hash, point, column sums.

Rows are read from the packs, widened a tile at a time. Points come from one projection for each
row length: the principal directions of a sample of the model's rows of that length
(kernels/projection.py), evenly spaced among them, so equal tensors give equal points.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.importance import Squares
from hartonomous.hql.models.row_data import RowData
from hartonomous.kernels.distance import distances
from hartonomous.kernels.projection import principal_directions, project
from hartonomous.kernels.quantize import dequantise
from hartonomous.kernels.row_hash import hash_rows

if TYPE_CHECKING:
    from hartonomous.hql.models.model import Tensor
    from hartonomous.storage.tensors import TensorPack

Matrix = npt.NDArray[np.float32]
Packs = Sequence[tuple["Tensor", "TensorPack"]]

#: rows among which principal directions are sought: their singular vectors take 0.1 s
SAMPLE_ROWS: Final = 256
#: elements widened at once: 4 MiB, within a core's cache
TILE_ELEMENTS: Final = 1 << 20
THREADS_MAX: Final = 8


@frozen
class Measured:
    """One tensor's rows."""

    data: RowData
    squares: Squares


def projections(packs: Packs, check: Callable[[], None]) -> dict[int, Matrix]:
    """Row length -> float32[3, length], for the lengths of tensors of rank 2 and more."""
    by_length: dict[int, list[tuple[Tensor, TensorPack]]] = defaultdict(list)
    for tensor, pack in packs:
        if has_points(tensor):
            by_length[tensor.length].append((tensor, pack))
    out = {}
    for length, some in sorted(by_length.items()):
        check()
        out[length] = principal_directions(_sample(some, length))
    return out


def has_points(tensor: Tensor) -> bool:
    """Whether its rows have points: matrices' do, vectors have none."""
    return len(tensor.shape) >= 2 and tensor.rows > 0 and tensor.length > 0


def _sample(packs: Packs, length: int) -> Matrix:
    """float32[K, length]: rows evenly spaced among all, without those that are not finite."""
    ends = np.cumsum([tensor.rows for tensor, _ in packs])
    count = min(SAMPLE_ROWS, int(ends[-1]))
    chosen = np.arange(count) * int(ends[-1]) // count
    rows = []
    for end, (tensor, pack) in zip(ends, packs, strict=True):
        mine = chosen[(chosen < end) & (chosen >= end - tensor.rows)] - (end - tensor.rows)
        if len(mine):
            rows.append(dequantise(tensor.dtype, pack.gather(mine), length))
    found = np.concatenate(rows)
    finite = found[np.isfinite(found).all(axis=1)]
    return finite if len(finite) else np.zeros((1, length), np.float32)


def measure_all(
    packs: Packs,
    matrices: dict[int, Matrix],
    consumed: set[str],
    check: Callable[[], None],
) -> Iterator[Measured]:
    """Each tensor's rows, in the tensors' order, computed by as many threads as there are cores.
    `consumed`: the tensors whose columns are summed."""
    workers = min(THREADS_MAX, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="measure") as pool:

        def start(tensor: Tensor, pack: TensorPack) -> Callable[[], Measured]:
            matrix = matrices.get(tensor.length) if has_points(tensor) else None
            wants_columns = tensor.name in consumed
            return pool.submit(measure, tensor, pack, matrix, wants_columns, check).result

        waiting: list[Callable[[], Measured]] = []
        try:
            for tensor, pack in packs:
                waiting.append(start(tensor, pack))
                if len(waiting) > 2 * workers:
                    yield waiting.pop(0)()
            while waiting:
                yield waiting.pop(0)()
        finally:
            pool.shutdown(cancel_futures=True)


def measure(
    tensor: Tensor,
    pack: TensorPack,
    matrix: Matrix | None,
    wants_columns: bool,
    check: Callable[[], None],
) -> Measured:
    """One tensor's rows, tile by tile."""
    rows, length = tensor.rows, tensor.length
    squares = np.zeros(rows)
    hashes = np.empty((rows, 32), np.uint8)
    points = np.zeros((rows, 3)) if len(tensor.shape) >= 2 else None
    columns = np.zeros(length) if wants_columns else None
    step = max(1, TILE_ELEMENTS // max(1, length))
    for start in range(0, rows, step):
        check()
        stop = min(start + step, rows)
        data = pack.rows(start, stop)
        hashes[start:stop] = hash_rows(tensor.dtype, length, data)
        if not length:
            continue
        tile = dequantise(tensor.dtype, data, length)
        squares[start:stop] = -distances("dot", tile, tile)
        if points is not None and matrix is not None:
            points[start:stop] = project(matrix, tile)
        if columns is not None:
            with np.errstate(all="ignore"):
                columns += np.einsum("ij,ij->j", tile, tile, dtype=np.float64)
    with np.errstate(all="ignore"):
        norms = np.sqrt(squares)
    return Measured(RowData(norms, hashes, points), Squares(squares, columns))
