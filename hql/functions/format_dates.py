"""Dates and times by .NET's formats, as FORMAT takes them: standard ones of one letter (`d`, `D`,
`s` …) and custom ones (`yyyy-MM-dd HH:mm:ss.fff`). American English names and orders.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time

from hartonomous.hql.functions.format_numbers import literal

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)

#: standard format -> the custom one that it stands for
_STANDARD = {
    "d": "M/d/yyyy",
    "D": "dddd, MMMM d, yyyy",
    "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt",
    "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt",
    "M": "MMMM d",
    "m": "MMMM d",
    "O": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "o": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "t": "h:mm tt",
    "T": "h:mm:ss tt",
    "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
    "U": "dddd, MMMM d, yyyy h:mm:ss tt",
    "y": "MMMM yyyy",
    "Y": "MMMM yyyy",
}
_STANDARD_TIMES = {"c": "HH:mm:ss", "g": "H:mm:ss", "t": "HH:mm:ss", "T": "HH:mm:ss"}

#: text in quotes, an escaped character, a run of one letter, or one character
_MARK = re.compile(r"""'[^']*'?|"[^"]*"?|\\.?|%|([dfFghHKmMstyz])\1*|.""", re.DOTALL)


def format_moment(value: date | time, text: str, has_zone: bool) -> str | None:
    """`value` by a format; None where it asks for what the value has not. Zones are UTC."""
    if isinstance(value, time):
        text = _STANDARD_TIMES.get(text, text)
        moment = datetime.combine(date(1900, 1, 1), value)
    else:
        if not text:
            text = "G" if isinstance(value, datetime) else "d"
        if len(text) == 1:
            if text not in _STANDARD:
                return None
            text = _STANDARD[text]
        moment = datetime(value.year, value.month, value.day)
        if isinstance(value, datetime):
            moment = value
    has_date = not isinstance(value, time)
    out = []
    for match in _MARK.finditer(text or "HH:mm:ss"):
        mark = match[0]
        if match[1] is None:
            out.append("" if mark == "%" else literal(mark))
            continue
        if not has_date and mark[0] in "dgMyzK":
            return None
        piece = _piece(mark, moment, has_date, has_zone)
        if piece == "" and mark[0] == "F" and out and out[-1] == ".":
            out.pop()  # .FFF of no fraction is nothing
        out.append(piece)
    return "".join(out)


def _piece(mark: str, moment: datetime, has_date: bool, has_zone: bool) -> str:
    count = len(mark)
    match mark[0]:
        case "d":
            if count > 2:
                name = _DAYS[moment.weekday()]
                return name[:3] if count == 3 else name
            return str(moment.day).zfill(count)
        case "M":
            if count > 2:
                name = _MONTHS[moment.month - 1]
                return name[:3] if count == 3 else name
            return str(moment.month).zfill(count)
        case "y":
            return str(moment.year % 100 if count < 3 else moment.year).zfill(count)
        case "H":
            return str(moment.hour).zfill(min(count, 2))
        case "h":
            hour = (moment.hour - 1) % 12 + 1 if has_date else moment.hour
            return str(hour).zfill(min(count, 2))
        case "m":
            return str(moment.minute).zfill(min(count, 2))
        case "s":
            return str(moment.second).zfill(min(count, 2))
        case "f":
            return f"{moment.microsecond:06d}0"[:count].ljust(min(count, 7), "0")
        case "F":
            return f"{moment.microsecond:06d}0"[:count].rstrip("0")
        case "t":
            return ("AM" if moment.hour < 12 else "PM")[:count]
        case "g":
            return "A.D."
        case "K":
            return "+00:00" if has_zone else ""
    return ("+0", "+00", "+00:00")[min(count, 3) - 1]  # z: times are UTC
