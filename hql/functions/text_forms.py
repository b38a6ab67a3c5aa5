"""Values as texts of a given form: FORMAT, STR, FORMATMESSAGE; texts quoted, escaped, taken apart.

They are computed by Python for each different value (by_value.py): what repeats costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.errors import ExecutionFault, NotSupported
from hartonomous.hql.functions.base import Function, Kernel
from hartonomous.hql.functions.by_value import BATCH_ROWS, ByValue
from hartonomous.hql.functions.resolve import (
    P,
    approximate,
    exactly,
    resolver,
    scalar,
    text,
    whole,
)
from hartonomous.hql.types import BITS, INT, NVARCHAR, VARBINARY, Type

if TYPE_CHECKING:
    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.plan import Expr

_STRING = exactly(NVARCHAR)


def _native(
    name: str,
    parameters: Sequence[P],
    result: Type,
    compute: Any,
    doc: str,
    example: str,
    **more: Any,
) -> Function:
    nulls = not more.get("null_on_null", True)
    return scalar(
        name, parameters, result, None, doc, example,
        kernel=ByValue(compute, result, nulls), batch_rows=BATCH_ROWS, **more,
    )  # fmt: skip


# --- FORMAT --------------------------------------------------------------------------------------

#: characters of a format
FORMAT_MAX: Final = 4000
_CULTURES = ("en-us", "en", "")


def _formatted(bits: int, has_zone: bool = False) -> Kernel:
    def compute(value: Any, form: str, culture: str = "en-US") -> str | None:
        if len(form) > FORMAT_MAX:
            message = f"FORMAT: a format of {len(form):,} characters; at most {FORMAT_MAX:,}"
            raise ExecutionFault(message, code="BAD_VALUE")
        _check_culture(culture)
        if isinstance(value, (int, float, Decimal)):
            from hartonomous.hql.functions.format_numbers import format_number

            return format_number(value, form, bits)
        from hartonomous.hql.functions.format_dates import format_moment

        return format_moment(value, form, has_zone)

    return ByValue(compute, NVARCHAR)


#: the kernels by type of value: X shows the width of integers, K the zone. They are made once, so
#: that calls compare
_FORMATTED: Final = {kind: _formatted(bits) for kind, bits in BITS.items()}
_FORMATTED["DATETIMEOFFSET"] = _formatted(64, has_zone=True)


def _check_culture(culture: str) -> None:
    if culture.lower() not in _CULTURES:
        raise NotSupported(
            f"not supported yet: FORMAT with culture '{culture[:40]}'", hint="there is 'en-US'"
        )


def _formattable(given: Type) -> Type | None:
    if given.is_numeric or given.is_temporal:
        return given
    return INT if given.kind == "NULL" else None


_FORMAT_PARAMETERS = (
    P("value", _formattable),
    P("format", _STRING),
    P("culture", _STRING, optional=True),
)
_format_arguments = resolver("FORMAT", _FORMAT_PARAMETERS, NVARCHAR)


def _resolve_format(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    resolved = _format_arguments(types, constants)
    if len(types) == 3 and isinstance(constants[2], str):
        _check_culture(constants[2])
    return resolved


def _format_of(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    return replace(function, kernel=_FORMATTED.get(arguments[0].type.kind, _FORMATTED["BIGINT"]))


# --- STR -----------------------------------------------------------------------------------------

_STR_MAX: Final = 8000
_EXACT = Context(prec=400, rounding=ROUND_HALF_UP, Emax=9999, Emin=-9999)


def _str(number: float, length: int = 10, decimals: int = 0) -> str | None:
    """Right-justified; digits after the point give way to those before, which become stars where
    there is no room for them."""
    if not 0 <= length <= _STR_MAX or decimals < 0:
        return None
    if number != number or number in (float("inf"), float("-inf")):
        return "*" * length
    exact = Decimal(number)
    whole_digits = len(f"{exact:.0f}")
    places = max(0, min(decimals, 16, length - whole_digits - 1))
    out = f"{exact.quantize(Decimal(1).scaleb(-places), context=_EXACT):f}"
    return out.rjust(length) if len(out) <= length else "*" * length


# --- quoting, escaping, taking apart -------------------------------------------------------------

_QUOTES = {q: (q, q) for q in "'\"`"} | {
    q: (pair[0], pair[1]) for pair in ("[]", "()", "<>", "{}") for q in pair
}
#: a name is not longer in T-SQL, and QUOTENAME gives NULL for what is
_NAME_MAX = 128


def _quoted(name: str, quote: str = "[") -> str | None:
    if len(name) > _NAME_MAX or quote not in _QUOTES:
        return None
    before, after = _QUOTES[quote]
    return before + name.replace(after, after * 2) + after


def _escaped(value: str, kind: str) -> str:
    if kind.lower() != "json":
        raise ExecutionFault(
            f"STRING_ESCAPE: there is no '{kind[:40]}'", code="BAD_VALUE", hint="there is 'json'"
        )
    import json

    return json.dumps(value, ensure_ascii=False)[1:-1].replace("/", "\\/")


#: one part of a dotted name: in brackets, in quotes, or plain
_PART = r'(?:\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*"|[^.\[\]"]*)'


def _name_part(name: str, part: int) -> str | None:
    """The part of a dotted name, counted from its end."""
    import re

    match = re.fullmatch(rf"({_PART})(?:\.({_PART}))?(?:\.({_PART}))?(?:\.({_PART}))?", name)
    if match is None or not 1 <= part <= 4:
        return None
    parts = [p for p in match.groups() if p is not None]
    if part > len(parts):
        return None
    found: str = parts[-part]
    if found[:1] in ("[", '"'):
        after = "]" if found[0] == "[" else '"'
        found = found[1:-1].replace(after * 2, after)
    return found or None


def _message(form: str | None, *arguments: Any) -> str | None:
    from hartonomous.hql.scripts.message_format import MessageFormat, format_message

    try:
        return None if form is None else format_message(form, arguments)
    except MessageFormat as fault:
        message = f"FORMATMESSAGE: {fault}"
        raise ExecutionFault(message, code="BAD_VALUE", hint=fault.hint) from None


def _message_argument(given: Type) -> Type | None:
    """An integer or a text; what is neither, as text."""
    if given.kind == "BIT":
        return INT
    return given if given.is_integer else text(given)


_MESSAGE = (P("message", _STRING), P("value", _message_argument, optional=True, many=True))

# --- base64 --------------------------------------------------------------------------------------


def _to_base64(value: bytes, is_for_urls: bool = False) -> str:
    import base64

    if is_for_urls:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")
    return base64.b64encode(value).decode()


def _from_base64(value: str) -> bytes:
    import base64

    plain = "".join(value.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise ExecutionFault("BASE64_DECODE: not base64", code="BAD_VALUE") from None


def _bytes(given: Type) -> Type | None:
    return VARBINARY if given.kind in ("VARBINARY", "NULL") else None


TEXT_FORMS: tuple[Function, ...] = (
    replace(
        _native("FORMAT", _FORMAT_PARAMETERS, NVARCHAR, None,
                "A number or a time by one of .NET's formats, as 'N2', '#,##0.00', 'yyyy-MM-dd' or "
                "'D', in American English. NULL for a format that does not suit the value.",
                "FORMAT(1234.5, 'N2')", resolve=_resolve_format),
        in_catalog=_format_of),
    _native("STR", (P("number", approximate), P("length", whole, optional=True),
                    P("decimals", whole, optional=True)), NVARCHAR, _str,
            "A number as text of `length` (10) characters, right-justified, with `decimals` (0) "
            "digits after the point; stars where it does not fit.", "STR(123.45, 6, 1)"),
    _native("FORMATMESSAGE", _MESSAGE, NVARCHAR, _message,
            "A message with the places %d, %i, %u, %o, %x, %X and %s filled, as RAISERROR does.",
            "FORMATMESSAGE('%s: %05d of %d', 'row', 7, 10)", null_on_null=False),
    _native("QUOTENAME", (P("text", text), P("quote", _STRING, optional=True)), NVARCHAR, _quoted,
            "As a quoted name, in brackets or what is given: ' \" ` ( < {. NULL for more than 128 "
            "characters.", "QUOTENAME('a]b')"),
    _native("PARSENAME", (P("name", _STRING), P("part", whole)), NVARCHAR, _name_part,
            "A part of a dotted name: 1 is the last, 2 the schema. NULL if there is none.",
            "PARSENAME('dbo.[a.b]', 1)"),
    _native("STRING_ESCAPE", (P("text", text), P("type", _STRING)), NVARCHAR, _escaped,
            "With quotes, slashes and control characters escaped as 'json' has them.",
            "STRING_ESCAPE('a\"b/c', 'json')"),
    _native("BASE64_ENCODE", (P("bytes", _bytes), P("url_safe", whole, optional=True)), NVARCHAR,
            _to_base64, "Bytes as base64; with 1, in the letters that URLs take, without `=`.",
            "BASE64_ENCODE(0xCAFE)"),
    _native("BASE64_DECODE", (P("text", text),), VARBINARY, _from_base64,
            "The bytes of base64, of either alphabet.", "BASE64_DECODE('yv4=')"),
)  # fmt: skip
