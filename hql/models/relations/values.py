"""The wide columns of TensorAtoms: values made of rows' numbers (layout.py) when they are wanted.

Weights are float32, read from the tensors' packs and dequantised; a tensor whose rows are asked for
again and again (a join of a matrix with itself) is widened once and kept while the statement runs,
within bounded memory. WeightsGeometry are the points in the row data, with the SRID of the
projection of rows of that length; NULL for vectors.
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql.models.relations.layout import Int64, Layout, Placed
from hartonomous.hql.models.row_data import read_row_data
from hartonomous.kernels.quantize import dequantise

Matrix = npt.NDArray[np.float32]

#: bytes of tensors that one statement keeps widened
WIDENED_BYTES_MAX: Final = 256 << 20
#: elements that are widened at once
PIECE_ELEMENTS: Final = 1 << 22


class Weights:
    """float32 vectors of rows; one object for each scan that reads them. Any thread may ask."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._asked: dict[int, int] = {}  # rows, by the tensor's place
        self._widened: dict[int, Matrix] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        return self._bytes

    @property
    def longest(self) -> int:
        """The elements of the longest vector."""
        return max((t.tensor.length for t in self._layout.tensors), default=1)

    def valid(self, numbers: Int64) -> npt.NDArray[np.bool_] | None:
        return None

    def read(self, numbers: Int64) -> pa.Array:
        """Vectors of fixed length if all are of one, else lists."""
        owners = self._layout.tensors_of(numbers)
        tensors = self._layout.tensors
        if len(owners) and (owners == owners[0]).all():
            return _fixed(self._rows(int(owners[0]), numbers))
        places, inverse = np.unique(owners, return_inverse=True)
        lengths = np.array([tensors[i].tensor.length for i in places.tolist()], np.int64)
        if len(places) and (lengths == lengths[0]).all():
            matrix = np.empty((len(numbers), int(lengths[0])), np.float32)
            for k, place in enumerate(places.tolist()):
                rows = inverse == k
                matrix[rows] = self._rows(place, numbers[rows])
            return _fixed(matrix)
        offsets = np.concatenate(([0], np.cumsum(lengths[inverse])))
        flat = np.empty(int(offsets[-1]), np.float32)
        for k, place in enumerate(places.tolist()):
            rows = np.flatnonzero(inverse == k)
            where = offsets[rows][:, None] + np.arange(lengths[k])
            flat[where] = self._rows(place, numbers[rows])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(flat))

    def _rows(self, place: int, numbers: Int64) -> Matrix:
        """float32[K, length] of rows of one tensor."""
        placed = self._layout.tensors[place]
        rows = numbers - placed.start
        kept = self._widened.get(place)
        if kept is None and self._is_worth(place, len(rows)):
            kept = self._widen(place)
        if kept is not None:
            return kept[rows]
        return read_rows(placed, rows)

    def _is_worth(self, place: int, count: int) -> bool:
        """Whether the tensor was asked for so often that it should be kept."""
        with self._lock:
            asked = self._asked[place] = self._asked.get(place, 0) + count
        tensor = self._layout.tensors[place].tensor
        fits = self._bytes + 4 * tensor.parameter_count <= WIDENED_BYTES_MAX
        return fits and asked > 2 * tensor.rows

    def _widen(self, place: int) -> Matrix:
        placed = self._layout.tensors[place]
        with self._lock:
            if place not in self._widened:
                matrix = read_rows(placed, np.arange(placed.tensor.rows))
                self._widened[place] = matrix
                self._bytes += matrix.nbytes
            return self._widened[place]


class Points:
    """WeightsGeometry of rows."""

    #: of a value; a point is small
    longest = 1
    nbytes = 0

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._has = np.array([len(t.tensor.shape) >= 2 for t in layout.tensors], np.bool_)

    def valid(self, numbers: Int64) -> npt.NDArray[np.bool_] | None:
        """bool[N]: which rows have one; None if all have."""
        if self._has.all():
            return None
        has: npt.NDArray[np.bool_] = self._has[self._layout.tensors_of(numbers)]
        return has

    def values(self, numbers: Int64) -> pa.Array:
        """GEOMETRY of any rows, NULL of those that have none."""
        from hartonomous.hql.functions.geometry_kernels import with_nulls

        valid = self.valid(numbers)
        return with_nulls(self.read(numbers if valid is None else numbers[valid]), valid)

    def read(self, numbers: Int64) -> pa.Array:
        """GEOMETRY of rows that have one."""
        count = len(numbers)
        points, srids = np.empty((count, 3)), np.empty(count, np.int32)
        owners = self._layout.tensors_of(numbers)
        for place in np.unique(owners).tolist():
            placed, rows = self._layout.tensors[place], owners == place
            found = read_row_data(placed.model, placed.tensor).points
            assert found is not None, placed.tensor.name
            points[rows] = found[numbers[rows] - placed.start]
            srids[rows] = placed.model.srids[placed.tensor.length]
        return _points(points, srids)


def read_rows(placed: Placed, rows: Int64) -> Matrix:
    """float32[K, length]: rows of a tensor by their places in it."""
    tensor = placed.tensor
    pack = placed.model.pack_of(tensor)
    count = len(rows)
    first = int(rows[0]) if count else 0
    is_run = count > 0 and int(rows[-1]) - first == count - 1 and bool((np.diff(rows) == 1).all())
    step = max(1, PIECE_ELEMENTS // max(1, tensor.length))
    out = np.empty((count, tensor.length), np.float32)
    for start in range(0, count, step):
        stop = min(count, start + step)
        data = pack.rows(first + start, first + stop) if is_run else pack.gather(rows[start:stop])
        out[start:stop] = dequantise(tensor.dtype, data, tensor.length)
    return out


def _fixed(matrix: Matrix) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])


def _points(points: npt.NDArray[np.float64], srids: npt.NDArray[np.int32]) -> pa.Array:
    """float64[N, 3] and int32[N] as GEOMETRY."""
    from hartonomous.hql.functions.geometry_kernels import array_of_shapes
    from hartonomous.kernels.geometry.layout import POINT, Shapes

    count = len(points)
    shapes = Shapes(
        kind=np.full(count, POINT, np.int8),
        radius=np.zeros(count),
        srid=srids,
        ring_starts=np.zeros(count + 1, np.int64),
        rings=np.empty(0, np.int32),
        coord_starts=np.arange(count + 1, dtype=np.int64),
        coords=points,
    )
    return array_of_shapes(shapes)
