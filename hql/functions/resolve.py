"""Making functions: parameters say what they accept, a template says how they are computed.

`scalar("LEFT", (P("text", text), P("count", whole)), NVARCHAR, "left({0}, {1})", …)` is a Function
whose resolver counts arguments, finds the type each is cast to and the type of the result, and
whose renderer fills the template. A result may be a type, the index of the argument whose type it
takes, or a function of the arguments' types (after their casts).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.base import BATCH_ROWS, Function, Kernel, Renderer, Resolver
from hartonomous.hql.functions.coerce import can_cast, common_type
from hartonomous.hql.types import BIGINT, FLOAT, INT, NVARCHAR, VARBINARY, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

#: the type that an argument of the given type is cast to; None when it does not fit
Accept = Callable[[Type], Type | None]
Result = Type | int | Callable[[Sequence[Type]], Type]


@frozen
class P:
    """One parameter. `many`: the last one, one or more times."""

    name: str
    accepts: Accept
    optional: bool = False
    many: bool = False


def exactly(target: Type) -> Accept:
    """Values that turn into `target` unasked."""
    return lambda given: target if can_cast(given, target) else None


def number(given: Type) -> Type | None:
    """A number of any type; BIT counts as INT, a string as FLOAT."""
    if given.is_numeric:
        return given
    if given.is_string:
        return FLOAT
    return INT if given.kind in ("BIT", "NULL") else None


def approximate(given: Type) -> Type | None:
    """A number, as FLOAT."""
    return FLOAT if can_cast(given, FLOAT) else None


def whole(given: Type) -> Type | None:
    """An integer, as BIGINT; fractions are cut off."""
    return BIGINT if can_cast(given, BIGINT) else None


def text(given: Type) -> Type | None:
    """A string, or what turns into one; lengths do not matter."""
    if given.is_string:
        return given
    return NVARCHAR if can_cast(given, NVARCHAR) else None


def text_or_binary(given: Type) -> Type | None:
    return given if given.kind == "VARBINARY" else text(given)


def binary(given: Type) -> Type | None:
    return VARBINARY if given.kind in ("VARBINARY", "NULL") else None


def anything(given: Type) -> Type | None:
    return INT if given.kind == "NULL" else given


def narrow(given: Type) -> Type | None:
    """Anything that has an order: not vectors and geometries."""
    return None if given.is_wide else anything(given)


def quote(value: str) -> str:
    """A string constant of the relational engine; control characters never stand in the text."""
    text = "'" + value.replace("'", "''") + "'"
    if value.isprintable():
        return text
    pieces = [f"' || chr({ord(c)}) || '" if c < " " else c for c in text]
    joined = "".join(pieces)
    return f"({joined})" if len(joined) != len(text) else text


def raise_sql(code: str, span: Span, message: str, result: str, detail: str = "") -> str:
    """SQL that raises `code` with its place in the text when it is evaluated. `detail` is SQL of a
    string that is appended to the message."""
    mark = quote(f"HQL:{code}:{span.line}:{span.column}:{message}")
    return f"CAST(error({mark}{f' || {detail}' if detail else ''}) AS {result})"


#: bytes of a text that a function may make of little: REPLICATE, SPACE, REPLACE
MADE_BYTES_MAX = 1 << 24


def bounded_sql(size: str, sql: str, span: Span, type_: str = "VARCHAR") -> str:
    """`sql`, an argument of what makes a text of at most `size` bytes, or OVERFLOW. Around the
    argument and not the call, since the engine computes what is constant in branches too."""
    message = f"a text of over {MADE_BYTES_MAX:,} bytes is too long to be made"
    wrong = raise_sql("OVERFLOW", span, message, type_)
    return f"(CASE WHEN {size} > {MADE_BYTES_MAX} THEN {wrong} ELSE {sql} END)"


def describe(types: Sequence[Type]) -> str:
    return ", ".join(str(t) for t in types)


def resolver(name: str, parameters: Sequence[P], result: Result) -> Resolver:
    """Counts the arguments, casts each to what its parameter accepts."""
    least = sum(not p.optional for p in parameters)
    most = None if parameters and parameters[-1].many else len(parameters)

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        check_count(name, parameters, len(types), least, most)
        casts = []
        for i, given in enumerate(types):
            parameter = parameters[min(i, len(parameters) - 1)]
            cast = parameter.accepts(given)
            if cast is None:
                raise BindFault(
                    f"{name}: argument {i + 1} ({parameter.name}) cannot be {given}",
                    code="TYPE_MISMATCH",
                )
            casts.append(cast)
        return result_type(result, casts), tuple(casts)

    return resolve


def check_count(
    name: str, parameters: Sequence[P], given: int, least: int, most: int | None
) -> None:
    if given < least or (most is not None and given > most):
        names = ", ".join(f"[{p.name}]" if p.optional else p.name for p in parameters)
        more = " …" if most is None else ""
        raise BindFault(
            f"{name} takes ({names}{more}), not {given} argument{'' if given == 1 else 's'}",
            code="ARGUMENTS",
        )


def result_type(result: Result, types: Sequence[Type]) -> Type:
    if isinstance(result, Type):
        return result
    return types[result] if isinstance(result, int) else result(types)


def meeting(name: str, first: int = 0, least: int = 1) -> Resolver:
    """Arguments from `first` on meet in one type, which is the result's."""

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        if len(types) < first + least:
            raise BindFault(f"{name} takes at least {first + least} arguments", code="ARGUMENTS")
        together = meet(name, types[first:])
        return together, (*types[:first], *[together] * (len(types) - first))

    return resolve


def meet(name: str, types: Sequence[Type]) -> Type:
    """The type in which all meet; a BindFault if there is none. Bare NULLs alone are INT."""
    try:
        together = common_type(types)
    except BindFault as fault:
        fault.message = f"{name}: {fault.message}"
        raise
    return INT if together.kind == "NULL" else together


def template(sql: str, cast: bool = False) -> Renderer:
    """Fills `{0}`, `{1}` … ; `{*}` is all arguments. `cast` states the result's type, for engine
    functions whose result is wider than ours."""

    def render(arguments: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        listed = "{*}" in sql
        filled = sql.replace("{*}", ", ".join(arguments)) if listed else sql.format(*arguments)
        return f"CAST({filled} AS {result.relational})" if cast else filled

    return render


def scalar(
    name: str,
    parameters: Sequence[P],
    result: Result,
    sql: str | Renderer | None,
    doc: str,
    example: str,
    *,
    cast: bool = False,
    volatile: bool = False,
    null_on_null: bool = True,
    resolve: Resolver | None = None,
    kernel: Kernel | None = None,
    is_distance: bool = False,
    batch_rows: int = BATCH_ROWS,
    of_session: str | None = None,
) -> Function:
    """A scalar function; `sql` is a template or a renderer, or None for a native one."""
    return Function(
        name=name,
        kind="scalar",
        resolve=resolve or resolver(name, parameters, result),
        render=template(sql, cast) if isinstance(sql, str) else sql,
        kernel=kernel,
        parameters=tuple(p.name for p in parameters),
        doc=doc,
        example=example,
        volatile=volatile,
        null_on_null=null_on_null,
        is_distance=is_distance,
        batch_rows=batch_rows,
        of_session=of_session,
    )
