"""The vector functions over Arrow arrays: what vectors.py names, computed.

Every kernel takes arrays and scalars and gives an array; NULL in, NULL out. NumPy and pyarrow are
imported by the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.functions.vector_arrays import (
    array_of,
    is_scalar,
    lengths_fault,
    matrix_of,
    plain,
    valid_rows,
    vector_of,
    with_nulls,
)
from hartonomous.hql.functions.vector_lengths import by_length, groups_by_length

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from hartonomous.hql.functions.vector_arrays import Mask, Matrix

_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
#: a string that is a vector
VECTOR_PATTERN = rf"^\s*\[{_NUMBER}(,{_NUMBER})*\]\s*$"


def _nulls(count: int, type_: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return pa.nulls(count, type_)


def _pair(a: Any, b: Any) -> tuple[Any, Any, Mask | None, int] | None:
    """Both sides without the rows where one is NULL, which rows those are, and how many rows there
    were. Sides are matrices or single vectors; None if one side is a NULL scalar."""
    a, b = plain(a), plain(b)
    count = next((len(x) for x in (a, b) if not is_scalar(x)), 1)
    if any(is_scalar(x) and not x.is_valid for x in (a, b)):
        return None
    masks = [m for m in (valid_rows(x) for x in (a, b) if not is_scalar(x)) if m is not None]
    valid = None
    if masks:
        import pyarrow as pa

        valid = masks[0] if len(masks) == 1 else masks[0] & masks[1]
        keep = pa.array(valid)
        a, b = (x if is_scalar(x) else x.filter(keep) for x in (a, b))
    return a, b, valid, count


def _both(a: Any, b: Any) -> tuple[Matrix, Matrix]:
    """float32[N,D] and float32[N,D] or float32[D], of equal D."""
    left, right = (vector_of(x) if is_scalar(x) else matrix_of(x) for x in (a, b))
    if len(left) and len(right) and left.shape[-1] != right.shape[-1]:
        raise lengths_fault(left.shape[-1], right.shape[-1])
    return left, right


# --- functions -----------------------------------------------------------------------------------


@by_length
def distance(metric: Any, a: Any, b: Any) -> pa.Array:
    """VECTOR_DISTANCE; `metric` is a scalar, or an array of one and the same name."""
    import numpy as np
    import pyarrow as pa

    from hartonomous.kernels.distance import distances

    name = metric.as_py() if is_scalar(metric) else plain(metric)[0].as_py()
    pair = _pair(a, b)
    if pair is None:
        return _nulls(_count(a, b), pa.float64())
    left, right = _both(pair[0], pair[1])
    if left.ndim == 1:
        left, right = right, left
    if left.ndim == 1:
        left = left[None, :]
    if not len(left):
        values = np.empty(0, np.float64)
    else:
        values = distances(name, np.ascontiguousarray(left), np.ascontiguousarray(right))
    # cosine: NaN is a zero vector; dot and euclidean of infinite elements keep theirs
    result = pa.array(values, from_pandas=name == "cosine")
    return with_nulls(result, pair[2])


def _count(*values: Any) -> int:
    return next((len(v) for v in values if not is_scalar(v)), 1)


def _each(value: Any, compute: Callable[[Matrix], Any], null: Callable[[Any], Any]) -> pa.Array:
    """`compute` over the rows that are not NULL; `null` gives the result's type."""
    value = plain(value)
    if is_scalar(value):
        import pyarrow as pa

        value = pa.array([value.as_py()], value.type)
    if value.null_count == len(value):
        return _nulls(len(value), null(value.type))
    valid = valid_rows(value)
    rows = value if valid is None else value.drop_null()
    return with_nulls(compute(matrix_of(rows)), valid)


@by_length
def norm(value: Any) -> pa.Array:
    """VECTOR_NORM."""
    import pyarrow as pa

    from hartonomous.kernels.vector import norms

    return _each(value, lambda m: pa.array(norms(m)), lambda _: pa.float64())


@by_length
def normalize(value: Any) -> pa.Array:
    """VECTOR_NORMALIZE."""
    from hartonomous.kernels.vector import normalized

    def compute(matrix: Matrix) -> pa.Array:
        rows, valid = normalized(matrix)
        array = array_of(rows)
        return array if valid.all() else with_nulls(array_of(rows[valid]), valid)

    return _each(value, compute, lambda t: t)


def dimensions(value: Any) -> pa.Array:
    """VECTOR_DIMS."""
    import pyarrow as pa
    import pyarrow.compute as pc

    value = plain(value)
    if is_scalar(value):
        value = pa.array([value.as_py()], value.type)
    return pc.cast(pc.list_value_length(value), pa.int32())


def make(*numbers: Any) -> pa.Array:
    """VECTOR(a, b, …); NULL if one of the numbers is."""
    import numpy as np
    import pyarrow as pa

    count = _count(*numbers)
    matrix = np.empty((count, len(numbers)), np.float32)
    valid = np.ones(count, np.bool_)
    for i, given in enumerate(map(plain, numbers)):
        if is_scalar(given):
            if not given.is_valid:
                return _nulls(count, pa.list_(pa.float32(), len(numbers)))
            column: Any = np.float64(given.as_py())
        else:
            mask = valid_rows(given)
            column = given.to_numpy(zero_copy_only=False)
            if mask is not None:
                valid &= mask
        with np.errstate(over="ignore"):
            matrix[:, i] = column
    bad = valid & ~np.isfinite(matrix).all(axis=1)
    if bad.any():
        raise ExecutionFault(
            "VECTOR: a number does not fit an element (32-bit float)", code="OVERFLOW"
        )
    array = array_of(matrix)
    return array if valid.all() else with_nulls(array_of(matrix[valid]), valid)


def _elementwise(a: Any, b: Any, operation: str) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    pair = _pair(a, b)
    if pair is None:
        wide = next(x for x in (a, b) if pa.types.is_nested(x.type))
        return _nulls(_count(a, b), wide.type)
    sides = [_side(x) for x in pair[:2]]
    shapes = {s.shape[-1] for s in sides if s.ndim and s.size and s.shape[-1] != 1}
    if len(shapes) > 1:
        raise lengths_fault(*sorted(shapes)[:2])
    with np.errstate(over="ignore", invalid="ignore"):
        result = getattr(np, operation)(sides[0], sides[1]).astype(np.float32)
    return with_nulls(array_of(np.atleast_2d(result)), pair[2])


def _side(value: Any) -> Any:
    """A vector operand as float32[N,D] or float32[D], a number as float64[N,1] or float64[]."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_nested(value.type):
        return vector_of(value) if is_scalar(value) else matrix_of(value)
    if is_scalar(value):
        return np.float64(value.as_py())
    return value.to_numpy(zero_copy_only=False)[:, None]


@by_length
def add(a: Any, b: Any) -> pa.Array:
    """By element; a number is added to every element."""
    return _elementwise(a, b, "add")


@by_length
def subtract(a: Any, b: Any) -> pa.Array:
    return _elementwise(a, b, "subtract")


@by_length
def multiply(a: Any, b: Any) -> pa.Array:
    return _elementwise(a, b, "multiply")


@by_length
def negate(value: Any) -> pa.Array:
    return _each(value, lambda m: array_of(-m), lambda t: t)


def same(value: Any) -> pa.Array:
    return value


# --- casts ---------------------------------------------------------------------------------------


def to_vector(value: Any, size: Any, lenient: Any) -> pa.Array:
    """CAST of a string, or of a vector of another length, to VECTOR(size)."""
    import pyarrow as pa

    width = size.as_py() if is_scalar(size) else plain(size)[0].as_py()
    try_ = lenient.as_py() if is_scalar(lenient) else plain(lenient)[0].as_py()
    value = plain(value)
    if is_scalar(value):
        value = pa.array([value.as_py()], value.type)
    target = pa.list_(pa.float32(), -1 if width is None else width)
    if pa.types.is_null(value.type):
        return _nulls(len(value), target)
    parsed = value if pa.types.is_nested(value.type) else _parse(value, try_)
    return _resize(parsed, width, try_)


def _parse(texts: pa.Array, try_: bool) -> pa.Array:
    """list<float32> of strings; what is no vector is BAD_CAST, or NULL."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    good = pc.match_substring_regex(texts, VECTOR_PATTERN)
    if not try_ and pc.any(pc.invert(good)).as_py():
        bad = texts.filter(pc.invert(good))[0].as_py()
        raise ExecutionFault(
            f"'{_short(bad)}' is not a vector", code="BAD_CAST", hint="write it as '[0.1, 0.2]'"
        )
    texts = pc.if_else(good, texts, pa.scalar(None, texts.type))
    inner = pc.utf8_trim(texts, " \t\r\n[]")
    pieces = pc.split_pattern(inner, ",")
    numbers = pc.cast(pc.utf8_trim_whitespace(pieces.flatten()), pa.float64()).to_numpy()
    with np.errstate(over="ignore"):
        narrow = numbers.astype(np.float32)
    lists = pa.ListArray.from_arrays(
        pieces.offsets, pa.array(narrow), mask=pieces.is_null() if pieces.null_count else None
    )
    if np.isfinite(narrow).all():
        return lists
    if not try_:
        raise ExecutionFault(
            "a number in a string does not fit an element of a vector (32-bit float)",
            code="OVERFLOW",
        )
    finite = np.logical_and.reduceat(
        np.append(np.isfinite(narrow), True), pieces.offsets.to_numpy()[:-1]
    )
    return pc.if_else(pa.array(finite), lists, pa.scalar(None, lists.type))


def _resize(vectors: pa.Array, width: int | None, try_: bool) -> pa.Array:
    """Vectors of exactly `width` elements (None: of any number)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if width is None:
        return pc.cast(vectors, pa.list_(pa.float32()))
    target = pa.list_(pa.float32(), width)
    if vectors.type.equals(target):
        return vectors
    wrong = pc.not_equal(pc.list_value_length(vectors), width)
    if pc.any(wrong).as_py():
        if not try_:
            length = pc.list_value_length(vectors.filter(wrong))[0].as_py()
            raise ExecutionFault(
                f"a vector of {length} dimensions is not a VECTOR({width})", code="BAD_VALUE"
            )
        vectors = pc.if_else(wrong, pa.scalar(None, vectors.type), vectors)
    if vectors.null_count == len(vectors):
        return _nulls(len(vectors), target)
    valid = valid_rows(vectors)
    rows = vectors if valid is None else vectors.drop_null()
    return with_nulls(array_of(matrix_of(rows)), valid)


def from_vector(value: Any) -> pa.Array:
    """`[0.1, 0.2]`: each element as short as it reads back to the same float32."""
    import pyarrow as pa
    import pyarrow.compute as pc

    value = plain(value)
    if is_scalar(value):
        value = pa.array([value.as_py()], value.type)
    lists = pc.cast(value, pa.list_(pa.float32()))
    words = pa.ListArray.from_arrays(
        lists.offsets,
        pc.cast(lists.values, pa.string()),
        mask=lists.is_null() if lists.null_count else None,
    )
    return pc.binary_join_element_wise("[", pc.binary_join(words, ", "), "]", "")


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


# --- aggregates ----------------------------------------------------------------------------------


@groups_by_length
def total(values: pa.Array, offsets: npt.NDArray[np.int64]) -> pa.Array:
    """VECTOR_SUM of groups; see vectors.py."""
    return _reduce(values, offsets, mean=False)


@groups_by_length
def average(values: pa.Array, offsets: npt.NDArray[np.int64]) -> pa.Array:
    """VECTOR_AVG of groups."""
    return _reduce(values, offsets, mean=True)


def _reduce(values: Any, offsets: npt.NDArray[np.int64], mean: bool) -> pa.Array:
    import numpy as np

    from hartonomous.kernels.vector import group_sums

    values = plain(values)
    valid = valid_rows(values)
    if valid is not None:
        kept = np.concatenate([[0], np.cumsum(valid)])
        offsets, values = kept[offsets], values.drop_null()
    counts = np.diff(offsets)
    filled = counts > 0
    if not filled.any():
        return _nulls(len(counts), values.type)
    sums = group_sums(matrix_of(values), offsets.astype(np.int64))
    if mean:
        sums /= np.maximum(counts, 1)[:, None]
    with np.errstate(over="ignore"):
        matrix = sums.astype(np.float32)
    return array_of(matrix) if filled.all() else with_nulls(array_of(matrix[filled]), filled)
