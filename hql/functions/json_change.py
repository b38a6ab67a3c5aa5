"""JSON made and changed: JSON_MODIFY, JSON_OBJECT, JSON_ARRAY.

JSON_MODIFY changes the text where the path leads and leaves every other character as it was. Its
path may begin with `append`, and with `lax` or `strict`:

    value       lax: set, or added to an object that is there; nothing happens where no place is
                strict: set; an error where nothing is
    NULL        lax: a member is removed, an element becomes null; strict: null
    append      at the end of an array; lax makes one where an object has no such member
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from json.decoder import JSONDecodeError
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.functions.base import Function, Kernel
from hartonomous.hql.functions.by_value import BATCH_ROWS, ByValue
from hartonomous.hql.functions.json_values import value_sql
from hartonomous.hql.functions.resolve import P, anything, exactly, scalar, text
from hartonomous.hql.types import FLOAT, INT, JSON, NVARCHAR, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span
    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.plan import Expr

_PATH = re.compile(r"\s*(append\s+)?(?:(lax|strict)\s+)?\$(.*?)\s*", re.IGNORECASE | re.DOTALL)
_STEP = re.compile(r'\.([^\W\d]\w*)|\.("(?:[^"\\]|\\.)*")|\[(\d{1,9})\]')
_BLANKS = re.compile(r"[ \t\r\n]*")
#: members or elements that a path may lead through
_STEPS_MAX: Final = 128

Step = str | int


def _not_json(at: int) -> ExecutionFault:
    return ExecutionFault(f"JSON_MODIFY: not JSON at character {at + 1}", code="BAD_CAST")


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


#: numbers are only skipped, so they stay texts; NaN and Infinity are not JSON
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse)


def _path(path: str) -> tuple[bool, bool, list[Step]]:
    """Whether it appends, whether it is strict, and its steps."""
    match = _PATH.fullmatch(path)
    steps: list[Step] = []
    at = 0
    while match is not None and at < len(match[3]):
        step = _STEP.match(match[3], at)
        if step is None:
            match = None
            break
        plain, quoted, index = step.groups()
        steps.append(plain or (int(index) if index else json.loads(quoted, strict=False)))
        at = step.end()
    if match is None or len(steps) > _STEPS_MAX or not (steps or match[1]):
        raise ExecutionFault(
            f"JSON_MODIFY: '{path[:80]}' is not a path to a value",
            code="BAD_VALUE",
            hint="paths look like $.a.b[0], append $.list or strict $.a",
        )
    return bool(match[1]), (match[2] or "").lower() == "strict", steps


def _skip(source: str, at: int) -> int:
    match = _BLANKS.match(source, at)
    assert match is not None
    return match.end()


def _end(source: str, at: int) -> int:
    """Where the value that begins at `at` ends."""
    try:
        return _DECODER.raw_decode(source, at)[1]
    except (JSONDecodeError, ValueError):
        raise _not_json(at) from None
    except RecursionError:
        raise ExecutionFault("JSON_MODIFY: the JSON nests too deep", code="RECURSION") from None


def _members(source: str, at: int) -> list[tuple[int, Step, int, int]]:
    """(begin, key or index, begin of the value, end) of each member of the object or element of
    the array that begins at `at`; none of a scalar."""
    out: list[tuple[int, Step, int, int]] = []
    is_object = source[at] == "{"
    if source[at] not in "{[":
        return out
    at = _skip(source, at + 1)
    while source[at] not in "}]":
        begin, key = at, len(out)
        name: Step = key
        if is_object:
            name, at = _DECODER.raw_decode(source, at)
            at = _skip(source, _skip(source, at) + 1)
        end = _end(source, at)
        out.append((begin, name, at, end))
        at = _skip(source, end)
        if source[at] == ",":
            at = _skip(source, at + 1)
    return out


def modified(source: str, path: str, value: str | None) -> str:
    """`source` with `value`, JSON text or None, at a path."""
    is_append, is_strict, steps = _path(path)
    at = _skip(source, 0)
    if _skip(source, _end(source, at)) != len(source):
        raise _not_json(_end(source, at))
    last = steps.pop() if not is_append else None
    for number, step in enumerate(steps):
        found = next((m for m in _members(source, at) if m[1] == step), None)
        if found is None:
            is_last = is_append and number == len(steps) - 1
            if is_last and not is_strict and source[at] == "{" and isinstance(step, str):
                return _added(
                    source, at, f"{json.dumps(step, ensure_ascii=False)}:[{value or 'null'}]"
                )
            return _unchanged(source, path, is_strict)
        at = found[2]
    if is_append:
        if source[at] != "[":
            return _unchanged(source, path, is_strict)
        return _added(source, at, value or "null")
    assert last is not None
    return _set(source, at, last, value, path, is_strict)


def _set(source: str, at: int, step: Step, value: str | None, path: str, is_strict: bool) -> str:
    """With the member or element of what begins at `at` set, added or removed."""
    members = _members(source, at)
    place = next((i for i, m in enumerate(members) if m[1] == step), None)
    is_object = source[at] == "{"
    if place is None or is_object != isinstance(step, str):
        if is_strict or value is None or not is_object or not isinstance(step, str):
            return _unchanged(source, path, is_strict)
        return _added(source, at, f"{json.dumps(step, ensure_ascii=False)}:{value}")
    begin, _, start, end = members[place]
    if value is not None or is_strict or not is_object:
        return source[:start] + (value or "null") + source[end:]
    if place + 1 < len(members):
        return source[:begin] + source[members[place + 1][0] :]
    before = members[place - 1][3] if place else begin
    return source[:before] + source[end:]


def _added(source: str, at: int, member: str) -> str:
    members = _members(source, at)
    end = members[-1][3] if members else at + 1
    return f"{source[:end]}{',' if members else ''}{member}{source[end:]}"


def _unchanged(source: str, path: str, is_strict: bool) -> str:
    if is_strict:
        raise ExecutionFault(f"JSON_MODIFY: there is nothing at '{path[:80]}'", code="BAD_VALUE")
    return source


# --- values --------------------------------------------------------------------------------------


def _kernel(as_json: Any) -> Kernel:
    def compute(source: str | None, path: str | None, value: Any) -> str | None:
        if source is None or path is None:
            return None
        return modified(source, path, None if value is None else as_json(value))

    return ByValue(compute, JSON, nulls=True)


def _number(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if value != value or value in (float("inf"), float("-inf")):
        return "null"
    return repr(value)


#: by kind of value, made once, so that calls compare
_KERNELS: Final = {
    "JSON": _kernel(str),
    "BIT": _kernel(lambda value: "true" if value else "false"),
    "NUMBER": _kernel(_number),
    "TEXT": _kernel(lambda value: json.dumps(value, ensure_ascii=False)),
}


def _modify_of(function: Function, arguments: Sequence[Expr], context: BindContext) -> Function:
    type_ = arguments[2].type
    kind = "NUMBER" if type_.is_numeric else type_.kind
    return replace(function, kernel=_KERNELS.get(kind, _KERNELS["TEXT"]))


def _modifying(given: Type) -> Type | None:
    if given.kind in ("JSON", "BIT") or given.is_exact:
        return given
    return FLOAT if given.is_float else text(given)


# --- made ----------------------------------------------------------------------------------------


def _narrow(name: str, given: Sequence[Type]) -> tuple[Type, ...]:
    for type_ in given:
        if type_.is_wide:
            raise BindFault(f"{name}: {type_} is no JSON value", code="TYPE_MISMATCH",
                            hint="CAST it to NVARCHAR")  # fmt: skip
    return tuple([INT if t.kind == "NULL" else t for t in given])


def _resolve_object(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    if len(types) % 2:
        raise BindFault("JSON_OBJECT takes keys and values, in pairs", code="ARGUMENTS")
    if any(not text(t) for t in types[::2]):
        raise BindFault("JSON_OBJECT: a key is a text", code="TYPE_MISMATCH")
    wanted = _narrow("JSON_OBJECT", types)
    return JSON, tuple([NVARCHAR if i % 2 == 0 else t for i, t in enumerate(wanted)])


def _resolve_array(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    return JSON, _narrow("JSON_ARRAY", types)


def _render_object(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    """A NULL value is null; a NULL key, which JSON has not, is an empty one."""
    pairs = [
        f"CAST(to_json(coalesce({args[i]}, '')) AS VARCHAR) || ':' || "
        f"coalesce({value_sql(args[i + 1], types[i + 1])}, 'null')"
        for i in range(0, len(args), 2)
    ]
    return f"('{{' || concat_ws(',', {', '.join(pairs)}) || '}}')" if pairs else "'{}'"


def _render_array(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    values = [value_sql(a, t) for a, t in zip(args, types, strict=True)]
    return f"('[' || concat_ws(',', {', '.join(values)}) || ']')" if values else "'[]'"


_MODIFY = scalar(
    "JSON_MODIFY",
    (P("json", text), P("path", exactly(NVARCHAR)), P("value", _modifying)),
    JSON,
    None,
    "With the value at the path set, added or (NULL) removed; `append $.list` adds to an array. "
    "A text becomes a string, JSON stays JSON. What is not there changes nothing, or is an error "
    "after `strict`.",
    """JSON_MODIFY('{"a": 1}', '$.b', 'x')""",
    kernel=_KERNELS["TEXT"],
    null_on_null=False,
    batch_rows=BATCH_ROWS,
)

JSON_CHANGES: tuple[Function, ...] = (
    replace(_MODIFY, in_catalog=_modify_of),
    scalar("JSON_OBJECT", (P("key", text, optional=True), P("value", anything, many=True)), JSON,
           _render_object, "An object of keys and values; NULL is null.",
           "JSON_OBJECT('a', 1, 'b', 'x')", null_on_null=False, resolve=_resolve_object),
    scalar("JSON_ARRAY", (P("value", anything, many=True),), JSON, _render_array,
           "An array of the values; NULLs are left out.", "JSON_ARRAY(1, 'x', NULL)",
           null_on_null=False, resolve=_resolve_array),
)  # fmt: skip
