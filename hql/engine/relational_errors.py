"""The relational engine's errors as ours.

The engine tells its errors apart by class where they are raised at once, and by the first words of
the text where they come out of a running stream; the words are the same, so the words decide.
Three kinds of text carry more:

    HQL:<CODE>:<line>:<column>:<message>    raised by our own SQL (functions/resolve.py: raise_sql)
    HQLCALL:<number>:                       raised by a native call; the exception was put aside
    ?<text>                                 a string that a cast refused on purpose (casts.py)

An error that only our own mistake can cause is an InternalFault with the SQL in its hint.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hartonomous.hql.errors import ExecutionFault, InternalFault, ResourceFault
from hartonomous.hql.types import KINDS
from hartonomous.storage.errors import Cancelled, Error

CALL_MARK = "HQLCALL:"

_CALL = re.compile(rf"{CALL_MARK}(\d+):")
_OWN = re.compile(r"HQL:([A-Z_]+):(\d+):(\d+):(.*)", re.DOTALL)
_KIND = re.compile(
    r"\s*(?:FATAL |TransactionContext )?([A-Za-z][A-Za-z ]*?) Error: (.*)", re.DOTALL
)
#: where the engine quotes our SQL, or advises settings that nobody can change here
_TAIL = re.compile(r"\n\s*LINE \d+:|\n\n|\. Use TRY| Use TRY\(")

#: the engine's names of types -> ours
_TYPES = {
    "BOOL": "BIT",
    "INT8": "TINYINT",
    "INT16": "SMALLINT",
    "INT32": "INT",
    "INT64": "BIGINT",
    "INT128": "DECIMAL(38,0)",
    "FLOAT": "REAL",
    "DOUBLE": "FLOAT",
    "UUID": "UNIQUEIDENTIFIER",
    "TIMESTAMP": "DATETIME2",
    "TIMESTAMP WITH TIME ZONE": "DATETIMEOFFSET",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "DATETIME2",
}

_TYPE = re.compile(r"DECIMAL\(\d+,\d+\)|" + "|".join(KINDS))

#: pattern -> (code, site or sites, message; groups of the pattern fill it)
_PATTERNS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    (r"Overflow in addition of \w+(?:\(\d+\))? \((.*?)\)", "OVERFLOW", ("+",), "{0} overflows"),
    (r"Overflow in subtraction of \w+(?:\(\d+\))? \((.*?)\)", "OVERFLOW", ("-",), "{0} overflows"),
    (r"Overflow in multiplication of \w+(?:\(\d+\))? \((.*?)\)", "OVERFLOW", ("*",),
     "{0} overflows"),
    (r"Overflow in division of (.*)", "OVERFLOW", ("/", "%"), "{0} overflows"),
    (r"Overflow on abs\((.*?)\)", "OVERFLOW", ("ABS",), "ABS({0}) overflows"),
    (r"Overflow in ROUND", "OVERFLOW", ("ROUND",), "ROUND overflows"),
    (r"[Oo]verflow", "OVERFLOW", (), "a result is out of range"),
    (r"Division by zero", "DIVISION_BY_ZERO", ("/", "%", "MOD"), "division by zero"),
    (r"More than one row returned by a subquery", "CARDINALITY", ("SUBQUERY",),
     "a subquery that stands for one value gave more than one row"),
    (r"Type INT128 with value (\S+) can't be cast .* destination type INT64", "OVERFLOW", ("SUM",),
     "the sum {0} is out of range for BIGINT"),
    (r"Type .* with value (.*) can't be cast .* destination type ([A-Z0-9 ]+)", "OVERFLOW",
     ("CAST",), "{0} is out of range for {1}"),
    (r"Could not cast value (\S+) to (DECIMAL\(\d+,\d+\))", "OVERFLOW", ("CAST",),
     "{0} is out of range for {1}"),
    (r'Casting value "(.*)" to type (DECIMAL\(\d+,\d+\))', "OVERFLOW", ("CAST",),
     "{0} is out of range for {1}"),
    (r"Could not convert string ['\"](.*)['\"] to '?([A-Z0-9(),]+)'?", "BAD_CAST", ("CAST",),
     "'{0}' is not a value of type {1}"),
    (r'(date|time|timestamp) field (?:format|value out of range): "(.*?)"(?:, expected|\n|$)',
     "BAD_CAST", ("CAST",), "'{1}' is not a {0}"),
    (r"Unknown TimeZone '(.*)'", "BAD_CAST", ("CAST",), "'{0}' is not an offset"),
    (r"Malformed JSON (at byte \d+).*?: (.*?)\.", "BAD_CAST",
     ("CAST JSON", "JSON_VALUE", "JSON_QUERY", "JSON_MODIFY", "OPENJSON"), "not JSON {0}: {1}"),
    (r"Failure in decode", "BAD_CAST", ("CAST",), "the bytes are not UTF-8"),
    (r"Date out of range: (-?\d{5,}-\S+)", "OVERFLOW", ("DATEADD", "EOMONTH"),
     "the date {0} is outside the years 1 to 9999"),
    (r"(?:Date|Timestamp|Time) out of range: (\S+)", "BAD_VALUE",
     ("DATEFROMPARTS", "DATETIMEFROMPARTS", "DATETIME2FROMPARTS", "SMALLDATETIMEFROMPARTS",
      "DATETIMEOFFSETFROMPARTS"), "there is no date {0}"),
    (r"Date and time not in timestamp range", "OVERFLOW", ("DATEADD",),
     "the date is out of range"),
    (r"Invalid escape string", "BAD_VALUE", ("LIKE", "NOT LIKE"), "ESCAPE takes one character"),
    (r"Like pattern must not end with escape", "BAD_VALUE", ("LIKE", "NOT LIKE"),
     "the pattern of LIKE ends with its escape character"),
    (r"cannot take square root of a negative", "BAD_VALUE", ("SQRT",),
     "there is no square root of a negative number"),
    (r"cannot take logarithm of (.*)", "BAD_VALUE", ("LOG", "LOG10", "LOG2"),
     "there is no logarithm of {0}"),
    (r"(A(?:SIN|COS)) is undefined", "BAD_VALUE", ("ASIN", "ACOS"),
     "{0} takes numbers from -1 to 1"),
    (r"zero raised to a negative power", "BAD_VALUE", ("POWER",),
     "zero has no negative power"),
    (r"a negative number raised to a non-integer power", "BAD_VALUE", ("POWER",),
     "a negative number has whole powers only"),
    (r"out of range for numeric function|out of range!", "BAD_VALUE", (),
     "a number is outside the domain of a function"),
    (r"maximum total string size", "OVERFLOW", (),
     "the texts of a result are over 2 GiB together"),
    (r"Cannot create a string of size: '(\d+)'", "OVERFLOW", ("REPLICATE",),
     "a string of {0} bytes is too long"),
    (r"^(missing [\])].*|unexpected \).*|(?:invalid|bad|no argument for) .*|trailing \\.*"
     r"|pattern too large.*)", "BAD_VALUE",
     ("REGEXP_LIKE", "REGEXP_COUNT", "REGEXP_SUBSTR", "REGEXP_REPLACE"),
     "the regular expression: {0}"),
    (r"Invalid replacement string for regexp_replace: (.*)", "BAD_VALUE", ("REGEXP_REPLACE",),
     "the replacement: {0}"),
)  # fmt: skip
_COMPILED = tuple(
    (re.compile(pattern, re.DOTALL), code, sites, form) for pattern, code, sites, form in _PATTERNS
)

_ZONE, _AT_ZONE = re.compile(r"'(.*?)'!", re.DOTALL), "AT_TIME_ZONE"

_MEMORY = re.compile(
    r"failed to (?:allocate|offload|pin|reserve)|max_temp_directory_size|No space left|memory_limit"
    r"|could not allocate|Unable to allocate"
)
#: what the engine's and Arrow's allocators say, with no word of whose error it is
_ALLOCATION = re.compile(r"^(?:std::bad_alloc|bad allocation|(?:m|re)alloc of size \d+ failed)")


def translate(
    error: BaseException, sql: str, failure: Callable[[int], BaseException | None]
) -> Error:
    """Our error for one of the engine's. `failure` gives what native call number n raised. The
    result may have `site`: the kinds of expression it comes from (places.py), and `refused`: the
    value that a cast refused, as text. Raises KeyboardInterrupt if that is what the call raised."""
    text = str(error)
    call = _CALL.search(text)
    if call is not None:
        raised = failure(int(call[1]))
        if isinstance(raised, Error):
            return raised
        if isinstance(raised, RecursionError):  # functions that call themselves, statements in them
            return ExecutionFault(
                "calls of functions nest too deep",
                code="RECURSION",
                hint="a recursive routine needs a condition that ends it, or use a loop",
            )
        if raised is not None and not isinstance(raised, Exception):
            raise raised  # Ctrl-C, in the body of a user's function
        if raised is not None:
            return _internal(f"a native function failed: {raised!r}", sql)
    own = _OWN.search(text)
    if own is not None:
        return ExecutionFault(_cut(own[4]), code=own[1], line=int(own[2]), column=int(own[3]))
    kind_match = _KIND.match(text)
    kind, message = (kind_match[1], kind_match[2]) if kind_match else ("", text)
    if kind == "INTERRUPT" or "Interrupted!" in text or "Query interrupted" in text:
        return Cancelled("the statement was cancelled")
    has_none = isinstance(error, MemoryError) or _ALLOCATION.search(text)
    if kind in ("Out of Memory", "IO") or has_none or (kind and _MEMORY.search(text)):
        return ResourceFault(
            f"the statement needs more memory than it may use: {_cut(message)}",
            code="MEMORY",
            hint="raise the memory limit, or free disk space for intermediate results",
        )
    if kind == "Not implemented" and "Unknown TimeZone" in message:
        zone = _ZONE.search(message)
        return _sited(
            f"there is no time zone '{zone[1] if zone else ''}'", "BAD_VALUE", (_AT_ZONE,)
        )
    if kind in ("Conversion", "Out of Range", "Invalid Input", "Syntax", "Mismatch Type"):
        return _of_value(kind, message, sql)
    return _internal(f"the relational engine refused a fragment: {_cut(text)}", sql)


def _of_value(kind: str, message: str, sql: str) -> Error:
    for pattern, code, sites, form in _COMPILED:
        match = pattern.search(message)
        if match is not None:
            groups = [_ours(g) for g in match.groups() if g is not None]
            value = None
            if sites == ("CAST",):
                sites = _cast_sites(groups)
                value = next((g for g in groups if not _TYPE.fullmatch(g)), None)
            return _sited(form.format(*groups), code, sites, value)
    if kind == "Conversion":
        return _sited(_cut(message), "BAD_CAST", ("CAST",))
    if kind == "Out of Range":
        return _sited(_cut(message), "OVERFLOW", ())
    return _internal(f"the relational engine failed: {_cut(message)}", sql)


def _cast_sites(groups: list[str]) -> tuple[str, ...]:
    """Casts to the type that the message names (one of its groups), or else any."""
    named = tuple(f"CAST {g}" for g in groups if _TYPE.fullmatch(g))
    moments = ("CAST DATETIMEOFFSET",) if "CAST DATETIME2" in named else ()
    # functions that cast inside
    inside = ("DATEADD", "DATEDIFF", "EOMONTH") if "CAST INT" in named else ()
    return (*named, *moments, *inside) or ("CAST",)


def _sited(
    message: str, code: str, sites: tuple[str, ...], value: str | None = None
) -> ExecutionFault:
    fault = ExecutionFault(message, code=code)
    fault.site = sites  # type: ignore[attr-defined]
    fault.refused = value  # type: ignore[attr-defined]
    return fault


def _ours(group: str) -> str:
    """A value without our mark, a type by our name."""
    return _TYPES.get(group.strip(), group.removeprefix("?"))


def _cut(message: str) -> str:
    tail = _TAIL.search(message)
    return (message[: tail.start()] if tail else message).strip()


def _internal(message: str, sql: str) -> InternalFault:
    return InternalFault(message, hint=f"this is a mistake of ours; the fragment was:\n{sql}")
