"""Casts of constants without the relational engine: the fast way of INSERT … VALUES.

Only what is certain: the result is the one that CAST gives (tests/property/test_values.py compares
them). For everything else the answer is NotImplemented, and the engine casts, or complains.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.geometry_value import Geometry
from hartonomous.hql.types import BITS, Type

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,38}(\.[0-9]{1,38})?")
_FLOAT = re.compile(r"[+-]?[0-9]{1,17}(\.[0-9]{1,17})?(e[+-]?[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3}|\.[0-9]{6})?")
_MOMENT = re.compile(rf"{_DATE.pattern}[ T]{_TIME.pattern}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BITS = {"true": True, "false": False, "1": True, "0": False}


def coerce_constant(value: Any, target: Type, source: Type | None = None) -> Any:
    """`value`, in the plain form of type `source` (None: of a literal), in the plain form of
    `target`, as CAST converts it; NotImplemented where only the engine knows."""
    if value is None:
        return None
    kind = source.kind if source is not None else ""
    if kind == "JSON":
        return value if target.kind == "JSON" else NotImplemented
    if kind == "UNIQUEIDENTIFIER":
        return value if target.kind == "UNIQUEIDENTIFIER" else NotImplemented
    if kind == "REAL" and target.kind not in ("REAL", "FLOAT"):
        return NotImplemented
    convert = _BY_CLASS.get(type(value))
    return NotImplemented if convert is None else convert(value, target)


def _integer_in(value: int, kind: str) -> Any:
    bound = 1 << (BITS[kind] - 1)
    return value if -bound <= value < bound else NotImplemented


def _decimal_in(value: Decimal, target: Type) -> Any:
    """The value, if the target has its digits on both sides of the point."""
    assert target.a is not None and target.b is not None
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or -exponent > target.b:
        return NotImplemented
    whole_digits = len(digits) + exponent if any(digits) else 0
    return value if whole_digits <= target.a - target.b else NotImplemented


def _text_in(value: str, target: Type) -> Any:
    return value if target.a is None or len(value) <= target.a else NotImplemented


def _bytes_in(value: bytes, target: Type) -> Any:
    return value if target.a is None or len(value) <= target.a else NotImplemented


def _from_bool(value: bool, target: Type) -> Any:
    if target.kind == "BIT":
        return value
    return int(value) if target.kind in BITS else NotImplemented


def _from_int(value: int, target: Type) -> Any:
    match target.kind:
        case "TINYINT" | "SMALLINT" | "INT" | "BIGINT":
            return _integer_in(value, target.kind)
        case "DECIMAL":
            return _decimal_in(Decimal(value), target)
        case "FLOAT":
            return float(value) if abs(value) <= 2**53 else NotImplemented
        case "REAL":
            return float(value) if abs(value) <= 2**24 else NotImplemented
        case "BIT":
            return value != 0
        case "NVARCHAR":
            return _text_in(str(value), target)
    return NotImplemented


def _from_decimal(value: Decimal, target: Type) -> Any:
    kind = target.kind
    if kind == "DECIMAL":
        return _decimal_in(value, target)
    if kind in BITS:
        return _integer_in(int(value), kind)
    _, digits, exponent = value.as_tuple()
    # both are exact in float64, so that their quotient is rounded once
    exact = len(digits) <= 15 and isinstance(exponent, int) and -22 <= exponent <= 0
    return float(value) if kind == "FLOAT" and exact else NotImplemented


def _from_float(value: float, target: Type) -> Any:
    kind = target.kind
    if kind == "FLOAT":
        return value
    if kind == "REAL":
        with np.errstate(over="ignore"):
            narrow = float(np.float32(value))
        return narrow if math.isfinite(narrow) or not math.isfinite(value) else NotImplemented
    if kind in BITS and math.isfinite(value):
        return _integer_in(int(value), kind)
    return NotImplemented


def _from_string(value: str, target: Type) -> Any:
    convert = _STRINGS.get(target.kind)
    if convert is None:
        return NotImplemented
    try:
        return convert(value, target)
    except ValueError:  # a date that does not exist, a lone surrogate
        return NotImplemented


def _plain_text(value: str, target: Type) -> Any:
    if not value.isascii():
        value.encode()
    return _text_in(value, target)


def _if_match(pattern: re.Pattern[str], make: Callable[[str, Type], Any]) -> Any:
    def convert(value: str, target: Type) -> Any:
        return make(value, target) if pattern.fullmatch(value) else NotImplemented

    return convert


def _moment(value: str, target: Type) -> Any:
    if _DATE.fullmatch(value) or _MOMENT.fullmatch(value):
        return datetime.fromisoformat(value)
    return NotImplemented


def _vector(value: str, target: Type) -> Any:
    import json

    try:
        numbers = json.loads(value)
    except RecursionError:
        return NotImplemented
    plain = isinstance(numbers, list) and all(type(x) in (int, float) for x in numbers)
    if not plain or len(numbers) != target.a:
        return NotImplemented
    with np.errstate(over="ignore"):
        array = np.array(numbers, np.float64).astype(np.float32)
    return array if np.isfinite(array).all() else NotImplemented


def _geometry(value: str, target: Type) -> Any:
    try:
        return Geometry.from_wkt(value)
    except ExecutionFault:
        return NotImplemented  # the engine says what is wrong, and where


_STRINGS: dict[str, Any] = {
    "NVARCHAR": _plain_text,
    "VARBINARY": lambda v, t: _bytes_in(v.encode(), t),
    "BIT": lambda v, t: _BITS.get(v, NotImplemented),
    "DATE": _if_match(_DATE, lambda v, t: date.fromisoformat(v)),
    "TIME": _if_match(_TIME, lambda v, t: time.fromisoformat(v)),
    "DATETIME2": _moment,
    "DATETIMEOFFSET": _moment,
    "UNIQUEIDENTIFIER": _if_match(_UUID, lambda v, t: uuid.UUID(v).bytes),
    "DECIMAL": _if_match(_DECIMAL, lambda v, t: _decimal_in(Decimal(v), t)),
    "FLOAT": _if_match(_FLOAT, lambda v, t: float(v)),
    "VECTOR": _vector,
    "GEOMETRY": _geometry,
} | dict.fromkeys(BITS, _if_match(_INTEGER, lambda v, t: _integer_in(int(v), t.kind)))


def _from_bytes(value: bytes, target: Type) -> Any:
    if target.kind == "VARBINARY":
        return _bytes_in(value, target)
    return value if target.kind == "UNIQUEIDENTIFIER" and len(value) == 16 else NotImplemented


def _from_moment(value: datetime, target: Type) -> Any:
    if target.kind in ("DATETIME2", "DATETIMEOFFSET"):
        return value
    return value.date() if target.kind == "DATE" else NotImplemented


def _from_date(value: date, target: Type) -> Any:
    if target.kind in ("DATETIME2", "DATETIMEOFFSET"):
        return datetime(value.year, value.month, value.day)
    return value if target.kind == "DATE" else NotImplemented


def _from_time(value: time, target: Type) -> Any:
    return value if target.kind == "TIME" else NotImplemented


def _from_array(value: np.ndarray[Any, Any], target: Type) -> Any:
    fits = target.kind == "VECTOR" and target.a in (None, len(value))
    return value if fits else NotImplemented


def _from_geometry(value: Geometry, target: Type) -> Any:
    return value if target.kind == "GEOMETRY" else NotImplemented


_BY_CLASS: dict[type, Callable[[Any, Type], Any]] = {
    bool: _from_bool,
    int: _from_int,
    float: _from_float,
    Decimal: _from_decimal,
    str: _from_string,
    bytes: _from_bytes,
    datetime: _from_moment,
    date: _from_date,
    time: _from_time,
    np.ndarray: _from_array,
    Geometry: _from_geometry,
}
