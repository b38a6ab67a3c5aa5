"""Functions that look for patterns in texts, or compare how texts sound.

Patterns of PATINDEX are T-SQL's: `%`, `_`, `[abc]`, `[a-f]`, `[^abc]`; LIKE has no brackets.
Those of the REGEXP functions are RE2's, as SQL Server's are: no look-around, no back references,
and time that grows with the text only. Letters match by code point; flag `i` folds case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.functions.base import Function, Resolver
from hartonomous.hql.functions.resolve import (
    P,
    bounded_sql,
    exactly,
    raise_sql,
    resolver,
    scalar,
    text,
    whole,
)
from hartonomous.hql.types import BIT, FLOAT, INT, NVARCHAR, Type

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.ast import Span

_STRING = exactly(NVARCHAR)

# --- PATINDEX ------------------------------------------------------------------------------------


def expression_of(pattern: str) -> str:
    """T-SQL's pattern as a regular expression with a group `before`: what precedes the match. A
    pattern that does not begin with % matches at the beginning only, one that does not end with %
    at the end only. A bracket that is never closed matches nothing."""
    is_loose = pattern.startswith("%")
    body = pattern.lstrip("%") if is_loose else pattern
    ends_loose = body.endswith("%") or (is_loose and not body)
    body = body.rstrip("%")
    pieces, at = [], 0
    while at < len(body):
        piece, at = _piece(body, at)
        pieces.append(piece)
    before = "(?P<before>.*?)" if is_loose else "(?P<before>)"
    return f"(?s)^{before}{''.join(pieces)}{'' if ends_loose else '$'}"


_NOTHING = r"[^\x{0}-\x{10FFFF}]"


def _piece(pattern: str, at: int) -> tuple[str, int]:
    """One mark of a pattern as a regular expression, and where the next begins."""
    mark = pattern[at]
    if mark == "%":
        return ".*", at + 1
    if mark == "_":
        return ".", at + 1
    if mark != "[":
        return re.escape(mark), at + 1
    first = at + 2 if pattern[at + 1 : at + 2] == "^" else at + 1
    end = pattern.find("]", first + 1)  # a ] that comes first is one of the characters
    if end < 0:
        return _NOTHING, len(pattern)
    return _characters(pattern[first:end], first == at + 2), end + 1


def _characters(inside: str, is_negated: bool) -> str:
    """The characters of a bracket; a range that runs backwards holds none."""
    parts, at = [], 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            low, high, at = inside[at], inside[at + 2], at + 3
            if low <= high:
                parts.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            parts.append(re.escape(inside[at]))
            at += 1
    if not parts:
        return "." if is_negated else _NOTHING
    return f"[{'^' if is_negated else ''}{''.join(parts)}]"


#: characters of a pattern; longer ones make automata of megabytes
PATTERN_MAX = 1000


def find_pattern(patterns: Any, texts: Any) -> pa.Array:
    """The kernel of PATINDEX: the place of the first match, from 1; 0 without one. Rows of one
    pattern are matched together."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from hartonomous.hql.functions.geometry_kernels import as_array

    patterns, texts = as_array(patterns), as_array(texts)
    rows = max(len(patterns), len(texts))
    if len(texts) < rows:
        texts = pa.repeat(texts[0], rows)
    if len(patterns) == 1:
        return _matched(patterns[0].as_py(), texts)
    out = pa.nulls(rows, pa.int32())
    for pattern in pc.unique(patterns).drop_null().to_pylist():
        chosen = pc.fill_null(pc.equal(patterns, pattern), False)
        out = pc.if_else(chosen, _matched(pattern, texts), out)
    return out


def _matched(pattern: str | None, texts: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pattern is None:
        return pa.nulls(len(texts), pa.int32())
    if len(pattern) > PATTERN_MAX:
        raise ExecutionFault(
            f"PATINDEX: a pattern of {len(pattern):,} characters; at most {PATTERN_MAX:,}",
            code="BAD_VALUE",
        )
    try:
        found = pc.extract_regex(texts.cast(pa.string()), expression_of(pattern))
    except pa.ArrowInvalid:
        raise ExecutionFault("PATINDEX: the pattern is too large", code="BAD_VALUE") from None
    length = pc.utf8_length(pc.struct_field(found, "before"))
    place = pc.if_else(pc.is_valid(found), pc.add(length, 1), 0)
    return pc.if_else(pc.is_valid(texts), place, None).cast(pa.int32())


# --- regular expressions -------------------------------------------------------------------------


def _with_flags(name: str, parameters: Sequence[P], result: Type) -> Resolver:
    """Flags are a constant, checked when the call is bound."""
    plain = resolver(name, parameters, result)
    at = next(i for i, p in enumerate(parameters) if p.name == "flags")

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        resolved = plain(types, constants)
        if len(types) > at:
            flags = constants[at]
            if not isinstance(flags, str) or set(flags) - set("icms"):
                raise BindFault(
                    f"{name}: the flags must be a constant of the letters i, c, m and s",
                    code="ARGUMENTS",
                    hint="i folds case, c does not, m: ^ and $ at each line, s: . is a newline too",
                )
        return resolved

    return resolve


def _pattern(args: Sequence[str], at: int) -> str:
    """The pattern's SQL with the flags at argument `at` before it."""
    letters = args[at].strip("'") if len(args) > at else ""
    folds = [c for c in letters if c in "ic"][-1:] == ["i"]
    flags = "".join(["i" if folds else "", *(f for f in "ms" if f in letters)])
    return f"('(?{flags})' || {args[1]})" if flags else args[1]


def _argument(args: Sequence[str], at: int, default: str) -> str:
    return args[at] if len(args) > at else default


def _rest(name: str, args: Sequence[str], at: int, span: Span) -> str:
    """The text from the start that is argument `at`."""
    if len(args) <= at:
        return args[0]
    wrong = raise_sql("BAD_VALUE", span, f"{name}: the start must be 1 or more", "BIGINT")
    start = f"(CASE WHEN {args[at]} < 1 THEN {wrong} ELSE {args[at]} END)"
    return f"substring({args[0]}, {start}, 4294967295)"


def _render_like(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    return f"regexp_matches({args[0]}, {_pattern(args, 2)})"


def _render_matches(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    rest = _rest("REGEXP_COUNT", args, 2, span)
    return f"CAST(len(regexp_extract_all({rest}, {_pattern(args, 3)})) AS INTEGER)"


def _render_part(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    rest, number = _rest("REGEXP_SUBSTR", args, 2, span), _argument(args, 3, "1")
    wrong = raise_sql(
        "BAD_VALUE", span, "REGEXP_SUBSTR: the occurrence must be 1 or more", "BIGINT"
    )
    checked = f"(CASE WHEN {number} < 1 THEN {wrong} ELSE {number} END)"
    return f"regexp_extract_all({rest}, {_pattern(args, 4)})[{checked}]"


def _render_replace(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    rest, by = _rest("REGEXP_REPLACE", args, 3, span), _argument(args, 2, "''")
    size = f"2 * (CAST(strlen({args[0]}) AS HUGEINT) + 1) * strlen({by})"  # \\1 may be all of it
    bounded = bounded_sql(size, by, span)
    done = f"regexp_replace({rest}, {_pattern(args, 4)}, {bounded}, 'g')"
    return f"(left({args[0]}, {args[3]} - 1) || {done})" if len(args) > 3 else done


# --- sounds --------------------------------------------------------------------------------------

_CODES = "translate({0}, 'BFPVCGJKQSXZDTLMNRAEIOUYHW', '111122222222334556000000')"


def _soundex(sql: str) -> str:
    """Of the letters at the beginning: the first, then three digits of those after it that sound
    different from the one before; vowels part equal sounds, H and W do not."""
    letters = f"regexp_extract(upper({sql}), '^[A-Z]+')"
    first = f"left({letters}, 1)"
    codes = f"({_CODES.format(f'translate({first}, {chr(39)}HW{chr(39)}, {chr(39)}00{chr(39)})')}"
    codes += f" || {_CODES.format(f'substring({letters}, 2)')})"
    for digit in "123456":
        codes = f"regexp_replace({codes}, '{digit}+', '{digit}', 'g')"
    digits = f"left(replace(substring({codes}, 2), '0', '') || '000', 3)"
    return f"(CASE WHEN {letters} = '' THEN '0000' ELSE {first} || {digits} END)"


def _render_soundex(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    return _soundex(args[0])


def _render_difference(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    codes = f"[{_soundex(args[0])}, {_soundex(args[1])}]"
    same = " + ".join(
        f"CAST(substring(__s[1], {i}, 1) = substring(__s[2], {i}, 1) AS INTEGER)"
        for i in range(1, 5)
    )
    both = f"({args[0]}) IS NOT NULL AND ({args[1]}) IS NOT NULL"
    return f"(CASE WHEN {both} THEN list_transform([{codes}], lambda __s: {same})[1] END)"


def _bounded(name: str, sql: str) -> Any:
    """`sql` over two texts whose comparison takes the product of their lengths."""

    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        wrong = raise_sql(
            "BAD_VALUE", span, f"{name}: a text of over {COMPARED_MAX:,} characters", "VARCHAR"
        )
        checked = [
            f"(CASE WHEN length({a}) > {COMPARED_MAX} THEN {wrong} ELSE {a} END)" for a in args
        ]
        return f"CAST({sql.format(*checked)} AS {result.relational})"

    return render


#: characters of a text that is compared letter by letter
COMPARED_MAX = 4000

_TEXT, _PATTERN = P("text", text), P("pattern", _STRING)
_START, _FLAGS = P("start", whole, optional=True), P("flags", _STRING, optional=True)
_LIKE = (_TEXT, _PATTERN, _FLAGS)
_COUNT = (_TEXT, _PATTERN, _START, _FLAGS)
_PART = (_TEXT, _PATTERN, _START, P("occurrence", whole, optional=True), _FLAGS)
_BY = (_TEXT, _PATTERN, P("by", _STRING, optional=True), _START, _FLAGS)
_TWO = (P("first", text), P("second", text))

PATTERNS: tuple[Function, ...] = (
    scalar("PATINDEX", (P("pattern", _STRING), _TEXT), INT, None,
           "Where a pattern of %, _, [a-f] and [^a-f] first matches, from 1; 0 if nowhere.",
           "PATINDEX('%[0-9]%', 'ab12')", kernel=find_pattern),
    scalar("REGEXP_LIKE", _LIKE, BIT, _render_like,
           "1 when a regular expression matches somewhere in the text.",
           "REGEXP_LIKE('abc', '^A', 'i')", resolve=_with_flags("REGEXP_LIKE", _LIKE, BIT)),
    scalar("REGEXP_COUNT", _COUNT, INT, _render_matches,
           "How often a regular expression matches, from `start` on.",
           "REGEXP_COUNT('a1b22', '[0-9]+')", resolve=_with_flags("REGEXP_COUNT", _COUNT, INT)),
    scalar("REGEXP_SUBSTR", _PART, NVARCHAR, _render_part,
           "The part of the text that a regular expression matches, the first or another; NULL if "
           "there is none.", "REGEXP_SUBSTR('a1b22', '[0-9]+', 1, 2)",
           resolve=_with_flags("REGEXP_SUBSTR", _PART, NVARCHAR)),
    scalar("REGEXP_REPLACE", _BY, NVARCHAR, _render_replace,
           r"With every match replaced, by nothing unless `by` is given; \1 in it is a group.",
           r"REGEXP_REPLACE('a-b', '(\w)-(\w)', '\2-\1')",
           resolve=_with_flags("REGEXP_REPLACE", _BY, NVARCHAR)),
    scalar("SOUNDEX", (_TEXT,), NVARCHAR, _render_soundex,
           "A letter and three digits for how an English word sounds.", "SOUNDEX('Robert')"),
    scalar("DIFFERENCE", _TWO, INT, _render_difference,
           "How many of four places of the SOUNDEX are alike: 4 sounds the same.",
           "DIFFERENCE('Robert', 'Rupert')"),
    scalar("EDIT_DISTANCE", _TWO, INT,
           _bounded("EDIT_DISTANCE", "damerau_levenshtein({0}, {1})"),
           "How many letters must be put in, left out, replaced or swapped with their neighbour.",
           "EDIT_DISTANCE('form', 'from')"),
    scalar("JARO_WINKLER_DISTANCE", _TWO, FLOAT,
           _bounded("JARO_WINKLER_DISTANCE", "1 - jaro_winkler_similarity({0}, {1})"),
           "How unlike two texts are, 0 to 1; a common beginning counts more.",
           "JARO_WINKLER_DISTANCE('martha', 'marhta')"),
)  # fmt: skip
