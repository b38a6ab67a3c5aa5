"""Python values as column values where no conversion is in doubt; the fast way into a table.

`plain(type)` gives a function from a value to what pyarrow takes for that type. It raises Unusual
for everything that needs the relational engine's conversion rules (a text into an INT column, a
number that does not fit …); the caller then takes the general way, which converts or complains.
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from hartonomous.hql.geometry_value import Geometry
from hartonomous.hql.types import BITS, Type

Plain = Callable[[Any], Any]

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_FLOAT_EXACT = 2**53
#: the largest finite REAL, nearly
REAL_MAX = 3.4028234e38


class Unusual(Exception):
    """The value needs more than looking at it. Never leaves hql: the general way is taken."""


def plain(type_: Type) -> Plain:
    """The function for a type; NULL (None) is every type's."""
    match type_.kind:
        case "TINYINT" | "SMALLINT" | "INT" | "BIGINT":
            return _integer(BITS[type_.kind])
        case "DECIMAL":
            return _decimal(type_.a or 18, type_.b or 0)
        case "VECTOR":
            return _vector(type_.a)
        case "NVARCHAR" if type_.a is not None:
            return _bounded(_text, type_.a)
        case "VARBINARY" if type_.a is not None:
            return _bounded(_binary, type_.a)
    return _BY_KIND.get(type_.kind, _never)


def _never(value: Any) -> Any:
    if value is None:
        return None
    raise Unusual


def _integer(bits: int) -> Plain:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def integer(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, (int, np.integer)) and low <= value <= high:
            return int(value)
        raise Unusual

    return integer


def _bounded(convert: Plain, length_max: int) -> Plain:
    def bounded(value: Any) -> Any:
        if value is not None and len(convert(value)) > length_max:
            raise Unusual
        return value

    return bounded


def _decimal(precision: int, scale: int) -> Plain:
    bound = 10 ** (precision - scale)

    def decimal(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise Unusual
        number = Decimal(value)
        if not number.is_finite() or abs(number) >= bound:
            raise Unusual
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or -exponent > scale:
            raise Unusual
        return number

    return decimal


def _vector(dimensions: int | None) -> Plain:
    def vector(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, (np.ndarray, list, tuple)) or len(value) != dimensions:
            raise Unusual
        try:
            given = np.asarray(value)
        except (TypeError, ValueError) as fault:  # lists of different lengths
            raise Unusual from fault
        if given.ndim != 1 or given.dtype.kind not in "fiu":
            raise Unusual
        with np.errstate(over="ignore"):
            array = given.astype(np.float32, copy=False)
        if given.dtype.itemsize > 4 and not np.array_equal(np.isinf(given), np.isinf(array)):
            raise Unusual  # finite, and beyond 32 bits
        return array

    return vector


def _float(value: Any) -> Any:
    if value is None or type(value) is float:
        return value
    if isinstance(value, bool):
        raise Unusual
    if isinstance(value, (int, np.integer)) and abs(int(value)) <= _FLOAT_EXACT:
        return float(value)
    if isinstance(value, (Decimal, np.floating)):
        return float(value)
    raise Unusual


def _real(value: Any) -> Any:
    number = _float(value)
    if number is not None and abs(number) > REAL_MAX and abs(number) != float("inf"):
        raise Unusual
    return number


def _text(value: Any) -> Any:
    if value is None or (isinstance(value, str) and "\0" not in value and _is_unicode(value)):
        return value
    raise Unusual


def _is_unicode(text: str) -> bool:
    """Whether the text has a UTF-8 form (lone surrogates have none)."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _binary(value: Any) -> Any:
    if value is None or isinstance(value, bytes):
        return value
    raise Unusual


def _bit(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, np.bool_)):
        return bool(value)
    raise Unusual


def _date(value: Any) -> Any:
    if value is None or type(value) is datetime.date:
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError as fault:
            raise Unusual from fault
    raise Unusual


def _moment(value: Any) -> Any:
    if value is None or (type(value) is datetime.datetime and value.tzinfo is None):
        return value
    raise Unusual


def _uuid(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, uuid.UUID):
        return value.bytes
    raise Unusual


def _geometry(value: Any) -> Any:
    if value is None or isinstance(value, Geometry):
        return value
    raise Unusual


_BY_KIND: dict[str, Plain] = {
    "FLOAT": _float,
    "REAL": _real,
    "NVARCHAR": _text,
    "VARBINARY": _binary,
    "BIT": _bit,
    "DATE": _date,
    "DATETIME2": _moment,
    "UNIQUEIDENTIFIER": _uuid,
    "GEOMETRY": _geometry,
}
