"""Constants: literals, and conversions of constants that need not wait for execution.

A constant is converted here only where the result is exact or the same as at execution, so that
zone maps and rules see plain constants; everything else stays an explicit Cast.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.context import fault
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.types import (
    BIGINT,
    BIT,
    BITS,
    FLOAT,
    INT,
    NULL,
    NVARCHAR,
    VARBINARY,
    Type,
    vector,
)
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.bind.scope import Scope


def bind_literal(node: ast.Literal, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    match node.kind:
        case "INTEGER":
            assert isinstance(node.value, int)
            return integer(node.value, span)
        case "STRING":
            return plan.Constant(type=NVARCHAR, span=span, value=node.value)
        case "DECIMAL":
            assert isinstance(node.value, Decimal)
            return exact(node.value, span)
        case "FLOAT":
            return plan.Constant(type=FLOAT, span=span, value=node.value)
        case "BINARY":
            return plan.Constant(type=VARBINARY, span=span, value=node.value)
    assert node.value is None, node.kind
    return plan.Constant(type=NULL, span=span, value=None)


def boolean(value: bool | None, span: ast.Span) -> plan.Constant:
    return plan.Constant(type=BIT, span=span, value=value)


def integer(value: int, span: ast.Span) -> plan.Constant:
    """INT, BIGINT if it does not fit, beyond that DECIMAL(n,0)."""
    if -(2**31) <= value < 2**31:
        return plan.Constant(type=INT, span=span, value=value)
    if -(2**63) <= value < 2**63:
        return plan.Constant(type=BIGINT, span=span, value=value)
    return exact(Decimal(value), span)


def exact(value: Decimal, span: ast.Span) -> plan.Constant:
    """DECIMAL(p,s) with the digits as written."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    scale = max(0, -exponent)
    precision = max(len(digits) + max(0, exponent), scale, 1)
    if precision > 38:
        raise fault(
            span,
            f"a number of {precision} digits does not fit DECIMAL, which has 38",
            "TYPE_MISMATCH",
            "write it as a FLOAT: 1e40",
        )
    return plan.Constant(type=Type("DECIMAL", precision, scale), span=span, value=value)


def bind_vector(node: ast.VectorLiteral, scope: Scope) -> plan.Expr:
    import numpy as np

    span = scope.span(node)
    try:
        type_ = vector(len(node.values))
    except Error:
        message = f"a vector has 1 to 65535 dimensions, not {len(node.values)}"
        raise fault(span, message, "TYPE_MISMATCH") from None
    with np.errstate(over="ignore"):
        value = np.array(node.values, dtype=np.float32)
    if not np.isfinite(value).all():
        raise ExecutionFault(
            f"{node.values[int(np.argmin(np.isfinite(value)))]!r} does not fit an element of a "
            "vector (32-bit float)",
            code="OVERFLOW",
            line=span.line,
            column=span.column,
        )
    value.setflags(write=False)
    return plan.Constant(type=type_, span=span, value=value)


def convert(constant: plan.Constant, type_: Type) -> plan.Constant | None:
    """`constant` as a constant of another type, or None where that must wait for execution."""
    value = constant.value
    if value is None:
        return plan.Constant(type=type_, span=constant.span, value=None)
    source, kind = constant.type, type_.kind
    if source.is_exact:
        if type_.is_exact:
            return fit(constant, type_)
        if kind == "FLOAT":
            return plan.Constant(type=type_, span=constant.span, value=float(value))
        if kind == "REAL" and abs(value) < 2**24:
            single = struct.unpack("f", struct.pack("f", value))[0]
            return plan.Constant(type=type_, span=constant.span, value=single)
        return None
    if source.kind == "REAL" and kind == "FLOAT":
        return plan.Constant(type=type_, span=constant.span, value=value)
    if source.kind == "NVARCHAR":
        converted = _from_text(value, type_)
        if converted is not None:
            return plan.Constant(type=type_, span=constant.span, value=converted)
    return None


def fit(constant: plan.Constant, type_: Type) -> plan.Constant | None:
    """An exact number as a constant of another exact type, if it fits without loss."""
    value = constant.value
    if type_.kind == "DECIMAL":
        assert type_.a is not None and type_.b is not None
        number = Decimal(value)
        if not _fits_decimal(number, type_.a, type_.b):
            return None
        return plan.Constant(type=type_, span=constant.span, value=number)
    bits = BITS.get(type_.kind)
    if bits is None or value != int(value):
        return None
    whole = int(value)
    if not -(1 << (bits - 1)) <= whole < 1 << (bits - 1):
        return None
    return plan.Constant(type=type_, span=constant.span, value=whole)


def _fits_decimal(value: Decimal, precision: int, scale: int) -> bool:
    if not value:
        return True
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    trailing = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    scale_needed = -(exponent + trailing)
    whole_digits = len(digits) + exponent
    return scale_needed <= scale and whole_digits <= precision - scale


_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?")
_MOMENT = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([ T]{_CLOCK.pattern})?")
_IDENTIFIER = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def _from_text(text: str, type_: Type) -> object | None:
    """The value of a text in its plainest spelling; None for every other spelling."""
    kind = type_.kind
    try:
        if kind in BITS:
            digits = text[1:] if text[:1] in "+-" else text
            if not (digits.isascii() and digits.isdigit()):
                return None
            bits, number = BITS[kind], int(text)
            return number if -(1 << (bits - 1)) <= number < 1 << (bits - 1) else None
        if kind == "DATE" and len(text) == 10 and text.isascii():
            return date.fromisoformat(text)
        if kind == "DATETIME2" and _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
        if kind == "TIME" and _CLOCK.fullmatch(text):
            return time.fromisoformat(text)
        if kind == "UNIQUEIDENTIFIER" and _IDENTIFIER.fullmatch(text):
            return bytes.fromhex(text.replace("-", ""))
        if kind == "FLOAT" and text.isascii() and text.replace(".", "", 1).isdigit():
            number_ = float(text)
            return number_ if math.isfinite(number_) else None
    except ValueError:
        return None
    return None
