"""Vectors between Arrow and NumPy: arrays of lists as float32 matrices and back, and their NULLs.

NumPy and pyarrow are imported by the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import ExecutionFault

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Matrix = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]


def plain(value: Any) -> Any:
    """A chunked array as an array."""
    import pyarrow as pa

    return value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value


def is_scalar(value: Any) -> bool:
    """Whether it is one value, and not an array."""
    import pyarrow as pa

    return isinstance(value, pa.Scalar)


def valid_rows(array: pa.Array) -> Mask | None:
    """bool[N]: which values are not NULL; None if all are."""
    if array.null_count == 0:
        return None
    mask: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    return mask


def matrix_of(array: pa.Array) -> Matrix:
    """float32[N,D] of an array of vectors without NULLs; BAD_VALUE if lengths differ."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_fixed_size_list(array.type):
        width = array.type.list_size
    else:
        lengths = np.diff(array.offsets.to_numpy())
        width = int(lengths[0]) if len(lengths) else 0
        if (lengths != width).any():
            other = int(lengths[lengths != width][0])
            raise lengths_fault(width, other)
    flat = array.flatten()
    if flat.null_count:
        raise ExecutionFault("a vector has an element that is NULL", code="BAD_VALUE")
    matrix: Matrix = flat.to_numpy(zero_copy_only=False).reshape(len(array), width)
    return matrix


def vector_of(scalar: pa.Scalar) -> Matrix:
    """float32[D] of one vector that is not NULL."""
    import numpy as np

    values: Matrix = np.asarray(scalar.values.to_numpy(zero_copy_only=False), np.float32)
    return values


def array_of(matrix: Matrix) -> pa.Array:
    """float32[N,D] as an array of vectors, without a copy."""
    import numpy as np
    import pyarrow as pa

    flat = np.ascontiguousarray(matrix, np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), matrix.shape[1])


def with_nulls(array: pa.Array, valid: Mask | None) -> pa.Array:
    """The values of `array` put where `valid` is true, NULL elsewhere."""
    import numpy as np
    import pyarrow as pa

    if valid is None:
        return array
    places = np.full(len(valid), -1, np.int64)
    places[valid] = np.arange(len(array))
    return array.take(pa.array(places, mask=~valid))


def lengths_fault(one: int, other: int) -> ExecutionFault:
    """BAD_VALUE of vectors whose lengths differ."""
    return ExecutionFault(
        f"a vector of {one} and one of {other} dimensions do not go together", code="BAD_VALUE"
    )
