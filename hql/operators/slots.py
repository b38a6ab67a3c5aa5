"""Slots: the places in a fragment's text that native values and calls fill at execution.

Lowering makes them beside the text (lower/native.py); the fragment operator fills them.
"""

from __future__ import annotations

from hartonomous.hql import plan as p
from hartonomous.hql.ast import Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.base import Function
from hartonomous.hql.types import Type


@frozen
class ValueSlot:
    """A native value known before the fragment runs: parameter `name` of the text. A wide one
    is source `source` of the WideStore."""

    name: str
    expr: p.Expr
    source: int | None


@frozen
class CallSlot:
    """A native call per row. `arguments`: a type for what the engine passes (in order), an
    expression for what is known before. Number `source` of the WideStore takes wide results. An
    aggregate's first argument is a list of handles per group; it has a second, TRUE, if the lists
    are in an order that was asked for."""

    name: str
    function: Function
    type: Type
    arguments: tuple[Type | p.Expr, ...]
    source: int | None
    span: Span
