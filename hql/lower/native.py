"""Native calls inside a fragment: what the engine's text says, what is called at execution.

A call whose arguments are all simple values is computed once when the statement starts, and stands
in the text as a parameter (`ValueSlot`). Any other is a call of one of the engine's Arrow functions
(relational.py) with a number bound at execution (`CallSlot`), which finds the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from hartonomous.hql import plan as p
from hartonomous.hql.engine.native_calls import native_call_sql
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.vectors import INTERN
from hartonomous.hql.operators.slots import CallSlot, ValueSlot
from hartonomous.hql.rules.simple import is_known
from hartonomous.hql.types import Type


class Natives:
    """The native values and calls of one fragment. Wide ones are sources of the WideStore, whose
    `numbers` the whole statement shares."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self.values: list[ValueSlot] = []
        self.calls: list[CallSlot] = []
        self._numbers = numbers
        self._texts: dict[p.Expr, str] = {}
        self._calls: dict[tuple[object, ...], str] = {}

    def sql(self, call: p.Call, arguments: list[str]) -> str:
        """The text that stands for a native call; `arguments` are the texts of its arguments."""
        if is_known(call):
            return self._value(call)
        if call.function is INTERN and _is_interned(call.arguments[0]):
            return arguments[0]
        passed = [t for t, a in zip(arguments, call.arguments, strict=True) if not is_known(a)]
        return self._call(call, tuple(a if is_known(a) else a.type for a in call.arguments), passed)

    def call_sql(self, function: Function, result: Type, argument: Type, text: str) -> str:
        """The text of a native call over one column that is only a text."""
        call = p.Call(type=result, function=function, arguments=())
        return self._call(call, (argument,), [text])

    def _value(self, expr: p.Expr) -> str:
        if expr not in self._texts:
            name = f"__native{len(self.values)}"
            source = next(self._numbers) if expr.type.is_wide else None
            self.values.append(ValueSlot(name, expr, source))
            self._texts[expr] = f"CAST(${name} AS {expr.type.relational})"
        return self._texts[expr]

    def _call(self, call: p.Call, arguments: tuple[Type | p.Expr, ...], texts: list[str]) -> str:
        key = (call.function.name, call.type, arguments, tuple(texts))
        if key in self._calls:  # one number, so that a grouping key is seen in the select list
            return self._calls[key]
        name = f"__call{len(self.calls)}"
        is_new = call.type.is_wide and call.function is not INTERN
        source = next(self._numbers) if is_new else None
        slot = CallSlot(name, call.function, call.type, arguments, source, call.span)
        self.calls.append(slot)
        is_late = call.function.in_execution is not None
        self._calls[key] = native_call_sql(call.type, f"${name}", texts, late=is_late)
        return self._calls[key]


def _is_interned(expr: p.Expr) -> bool:
    return isinstance(expr, p.Call) and expr.function is INTERN
