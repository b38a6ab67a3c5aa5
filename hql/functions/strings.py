"""Functions of strings. Positions count characters (code points) from 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.by_value import ByValue
from hartonomous.hql.functions.resolve import (
    MADE_BYTES_MAX,
    P,
    bounded_sql,
    exactly,
    raise_sql,
    resolver,
    scalar,
    text,
    text_or_binary,
    whole,
)
from hartonomous.hql.types import BIGINT, BIT, INT, NVARCHAR, VARBINARY, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span
    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.plan import Expr

_T = (P("text", text),)
_STRING = exactly(NVARCHAR)


def _render_bytes(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    name = "octet_length" if types[0].kind == "VARBINARY" else "strlen"
    return f"CAST({name}({args[0]}) AS INTEGER)"


def _render_length(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    name = "octet_length" if types[0].kind == "VARBINARY" else "length"
    return f"CAST({name}({args[0]}) AS INTEGER)"


def _render_len(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    if types[0].kind == "VARBINARY":
        return _render_length(args, types, result, span)
    return f"CAST(length(rtrim({args[0]}, ' ')) AS INTEGER)"


def _trim(name: str) -> object:
    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        characters = args[1] if len(args) > 1 else "' '"
        return f"{name}({args[0]}, {characters})"

    return render


def _same_family(types: Sequence[Type]) -> Type:
    return VARBINARY if types[0].kind == "VARBINARY" else NVARCHAR


def _render_substring(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    """A start before 1 uses up length, as in T-SQL and the standard; the engine would count from
    the end."""
    value, start = args[0], args[1]
    first = f"(CASE WHEN {start} < 1 THEN 1 ELSE {start} END)"
    if len(args) > 2:
        length = args[2]
        negative = raise_sql("BAD_VALUE", span, "SUBSTRING: the length is negative", "BIGINT")
        count = (
            f"(CASE WHEN {length} < 0 THEN {negative} WHEN {start} >= 1 THEN {length} "
            f"WHEN {start} + {length} <= 1 THEN 0 ELSE {start} + {length} - 1 END)"
        )
    else:
        count = "CAST(4294967295 AS BIGINT)"
    if types[0].kind == "VARBINARY":
        return f"array_slice({value}, {first}, {first} + {count} - 1)"
    return f"substring({value}, {first}, {count})"


def _side(name: str) -> object:
    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        negative = raise_sql(
            "BAD_VALUE", span, f"{name.upper()}: the number of characters is negative", "BIGINT"
        )
        return f"{name}({args[0]}, (CASE WHEN {args[1]} < 0 THEN {negative} ELSE {args[1]} END))"

    return render


def _render_charindex(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    part, whole_text = args[0], args[1]
    if len(args) == 2:
        found = f"instr({whole_text}, {part})"
        return f"CAST((CASE WHEN {part} = '' THEN {found} * 0 ELSE {found} END) AS INTEGER)"
    start = f"(CASE WHEN {args[2]} < 1 THEN 1 ELSE {args[2]} END)"
    found = f"instr(substring({whole_text}, {start}, 4294967295), {part})"
    return (
        f"CAST((CASE WHEN {part} = '' OR {found} = 0 THEN {found} * 0 "
        f"ELSE {found} + {start} - 1 END) AS INTEGER)"
    )


def _render_stuff(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    value, start, length, put = args
    return (
        f"(CASE WHEN {start} < 1 OR {start} > length({value}) OR {length} < 0 THEN NULL "
        f"ELSE left({value}, {start} - 1) || coalesce({put}, '') || "
        f"substring({value}, {start} + {length}, 4294967295) END)"
    )


def _render_translate(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    unequal = raise_sql(
        "BAD_VALUE", span, "TRANSLATE: both lists of characters must be equally long", "VARCHAR"
    )
    source, target = args[1], args[2]
    checked = f"(CASE WHEN length({source}) <> length({target}) THEN {unequal} ELSE {target} END)"
    return f"translate({args[0]}, {source}, {checked})"


def _render_character(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    code = args[0]
    valid = f"({code} BETWEEN 0 AND 55295 OR {code} BETWEEN 57344 AND 1114111)"
    return f"(CASE WHEN {valid} THEN chr(CAST({code} AS INTEGER)) END)"


def _render_repeated(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    """NULL for a negative count; the engine would count on with an empty text."""
    value, count = args
    size = f"CAST(strlen({value}) AS HUGEINT) * {count}"
    times = f"(CASE WHEN {count} < 0 THEN NULL WHEN {value} = '' THEN 0 ELSE {count} END)"
    return f"repeat({value}, {bounded_sql(size, times, span, 'BIGINT')})"


def _render_blanks(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    return _render_repeated(["' '", args[0]], types, result, span)


def _render_replaced(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    """Where the text could grow beyond bounds, how often `part` occurs is counted first."""
    value, part, by = args
    grown = f"(strlen({by}) - strlen({part}))"
    found = f"(strlen({value}) - strlen(replace({value}, {part}, ''))) // strlen({part})"
    most = f"CAST(strlen({value}) AS HUGEINT) * (strlen({by}) + 1)"
    size = f"(CASE WHEN {grown} <= 0 OR {most} <= {MADE_BYTES_MAX} OR {part} = '' THEN 0 "
    size += f"ELSE strlen({value}) + CAST({found} AS HUGEINT) * {grown} END)"
    return f"replace({value}, {part}, {bounded_sql(size, by, span)})"


def _render_concat(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    return f"concat({', '.join(args)})"


def _render_hash(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    whens = " ".join(
        f"WHEN '{name}' THEN from_hex({function}({args[1]}))"
        for name, function in (("MD5", "md5"), ("SHA1", "sha1"), ("SHA2_256", "sha256"))
    )
    return f"(CASE upper({args[0]}) {whens} END)"


def _digest(algorithm: str, value: str | bytes) -> bytes | None:
    if algorithm.upper() != "SHA2_512":
        return None
    import hashlib

    return hashlib.sha512(value.encode() if isinstance(value, str) else value).digest()


_HASH_512 = ByValue(_digest, VARBINARY)


def _hash_of(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    """The engine has no SHA-512: where that is what a constant names, Python computes it."""
    algorithm = getattr(arguments[0], "value", None)
    if not isinstance(algorithm, str) or algorithm.upper() != "SHA2_512":
        return function
    return replace(function, render=None, kernel=_HASH_512)


_ONE_SIDE = (*_T, P("characters", _STRING, optional=True))
_COUNTED = (*_T, P("count", whole))

STRINGS: tuple[Function, ...] = (
    scalar("LEN", (P("text", text_or_binary),), INT, _render_len,
           "Number of characters without trailing blanks, or of bytes.", "LEN('abc  ')"),
    scalar("LENGTH", (P("text", text_or_binary),), INT, _render_length,
           "Number of characters, or of bytes of a VARBINARY.", "LENGTH('abc  ')"),
    scalar("DATALENGTH", (P("text", text_or_binary),), INT, _render_bytes,
           "Number of bytes; of a string, in UTF-8.", "DATALENGTH('é')"),
    scalar("UPPER", _T, NVARCHAR, "upper({0})", "In capital letters.", "UPPER('abc')"),
    scalar("LOWER", _T, NVARCHAR, "lower({0})", "In small letters.", "LOWER('ABC')"),
    scalar("TRIM", _ONE_SIDE, NVARCHAR, _trim("trim"),  # type: ignore[arg-type]
           "Without blanks, or the characters given, on both sides.", "TRIM('  abc ')"),
    scalar("LTRIM", _ONE_SIDE, NVARCHAR, _trim("ltrim"),  # type: ignore[arg-type]
           "Without blanks, or the characters given, on the left.", "LTRIM('  abc')"),
    scalar("RTRIM", _ONE_SIDE, NVARCHAR, _trim("rtrim"),  # type: ignore[arg-type]
           "Without blanks, or the characters given, on the right.", "RTRIM('abc  ')"),
    scalar("SUBSTRING", (P("text", text_or_binary), P("start", whole),
                         P("length", whole, optional=True)), _same_family, _render_substring,
           "`length` characters (or bytes) from `start`, or all the rest.",
           "SUBSTRING('hello', 2, 3)"),
    scalar("LEFT", _COUNTED, NVARCHAR, _side("left"),  # type: ignore[arg-type]
           "The first characters.", "LEFT('hello', 2)"),
    scalar("RIGHT", _COUNTED, NVARCHAR, _side("right"),  # type: ignore[arg-type]
           "The last characters.", "RIGHT('hello', 2)"),
    scalar("CHARINDEX", (P("part", _STRING), P("text", text), P("start", whole, optional=True)),
           INT, _render_charindex,
           "Where `part` begins in `text`, from `start` on; 0 if nowhere.",
           "CHARINDEX('l', 'hello')"),
    scalar("REPLACE", (*_T, P("part", _STRING), P("by", _STRING)), NVARCHAR,
           _render_replaced, "With every `part` replaced.",
           "REPLACE('hello', 'l', 'L')"),
    scalar("REPLICATE", _COUNTED, NVARCHAR,
           _render_repeated,
           "Repeated; NULL for a negative count.", "REPLICATE('ab', 3)"),
    scalar("SPACE", (P("count", whole),), NVARCHAR,
           _render_blanks, "Blanks; NULL for a negative count.", "SPACE(3) + '|'"),
    scalar("REVERSE", _T, NVARCHAR, "reverse({0})",
           "Backwards; accents stay with their letters.", "REVERSE('abc')"),
    scalar("STUFF", (*_T, P("start", whole), P("length", whole), P("by", _STRING)), NVARCHAR,
           _render_stuff, "With `length` characters from `start` replaced; NULL if start is "
           "outside.", "STUFF('hello', 2, 3, 'u')", null_on_null=False),
    scalar("CONCAT", (P("value", text, many=True),), NVARCHAR, _render_concat,
           "The texts of all arguments joined; NULL counts as an empty string.",
           "CONCAT('a', NULL, 1)", null_on_null=False),
    scalar("CONCAT_WS", (P("separator", _STRING), P("value", text, many=True)), NVARCHAR,
           "concat_ws({*})", "All arguments but NULLs joined with a separator.",
           "CONCAT_WS('-', 'a', NULL, 'b')", null_on_null=False),
    scalar("TRANSLATE", (*_T, P("characters", _STRING), P("by", _STRING)), NVARCHAR,
           _render_translate, "With each of `characters` replaced by the one at the same place.",
           "TRANSLATE('[1]', '[]', '()')"),
    scalar("ASCII", _T, INT, "nullif(unicode({0}), -1)",
           "The code point of the first character; NULL for an empty string.", "ASCII('A')"),
    scalar("UNICODE", _T, INT, "nullif(unicode({0}), -1)",
           "The code point of the first character; NULL for an empty string.", "UNICODE('é')"),
    scalar("NCHAR", (P("code", whole),), NVARCHAR, _render_character,
           "The character with this code point; NULL if there is none.", "NCHAR(233)",
           null_on_null=False),
    scalar("CHAR", (P("code", whole),), NVARCHAR, _render_character,
           "The character with this code point; NULL if there is none.", "CHAR(65)",
           null_on_null=False),
    scalar("STARTS_WITH", (*_T, P("part", _STRING)), BIT, "starts_with({0}, {1})",
           "1 when the text begins so.", "STARTS_WITH('hello', 'he')"),
    scalar("ENDS_WITH", (*_T, P("part", _STRING)), BIT, "ends_with({0}, {1})",
           "1 when the text ends so.", "ENDS_WITH('hello', 'lo')"),
    replace(
        scalar("HASHBYTES", (P("algorithm", _STRING), P("value", text_or_binary)), VARBINARY,
               _render_hash,
               "Digest of bytes or of a string's UTF-8: 'MD5', 'SHA1', 'SHA2_256' or, as a "
               "constant, 'SHA2_512'; NULL for another.", "HASHBYTES('MD5', 'abc')"),
        in_catalog=_hash_of),
)  # fmt: skip


def _render_split(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    return f"(SELECT unnest(string_split({args[0]}, {args[1]})) AS value)"


def _render_numbered(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    pieces = f"string_split({args[0]}, {args[1]})"
    return f"(SELECT unnest({pieces}) AS value, unnest(range(1, len({pieces}) + 1)) AS ordinal)"


def _numbered(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    """With a third argument of 1 the pieces have their numbers."""
    if len(arguments) < 3:
        return function
    wanted = getattr(arguments[2], "value", "?")
    if wanted not in (0, 1, None):
        raise BindFault("STRING_SPLIT: the third argument is the constant 0 or 1", code="ARGUMENTS")
    return _NUMBERED if wanted else function


def _render_series(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    step = args[2] if len(args) > 2 else f"(CASE WHEN {args[0]} <= {args[1]} THEN 1 ELSE -1 END)"
    zero = raise_sql("BAD_VALUE", span, "GENERATE_SERIES: the step is 0", "BIGINT")
    step = f"CAST((CASE WHEN {step} = 0 THEN {zero} ELSE {step} END) AS BIGINT)"
    return f"(SELECT generate_series AS value FROM generate_series({args[0]}, {args[1]}, {step}))"


_split_arguments = resolver(
    "STRING_SPLIT",
    (P("text", text), P("separator", _STRING), P("enable_ordinal", whole, optional=True)),
    NVARCHAR,
)
_NUMBERED = Function(
    name="STRING_SPLIT",
    kind="table",
    resolve=_split_arguments,
    render=_render_numbered,
    columns=(("value", NVARCHAR), ("ordinal", BIGINT)),
)

#: table functions render to a relation in parentheses whose columns are named as in `columns`
TABLES: tuple[Function, ...] = (
    Function(
        name="STRING_SPLIT",
        kind="table",
        resolve=_split_arguments,
        render=_render_split,
        in_catalog=_numbered,
        parameters=("text", "separator", "enable_ordinal"),
        doc="The pieces of a text between separators, one row each; with 1 also the number of "
        "each, `ordinal`.",
        example="SELECT value FROM STRING_SPLIT('a,b', ',')",
        columns=(("value", NVARCHAR),),
    ),
    Function(
        name="GENERATE_SERIES",
        kind="table",
        resolve=resolver(
            "GENERATE_SERIES",
            (P("start", whole), P("stop", whole), P("step", whole, optional=True)),
            BIGINT,
        ),
        render=_render_series,
        parameters=("start", "stop", "step"),
        doc="The numbers from start to stop, both included; step is 1 or -1 unless given.",
        example="SELECT value FROM GENERATE_SERIES(1, 3)",
        columns=(("value", BIGINT),),
    ),
)
