"""Many sets of parameters as Arrow columns, a column at a time: executemany's way into a table.

What plain_values.py decides value by value is decided here by the classes that a column has and by
Arrow's own checks. Where these do not suffice the answer is None, and the column is looked at value
by value, with the same outcome.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.changes.plain_values import REAL_MAX
from hartonomous.hql.parameters import named
from hartonomous.hql.types import Type

#: from the values of a column to the column, or None if they need to be looked at one by one
Bulk = Callable[[Sequence[Any]], pa.Array | None]

_NONE = type(None)


def columns_of(
    names: Sequence[str], sets: Sequence[Mapping[str, Any] | Sequence[Any]]
) -> list[Sequence[Any]] | None:
    """The values of parameters, by parameter; None unless all sets are tuples, lists or dicts of
    one shape that holds these parameters and no others."""
    classes = set(map(type, sets))
    if not (classes <= {tuple, list} or classes == {dict}) or len(set(map(len, sets))) != 1:
        return None
    first = named(sets[0])
    if set(names) != set(first):
        return None
    keys = dict(zip(first, range(len(first)) if classes != {dict} else sets[0], strict=True))
    try:
        columns = {name: list(map(itemgetter(key), sets)) for name, key in keys.items()}
    except KeyError:
        return None
    return [columns[name] for name in names]


def bulk(type_: Type) -> Bulk:
    """The function for a type."""
    match type_.kind:
        case "TINYINT" | "SMALLINT" | "INT" | "BIGINT":
            return _checked(type_, int)
        case "FLOAT":
            return _checked(type_, float, int)
        case "BIT":
            return _checked(type_, bool)
        case "DATE":
            return _checked(type_, datetime.date)
        case "DECIMAL":
            return _checked(type_, Decimal, int)
        case "REAL":
            return _reals
        case "NVARCHAR":
            return lambda values: _texts(values, type_.a)
        case "VARBINARY":
            return lambda values: _binaries(values, type_.a)
        case "DATETIME2":
            return _moments
        case "UNIQUEIDENTIFIER":
            return _identifiers
        case "VECTOR":
            return lambda values: _vectors(values, type_)
    return lambda values: None


def _array(values: Sequence[Any], arrow: pa.DataType, *classes: type) -> pa.Array | None:
    """The values if they are of these classes alone, NULL, and all fit."""
    if not set(map(type, values)) <= {*classes, _NONE}:
        return None
    try:
        array = pa.array(values, arrow)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return None
    # Arrow takes Decimal's NaN for NULL
    return array if array.null_count == values.count(None) else None


def _checked(type_: Type, *classes: type) -> Bulk:
    return lambda values: _array(values, type_.arrow, *classes)


def _reals(values: Sequence[Any]) -> pa.Array | None:
    doubles = _array(values, pa.float64(), float, int)
    if doubles is None:
        return None
    is_beyond = pc.and_(pc.is_finite(doubles), pc.greater(pc.abs(doubles), REAL_MAX))
    return None if pc.any(is_beyond).as_py() else doubles.cast(pa.float32(), safe=False)


def _texts(values: Sequence[Any], length_max: int | None) -> pa.Array | None:
    array = _array(values, pa.string(), str)
    if array is None or any("\0" in text for text in values if text is not None):
        return None
    return None if _is_longer(pc.utf8_length(array), length_max) else array


def _binaries(values: Sequence[Any], length_max: int | None) -> pa.Array | None:
    array = _array(values, pa.binary(), bytes)
    if array is None or _is_longer(pc.binary_length(array), length_max):
        return None
    return array


def _is_longer(lengths: pa.Array, length_max: int | None) -> bool:
    return length_max is not None and (pc.max(lengths).as_py() or 0) > length_max


def _moments(values: Sequence[Any]) -> pa.Array | None:
    array = _array(values, pa.timestamp("us"), datetime.datetime)
    if array is None or any(v is not None and v.tzinfo is not None for v in values):
        return None
    return array


def _identifiers(values: Sequence[Any]) -> pa.Array | None:
    if not set(map(type, values)) <= {uuid.UUID, _NONE}:
        return None
    return pa.array([None if v is None else v.bytes for v in values], pa.binary(16))


def _vectors(values: Sequence[Any], type_: Type) -> pa.Array | None:
    if set(map(type, values)) != {np.ndarray} or {v.shape for v in values} != {(type_.a,)}:
        return None
    if not {v.dtype for v in values} <= {np.dtype(np.float32), np.dtype(np.float64)}:
        return None
    given = np.stack(values)
    with np.errstate(over="ignore"):
        numbers = given.astype(np.float32, copy=False)
    if given.dtype.itemsize > 4 and not np.array_equal(np.isinf(given), np.isinf(numbers)):
        return None  # finite, and beyond 32 bits
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), type=type_.arrow)
