"""Choosing among values: COALESCE, NULLIF, IIF and their kin.

They evaluate like CASE: a branch that is not taken raises no error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function, Resolver
from hartonomous.hql.functions.coerce import can_cast
from hartonomous.hql.functions.resolve import P, anything, meet, meeting, narrow, scalar
from hartonomous.hql.types import BIGINT, BIT, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span


def _resolve_iif(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
    if len(types) != 3:
        raise BindFault("IIF takes (condition, yes, no)", code="ARGUMENTS")
    if not can_cast(types[0], BIT):
        raise BindFault(f"IIF: {types[0]} is not a condition", code="TYPE_MISMATCH")
    both = meet("IIF", types[1:])
    return both, (BIT, both, both)


def _resolve_choose(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    if len(types) < 2 or not can_cast(types[0], BIGINT):
        raise BindFault("CHOOSE takes (index, value, value …)", code="ARGUMENTS")
    together = meet("CHOOSE", types[1:])
    return together, (BIGINT, *[together] * (len(types) - 1))


def _render_choose(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    whens = " ".join(f"WHEN {i} THEN {value}" for i, value in enumerate(args[1:], 1))
    return f"(CASE {args[0]} {whens} END)"


def _resolve_isnull(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    if len(types) != 2:
        raise BindFault("ISNULL takes two arguments", code="ARGUMENTS")
    both = meet("ISNULL", types)
    return both, (both, both)


def _ordered(name: str) -> Resolver:
    """Arguments that meet in one type, which has an order."""
    together = meeting(name)

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        result, wanted = together(types, constants)
        if result.is_wide:
            raise BindFault(f"{name}: {result} has no order", code="TYPE_MISMATCH")
        return result, wanted

    return resolve


_VALUES = (P("value", anything, many=True),)

CONDITIONAL: tuple[Function, ...] = (
    scalar("COALESCE", _VALUES, 0, "coalesce({*})", "The first argument that is not NULL.",
           "COALESCE(NULL, 2, 3)", null_on_null=False, resolve=meeting("COALESCE")),
    scalar("ISNULL", (P("value", anything), P("replacement", anything)), 0,
           "coalesce({0}, {1})", "The second argument where the first is NULL, in the type in "
           "which both meet.", "ISNULL(NULL, 'none')", null_on_null=False,
           resolve=_resolve_isnull),
    scalar("NULLIF", (P("value", anything), P("null", anything)), 0, None,
           "NULL where both arguments are equal, else the first, in its type.", "NULLIF(3, 3)",
           null_on_null=False),  # the binder makes a CASE of it
    scalar("IIF", (P("condition", anything), P("yes", anything), P("no", anything)), 1,
           "(CASE WHEN {0} THEN {1} ELSE {2} END)", "The second argument where the condition "
           "holds, else (also for NULL) the third.", "IIF(1 < 2, 'yes', 'no')",
           null_on_null=False, resolve=_resolve_iif),
    scalar("CHOOSE", (P("index", anything), *_VALUES), 1, _render_choose,
           "The index-th of the values, counted from 1; NULL outside.",
           "CHOOSE(2, 'a', 'b', 'c')", null_on_null=False, resolve=_resolve_choose),
    scalar("GREATEST", (P("value", narrow, many=True),), 0, "greatest({*})",
           "The largest argument; NULLs are left out.", "GREATEST(1, 5, 3)", null_on_null=False,
           resolve=_ordered("GREATEST")),
    scalar("LEAST", (P("value", narrow, many=True),), 0, "least({*})",
           "The smallest argument; NULLs are left out.", "LEAST(4, 2, 3)", null_on_null=False,
           resolve=_ordered("LEAST")),
)  # fmt: skip
