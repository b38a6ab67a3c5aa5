"""Numbers by .NET's formats, as FORMAT takes them: standard ones (`N2`, `C`, `P1`, `X8` …) and
custom ones (`#,##0.00;(#)`). American English: a point before decimals, commas in thousands.

Halves round away from zero. A FLOAT counts with the 15 digits that it has for sure. A format that
does not suit the number gives None.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal

#: digits after the point that a standard format may ask for
PRECISION_MAX = 99
#: exact for every DECIMAL and every FLOAT with so many digits after the point
_EXACT = Context(prec=600, rounding=ROUND_HALF_UP, Emax=9999, Emin=-9999)
_STANDARD = re.compile(r"([A-Za-z])([0-9]{0,2})")


def format_number(value: int | float | Decimal, text: str, bits: int) -> str | None:
    """`value` by a format; `bits`: of an integer's type, for X of negative ones."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "-Infinity" if value < 0 else "Infinity"
        number = Decimal(f"{value:.15g}")
    else:
        number = Decimal(value)
    match = _STANDARD.fullmatch(text) if text else None
    if match is None:
        return _custom(number, text) if text else _general(value, number, None)
    digits = int(match[2]) if match[2] else None
    return _standard(value, number, match[1], digits, bits)


def _standard(
    value: int | float | Decimal, number: Decimal, letter: str, digits: int | None, bits: int
) -> str | None:
    places = 2 if digits is None else digits
    sign = "-" if number < 0 and _rounded(number, places) else ""
    match letter.upper():
        case "C":
            amount = f"${_grouped(_fixed(number, places))}"
            return f"({amount})" if sign else amount
        case "F":
            return sign + _fixed(number, places)
        case "N":
            return sign + _grouped(_fixed(number, places))
        case "P":
            hundredfold = number.scaleb(2, _EXACT)
            sign = "-" if number < 0 and _rounded(hundredfold, places) else ""
            return f"{sign}{_grouped(_fixed(hundredfold, places))} %"
        case "E":
            return _scientific(number, 6 if digits is None else digits, letter)
        case "G":
            return _general(value, number, digits)
        case "R":
            return repr(value) if isinstance(value, float) else str(value)
        case "D" if isinstance(value, int):
            return ("-" if value < 0 else "") + str(abs(value)).zfill(digits or 0)
        case "X" if isinstance(value, int):
            hexadecimal = f"{value & ((1 << bits) - 1):x}".zfill(digits or 0)
            return hexadecimal.upper() if letter == "X" else hexadecimal
    return None


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), context=_EXACT)


def _fixed(number: Decimal, places: int) -> str:
    """The absolute value with so many digits after the point."""
    return f"{abs(_rounded(number, places)):f}"


def _grouped(digits: str) -> str:
    whole, point, fraction = digits.partition(".")
    return f"{int(whole):,}{point}{fraction}"


def _scientific(number: Decimal, places: int, letter: str) -> str:
    mantissa, exponent = _parts(number, places + 1)
    sign = "-" if number < 0 else ""
    return f"{sign}{mantissa}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):03d}"


def _parts(number: Decimal, digits: int) -> tuple[str, int]:
    """The absolute value as a mantissa of so many digits and an exponent of ten."""
    if not number:
        return f"{Decimal(0):.{digits - 1}f}", 0
    rounded = abs(number).normalize(Context(prec=digits, rounding=ROUND_HALF_UP))
    exponent = rounded.adjusted()
    return f"{rounded.scaleb(-exponent):.{digits - 1}f}", exponent


def _general(value: int | float | Decimal, number: Decimal, digits: int | None) -> str:
    """The shortest of fixed and scientific form; a DECIMAL keeps its digits."""
    if not digits:
        if not isinstance(value, float):
            return f"{number:f}"
        digits = 15
    if not number:
        return "0"
    mantissa, exponent = _parts(number, digits)
    sign = "-" if number < 0 else ""
    if -5 <= exponent < digits:
        fixed = f"{Decimal(mantissa).scaleb(exponent, _EXACT):f}"
        return sign + (fixed.rstrip("0").rstrip(".") if "." in fixed else fixed)
    short = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{sign}{short}E{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


# --- custom formats ------------------------------------------------------------------------------

#: text in quotes, an escaped character, an exponent, or one character
_MARK = re.compile(r"""'[^']*'?|"[^"]*"?|\\.?|[eE][+-]?0+|.""", re.DOTALL)


def _custom(number: Decimal, text: str) -> str:
    """By the section for the number's sign; of one that rounds to nothing, that of zero."""
    sections = _sections(text)
    section, magnitude = sections[0], abs(number)
    sign = "-" if number < 0 else ""
    if number < 0 and len(sections) > 1 and sections[1]:
        section, sign = sections[1], ""
    if not number and len(sections) > 2 and sections[2]:
        section = sections[2]
    out, is_zero = _filled(magnitude, section)
    if is_zero and number:
        sign = ""
        if len(sections) > 2 and sections[2]:
            out, _ = _filled(Decimal(0), sections[2])
        else:
            out, _ = _filled(Decimal(0), sections[0])
    return sign + out


def _sections(text: str) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for mark in _MARK.findall(text):
        if mark == ";":
            sections.append([])
        else:
            sections[-1].append(mark)
    return sections[:3]


def _filled(magnitude: Decimal, marks: list[str]) -> tuple[str, bool]:
    """The digits in their places among the section's other text, and whether all are zero."""
    places = [i for i, m in enumerate(marks) if m in "0#" and m]
    point = next((i for i, m in enumerate(marks) if m == "."), len(marks))
    whole = [i for i in places if i < point]
    fraction = [i for i in places if i > point]
    commas = [i for i, m in enumerate(marks) if m == "," and i < point]
    behind = [i for i in commas if whole and i > whole[-1]]  # each divides by a thousand
    scale = 2 * marks.count("%") + 3 * marks.count("‰") - 3 * len(behind)
    magnitude = magnitude.scaleb(scale, _EXACT)
    exponent = next((m for m in marks if _is_exponent(m)), None)
    power = 0
    if exponent is not None and magnitude:
        power = magnitude.adjusted() - max(len(whole) - 1, 0)
        magnitude = magnitude.scaleb(-power, _EXACT)
    digits, _, after = _fixed(magnitude, len(fraction)).partition(".")
    digits = digits.lstrip("0")
    needed = [i for i in whole if marks[i] == "0"]
    least = len(whole) - whole.index(needed[0]) if needed else 0
    digits = digits.rjust(least, "0")
    kept = max((n + 1 for n, i in enumerate(fraction) if marks[i] == "0"), default=0)
    after = after[:kept] + after[kept:].rstrip("0")
    is_grouped = any(whole and whole[0] < i < whole[-1] for i in commas)
    out = _placed(marks, whole, point, _spread(digits, len(whole), is_grouped), after, power)
    return out, not magnitude or not (digits + after).strip("0")


def _is_exponent(mark: str) -> bool:
    return len(mark) > 1 and mark[0] in "eE"


def _spread(digits: str, count: int, is_grouped: bool) -> list[str]:
    """What stands at each place before the point; the first takes all digits that are left."""
    out: list[str] = []
    for place in range(len(digits)):
        left = len(digits) - place - 1
        out.append(digits[place] + ("," if is_grouped and left and left % 3 == 0 else ""))
    if len(out) >= count:
        first = len(out) - count + 1
        return ["".join(out[:first]), *out[first:]] if count else ["".join(out)] if out else []
    return [""] * (count - len(out)) + out


def _placed(
    marks: list[str], whole: list[int], point: int, before: list[str], after: str, power: int
) -> str:
    out, fraction = [], iter(after)
    # .00 of 12.5 is 12.50
    before_point = "".join(before) if not whole and point < len(marks) else ""
    digits = dict(zip(whole, before, strict=False))
    for i, mark in enumerate(marks):
        if i in digits:
            out.append(digits[i])
        elif mark in ("0", "#"):
            out.append(next(fraction, "") if i > point else "")
        elif mark == ".":
            out.append(before_point + ("." if after and i == point else ""))
        elif _is_exponent(mark):
            sign = "-" if power < 0 else "+" if mark[1] == "+" else ""
            out.append(f"{mark[0]}{sign}{abs(power):0{mark.count('0')}d}")
        elif mark != ",":
            out.append(literal(mark))
    return "".join(out)


def literal(mark: str) -> str:
    """The text of a mark: without its quotes or backslash."""
    if mark[0] in "'\"":
        return mark[1:-1] if len(mark) > 1 and mark[-1] == mark[0] else mark[1:]
    return mark[1:] if mark[0] == "\\" else mark
