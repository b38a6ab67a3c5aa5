"""Values of parameters from bytes, and `$n` in texts.

`$1` becomes `@1`, which HQL takes for a parameter and which is as long, so that places in errors
stay. A type behind it (`$1::INTEGER`, as SQLAlchemy writes) says what the parameter is, and is
blanked. Nothing else of a text is touched.
"""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from hartonomous.hql.errors import NotSupported, ParameterFault
from hartonomous.server.postgres.replies import spread
from hartonomous.server.postgres.types import BY_NAME, BY_OID, SPELLINGS, Kind, find_kind

_EPOCH = datetime(2000, 1, 1)
#: names of types that may stand behind a parameter, longer ones first
_NAMES = sorted({*BY_NAME, *SPELLINGS}, key=len, reverse=True)
_TYPES = "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in _NAMES if "[" not in name)
#: what is no place for a parameter is matched first and left as it is
_PARTS = re.compile(
    r"""
    '[^']*(?:''[^']*)*'? | "[^"]*"? | \[[^\]]*\]? | --[^\n]* | /\*(?:.*?\*/|.*)
  | [\w@\#][\w$#@]*
  | \$(?P<number>\d{1,5})(?!\w)
    (?P<cast>\s*::\s*(?P<type>"""
    + _TYPES.replace("#", r"\#")
    + r""")(?![\w$#@])(?:\s*\([\d\s,]*\))?(?P<list>(?:\[\])?))?
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def mapped(text: str) -> tuple[str, dict[int, int]]:
    """The text in HQL, as long as before, and the types that it states: OIDs by number from 1; 0
    where it states none."""
    stated: dict[int, int] = {}
    if "$" not in text:
        return text, stated

    def replace(match: re.Match[str]) -> str:
        if match["number"] is None:
            return match[0]
        number = int(match["number"])
        out = f"@{match['number']}"
        kind = find_kind(match["type"] + match["list"]) if match["cast"] else None
        stated[number] = kind.oid if kind is not None else stated.get(number, 0)
        if match["cast"] is None:
            return out
        return out + (match["cast"] if kind is None else _blank(match["cast"]))

    return _PARTS.sub(replace, text), stated


def _blank(text: str) -> str:
    """As many blanks; lines stay lines."""
    return "".join("\n" if character == "\n" else " " for character in text)


def values_of(
    values: Sequence[bytes | None], formats: Sequence[int], types: Sequence[int]
) -> dict[str, Any]:
    """Parameters by name ("1", "2" …) as Python values. Raises ParameterFault."""
    out: dict[str, Any] = {}
    for number, (raw, format_) in enumerate(
        zip(values, spread(formats, len(values)), strict=True), 1
    ):
        oid = types[number - 1] if number <= len(types) else 0
        out[str(number)] = None if raw is None else value_of(number, raw, format_, oid)
    return out


def value_of(number: int, raw: bytes, format_: int, oid: int) -> Any:
    """One value. Type 0 is a text. Raises ParameterFault, and NotSupported for types HQL lacks."""
    kind = BY_OID.get(oid) if oid else _TEXT_KIND
    if kind is None or kind.name in ("interval", "_interval", "void", "record"):
        name = kind.shown if kind is not None else f"type {oid}"
        raise NotSupported(f"not supported yet: ${number} of PostgreSQL's {name}")
    try:
        return _decode_binary(raw, kind) if format_ else _decode_text(_decoded(raw), kind)
    except (ValueError, InvalidOperation, struct.error, OverflowError) as fault:
        raise ParameterFault(f"${number} is no {kind.shown}: {fault}") from fault


_TEXT_KIND = BY_OID[25]


def _decoded(raw: bytes) -> str:
    text = raw.decode()
    if "\0" in text:
        raise ValueError("a text has no zero byte")
    return text


# --- text ----------------------------------------------------------------------------------------


def _decode_text(text: str, kind: Kind) -> Any:
    if kind.element and kind.category == "A":
        return _elements(text, BY_OID[kind.element])
    return _FROM_TEXT.get(kind.name, str)(text)


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word in ("t", "true", "y", "yes", "on", "1"):
        return True
    if word in ("f", "false", "n", "no", "off", "0"):
        return False
    raise ValueError("true or false is one")


def _bytes(text: str) -> bytes:
    r"""`\x…`, or the older form in which `\\` is a backslash and `\012` a byte in octal."""
    if text.startswith("\\x"):
        return bytes.fromhex(text[2:])
    raw = text.encode()
    return re.sub(
        rb"\\(\\|[0-3][0-7]{2})",
        lambda match: b"\\" if match[1] == b"\\" else bytes([int(match[1], 8)]),
        raw,
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.strip())


def _zoned(text: str) -> datetime:
    moment = _moment(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_ELEMENT = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,{}"\\]+))\s*(,|\Z)', re.DOTALL)


def _elements(text: str, element: Kind) -> list[Any]:
    """An array of one dimension; its numbers are a vector to HQL."""
    inner = text.strip()
    if not inner.startswith("{") or not inner.endswith("}"):
        raise ValueError("an array stands in braces")
    inner, out, at = inner[1:-1], [], 0
    if not inner.strip():
        return []
    while True:
        match = _ELEMENT.match(inner, at)
        if match is None:
            raise ValueError("an array of one dimension is {a,b,…}")
        if match[1] is not None:
            out.append(_decode_text(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), element))
        else:
            word = match[2].strip()
            out.append(None if word.upper() == "NULL" else _decode_text(word, element))
        at = match.end()
        if match[3] != ",":
            return out


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "bool": _truth,
    "bytea": _bytes,
    "int2": int,
    "int4": int,
    "int8": int,
    "oid": int,
    "float4": float,
    "float8": float,
    "numeric": Decimal,
    "date": lambda text: date.fromisoformat(text.strip()),
    "time": lambda text: time.fromisoformat(text.strip()),
    "timestamp": _moment,
    "timestamptz": _zoned,
    "uuid": uuid.UUID,
}

# --- binary --------------------------------------------------------------------------------------


def _decode_binary(raw: bytes, kind: Kind) -> Any:
    if kind.element and kind.category == "A":
        return _binary_elements(raw)
    if kind.name == "jsonb":
        return _decoded(raw[1:])  # a version, 1, stands before the text
    form = _FROM_BINARY.get(kind.name)
    return _decoded(raw) if form is None else form(raw)


def _unpack(layout: str) -> Callable[[bytes], Any]:
    return lambda raw: struct.unpack(layout, raw)[0]


def _after_epoch(raw: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=_unpack("!q")(raw))


def _numeric(raw: bytes) -> Decimal:
    """As rows.py writes them; the sign 0xC000 is NaN."""
    count, weight, sign, scale = struct.unpack_from("!HhHH", raw)
    digits = struct.unpack_from(f"!{count}H", raw, 8)
    if len(raw) != 8 + 2 * count or sign not in (0, 0x4000) or max(digits, default=0) > 9999:
        raise ValueError("it is not finite" if sign >= 0xC000 else "its bytes are none")
    whole = int("".join(f"{digit:04}" for digit in digits) or "0")
    exponent = 4 * (weight - count + 1)
    if abs(exponent) > 1_000:
        raise ValueError("it is out of range")
    # digits in base 10,000 may be more than the scale has: those are zeros
    whole, exponent = whole * 10 ** max(0, exponent + scale), min(exponent, -scale)
    whole //= 10 ** (-scale - exponent)
    return Decimal(f"{'-' if sign else ''}{whole}E{-scale}")


def _binary_elements(raw: bytes) -> list[Any]:
    dimensions, _, oid = struct.unpack_from("!iiI", raw)
    if dimensions == 0:
        return []
    if dimensions != 1:
        raise ValueError("an array has one dimension here")
    element = BY_OID.get(oid)
    if element is None or element.element:
        raise ValueError(f"its elements are of a type ({oid}) that is not known here")
    (count,) = struct.unpack_from("!i", raw, 12)
    if not 0 <= count <= len(raw) // 4:
        raise ValueError("its length is none")
    out: list[Any] = []
    at = 20
    for _ in range(count):
        (length,) = struct.unpack_from("!i", raw, at)
        at += 4
        if length < 0:
            out.append(None)
            continue
        if at + length > len(raw):
            raise ValueError("it ends too early")
        out.append(_decode_binary(raw[at : at + length], element))
        at += length
    return out


_FROM_BINARY: dict[str, Callable[[bytes], Any]] = {
    "bool": lambda raw: bool(_unpack("!B")(raw)),
    "bytea": bytes,
    "int2": _unpack("!h"),
    "int4": _unpack("!i"),
    "int8": _unpack("!q"),
    "oid": _unpack("!I"),
    "float4": _unpack("!f"),
    "float8": _unpack("!d"),
    "numeric": _numeric,
    "date": lambda raw: _EPOCH.date() + timedelta(days=_unpack("!i")(raw)),
    "time": lambda raw: (_EPOCH + timedelta(microseconds=_unpack("!q")(raw))).time(),
    "timestamp": _after_epoch,
    "timestamptz": lambda raw: _after_epoch(raw).replace(tzinfo=UTC),
    "uuid": lambda raw: uuid.UUID(bytes=raw),
}
