"""Native calls from inside a fragment, and native values handed to it.

The engine calls with handles and narrow values, a few thousand rows at a time and from any of its
threads; here handles become values, the kernel runs, and wide results become handles again. What a
kernel raises is kept in the execution: the engine would only pass its text on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.engine.native_calls import as_texts
from hartonomous.hql.functions.vectors import INTERN
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.evaluate import PLACED, evaluate
from hartonomous.hql.operators.slots import CallSlot, ValueSlot
from hartonomous.hql.operators.wide import Int64, handles
from hartonomous.hql.plan import Call
from hartonomous.hql.types import Type


def value_of_slot(slot: ValueSlot, execution: Execution) -> Any:
    """The parameter value of a native value: Python's form, or a handle."""
    with execution.limits.lent():
        scalar = evaluate(slot.expr, {}, execution.parameters)
    assert isinstance(scalar, pa.Scalar), slot.expr
    if slot.source is None:
        return scalar.as_py()
    if not scalar.is_valid:
        return None
    values = pa.array([scalar], scalar.type)
    execution.store.add(slot.source, [values])
    made = handles(slot.source, 0, values)
    if isinstance(slot.expr, Call) and slot.expr.function is INTERN:
        made = execution.store.intern(made)
    return made[0].as_py()


class BoundCall:
    """A native call of one execution, ready to be called by the engine."""

    def __init__(self, slot: CallSlot, execution: Execution) -> None:
        self._slot, self._execution = slot, execution
        function = slot.function
        self._kernel = (
            function.kernel if function.in_execution is None else function.in_execution(execution)
        )
        self._known = [
            None if isinstance(a, Type) else evaluate(a, {}, execution.parameters)
            for a in slot.arguments
        ]

    def __call__(self, columns: list[pa.Array]) -> pa.Array:
        """The results for the rows of `columns`, as the engine takes them."""
        limits = self._execution.limits
        limits.check()
        try:
            with limits.lent():
                return self._call(columns)
        except PLACED as fault:
            if fault.line is None:
                fault.line, fault.column = self._slot.span.line, self._slot.span.column
            raise

    def _call(self, columns: list[pa.Array]) -> pa.Array:
        slot, store = self._slot, self._execution.store
        if slot.function is INTERN:
            return store.intern(columns[0])
        if slot.function.query is not None:
            return self._reduce_query(columns[0])
        if slot.function.kind == "aggregate":
            return self._reduce(columns[0])
        given = iter(columns)
        arguments: list[Any] = []
        for kind, known in zip(slot.arguments, self._known, strict=True):
            if not isinstance(kind, Type):
                arguments.append(known)
            elif kind.is_wide:
                arguments.append(store.gather(next(given), kind.arrow))
            else:
                arguments.append(next(given))
        assert self._kernel is not None
        if slot.function.in_execution is not None:
            return self._result(self._kernel(len(columns[0]), *arguments))
        return self._result(self._kernel(*arguments))

    def _reduce(self, lists: pa.Array) -> pa.Array:
        """An aggregate: `lists` holds the handles of each group; an empty one gives NULL."""
        slot, store = self._slot, self._execution.store
        sizes = np.diff(lists.offsets.to_numpy()).astype(np.int64)
        if lists.null_count:
            sizes[lists.is_null().to_numpy(zero_copy_only=False)] = 0
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        kind = slot.arguments[0]
        assert isinstance(kind, Type) and slot.function.kernel is not None
        flat: Int64 = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
        if len(slot.arguments) == 1:
            # the engine's threads collect in any order; sums of floats must not depend on it
            flat = flat[np.lexsort((flat, np.repeat(np.arange(len(sizes)), sizes)))]
        values = store.gather(pa.array(flat), slot.type.arrow)
        return self._result(slot.function.kernel(values, offsets))

    def _reduce_query(self, lists: pa.Array) -> pa.Array:
        """A function over the rows of a query: `lists` holds the values of each group, the other
        arguments are known."""
        offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(), out=offsets[1:])
        assert self._slot.function.kernel is not None
        return self._result(self._slot.function.kernel(lists.flatten(), offsets, *self._known[1:]))

    def _result(self, values: pa.Array) -> pa.Array:
        slot = self._slot
        if slot.source is not None:
            values = self._execution.store.append(slot.source, values)
        if slot.function.in_execution is not None:
            return as_texts(values)
        if slot.source is not None:
            return values
        return values if values.type.equals(slot.type.arrow) else values.cast(slot.type.arrow)
