"""Values of parameters as the relational engine's SQL."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hartonomous.hql.functions.resolve import quote

#: strings and quoted names, which hold no parameters, or a parameter
_PARAMETER = re.compile(r"'[^']*'|\"[^\"]*\"|\$([A-Za-z_]\w*)")


def inline(sql: str, parameters: Mapping[str, Any]) -> str:
    """`sql` with every `$name` replaced by its value. The engine binds the text anew each time,
    and takes 0.6 ms more for prepared parameters than for constants."""
    if not parameters:
        return sql

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        return match[0] if name is None else literal(parameters[name])

    return _PARAMETER.sub(value_of, sql)


def literal(value: Any) -> str:
    """A Python value as SQL that a cast to its own type leaves as it is."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"'{value!r}'" if not math.isfinite(value) else _float(value)
        case str():
            return quote(value)
        case bytes():
            return f"from_hex('{value.hex()}')"
        case Decimal():
            return f"'{value:f}'"
        case datetime.datetime():
            return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(' ')}'"
        case datetime.date():
            return f"DATE '{value.isoformat()}'"
        case datetime.time():
            return f"TIME '{value.isoformat()}'"
    raise AssertionError(f"a parameter of type {type(value).__name__}")


def _float(value: float) -> str:
    text = repr(value)
    return text if "e" in text else text + "e0"
