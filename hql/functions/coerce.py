"""Which types meet in which, and which turn into which without being asked.

Two types meet when values of both stand in one place: the sides of a comparison, the branches of a
CASE, the rows of a UNION. The habit is T-SQL's: the narrower goes to the wider, exact numbers go to
approximate ones, and a string goes to whatever stands opposite it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.types import (
    BIGINT,
    BIT,
    BITS,
    DATE,
    DATETIME2,
    DATETIMEOFFSET,
    FLOAT,
    INT,
    INTEGERS,
    NULL,
    NVARCHAR,
    TIME,
    VARBINARY,
    Type,
    decimal,
    vector,
)

#: decimal digits that hold every value of an integer kind
DIGITS = {"BIT": 1, "TINYINT": 3, "SMALLINT": 5, "INT": 10, "BIGINT": 19}

_INSTANTS = ("DATE", "DATETIME2", "DATETIMEOFFSET")
#: what a string turns into when it meets it
_MEETS_STRING = (
    *BITS,
    *_INSTANTS,
    "BIT",
    "DECIMAL",
    "REAL",
    "FLOAT",
    "TIME",
    "UNIQUEIDENTIFIER",
    "VECTOR",
    "GEOMETRY",
)


def as_decimal(type_: Type) -> Type:
    """The DECIMAL that holds every value of an exact type."""
    return type_ if type_.kind == "DECIMAL" else decimal(DIGITS[type_.kind], 0)


def common_type(types: Sequence[Type]) -> Type:
    """The type in which values of all `types` meet; TYPE_MISMATCH naming two that do not."""
    together = types[0]
    for other in types[1:]:
        both = meet(together, other)
        if both is None:
            raise BindFault(
                f"{together} and {other} have no common type",
                code="TYPE_MISMATCH",
                hint="cast one of them",
            )
        together = both
    return together


def meet(a: Type, b: Type) -> Type | None:
    """The type in which values of `a` and `b` meet; None when there is none."""
    if a.kind == b.kind == "VECTOR":
        a, b = in_one_space(a, b)
    if a == b or b.kind == "NULL":
        return a
    if a.kind == "NULL":
        return b
    if a.kind == b.kind:
        return _same_kind(a, b)
    for one, other in ((a, b), (b, a)):
        if one.is_string:
            if other.is_string:
                return NVARCHAR
            if other.kind in _MEETS_STRING:
                return other
    if _counts(a) and _counts(b):
        return _numbers(a, b)
    if a.kind in _INSTANTS and b.kind in _INSTANTS:
        return max(a, b, key=lambda t: _INSTANTS.index(t.kind))
    return None


def in_one_space(a: Type, b: Type) -> tuple[Type, Type]:
    """Two vector types that meet, each with the space that either has; TYPE_MISMATCH for vectors
    of two spaces, which have nothing in common but their length."""
    if a.space == b.space:
        return a, b
    if a.space is not None and b.space is not None:
        raise BindFault(
            f"a vector of {a.space} and one of {b.space}: they are of different spaces",
            code="TYPE_MISMATCH",
        )
    space = a.space or b.space
    return replace(a, space=space), replace(b, space=space)


def _same_kind(a: Type, b: Type) -> Type | None:
    match a.kind:
        case "DECIMAL":
            return _decimals(a, b)
        case "VECTOR":  # lengths must agree; a value of unknown length is checked when it is there
            if a.a is None or b.a is None:
                return replace(vector(None), space=a.space)
            return None
        case "NVARCHAR" | "VARBINARY":
            bounded = a.a is not None and b.a is not None
            return Type(a.kind, max(a.a or 0, b.a or 0) if bounded else None)
    return a


def _counts(type_: Type) -> bool:
    return type_.is_numeric or type_.kind == "BIT"


def _numbers(a: Type, b: Type) -> Type:
    if "FLOAT" in (a.kind, b.kind):
        return FLOAT
    if "REAL" in (a.kind, b.kind):
        return a if a.kind == "REAL" else b
    if "DECIMAL" in (a.kind, b.kind):
        return _decimals(as_decimal(a), as_decimal(b))
    ranks = ("BIT", *INTEGERS)
    return max(a, b, key=lambda t: ranks.index(t.kind))


def _decimals(a: Type, b: Type) -> Type:
    """Room for both; over 38 digits the scale is kept and the whole part gives way."""
    scale = max(a.b or 0, b.b or 0)
    whole = max((a.a or 18) - (a.b or 0), (b.a or 18) - (b.b or 0))
    return decimal(min(38, whole + scale), scale)


def can_cast(source: Type, target: Type) -> bool:
    """Whether `source` turns into `target` unasked: arguments, assignments, comparisons."""
    s, t = source.kind, target.kind
    if s == t:
        return t != "VECTOR" or None in (source.a, target.a) or source.a == target.a
    if s == "NULL":
        return True
    if _counts(source):
        return _counts(target) or t == "NVARCHAR"
    if source.is_string:
        return target.is_string or t in _MEETS_STRING
    if s in _INSTANTS:
        return t in _INSTANTS or t == "NVARCHAR"
    return t == "NVARCHAR" and s in ("TIME", "UNIQUEIDENTIFIER")


def can_convert(source: Type, target: Type) -> bool:
    """Whether CAST and CONVERT turn `source` into `target`."""
    if can_cast(source, target):
        return True
    pairs = {
        ("VECTOR", "NVARCHAR"),
        ("GEOMETRY", "NVARCHAR"),
        ("GEOMETRY", "VARBINARY"),
        ("VARBINARY", "GEOMETRY"),
        ("VARBINARY", "NVARCHAR"),
        ("NVARCHAR", "VARBINARY"),
        ("VARBINARY", "UNIQUEIDENTIFIER"),
        ("UNIQUEIDENTIFIER", "VARBINARY"),
        ("TIME", "DATETIME2"),
        ("TIME", "DATETIMEOFFSET"),
        ("DATETIME2", "TIME"),
        ("DATETIMEOFFSET", "TIME"),
    }
    pair = (source.kind, target.kind)
    return pair in pairs or (target.kind == "JSON" and _counts(source) and source.kind != "BIT")


def literal_type(value: Any) -> Type:
    """The type of a constant in HQL text, by its Python form: whole numbers are INT, BIGINT or
    DECIMAL by size, a fraction is DECIMAL of as many digits as were written."""
    match value:
        case None:
            return NULL
        case bool():
            return BIT
        case int():
            if -(2**31) <= value < 2**31:
                return INT
            if -(2**63) <= value < 2**63:
                return BIGINT
            return decimal(len(str(abs(value))), 0)
        case Decimal():
            return _decimal_type(value)
        case float():
            return FLOAT
        case str():
            return NVARCHAR
        case bytes():
            return VARBINARY
        case datetime():
            return DATETIME2 if value.tzinfo is None else DATETIMEOFFSET
        case date():
            return DATE
        case time():
            return TIME
    raise AssertionError(f"no literal has the value {value!r}")


def _decimal_type(value: Decimal) -> Type:
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), f"{value} is not finite"
    scale = max(0, -exponent)
    return decimal(max(len(digits) + max(0, exponent), scale, 1), scale)
