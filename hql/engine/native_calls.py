"""Native calls: functions of ours that the relational engine calls for its rows.

The engine knows a few Arrow functions, one for each type of result; the first argument of each is
the number under which a call's own function was registered.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pyarrow as pa

from hartonomous.hql.types import Type

#: relational type of a native call's result -> name of the Arrow function that runs it
CALL_FUNCTIONS = {
    name: f"__hql_call_{name.lower()}"
    for name in ("DOUBLE", "FLOAT", "BIGINT", "INTEGER", "BOOLEAN", "VARCHAR", "BLOB")
}

#: runs what must be called for each row where it stands and never beforehand: results are texts
LATE_FUNCTION = "__hql_call_late"

Compute = Callable[[list[pa.Array]], pa.Array]


class NativeCalls:
    """The native calls that fragments may make at this moment, by number; safe across threads."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._computes: dict[int, Compute] = {}
        self._failures: dict[int, BaseException] = {}

    def register(self, compute: Compute) -> int:
        """A number under which a fragment's SQL reaches `compute`, which takes the arguments'
        arrays (without the number; a constant is repeated) and gives an array as long. It may be
        called from several threads."""
        number = next(self._numbers)
        self._computes[number] = compute
        return number

    def release(self, number: int) -> None:
        """The call is over. Idempotent."""
        self._computes.pop(number, None)
        self._failures.pop(number, None)

    def run(self, numbers: pa.ChunkedArray, *arguments: pa.ChunkedArray) -> pa.Array:
        """What the engine calls for each vector of rows."""
        number = numbers[0].as_py()
        compute = self._computes.get(number)
        assert compute is not None, f"native call {number} was released"
        try:
            return compute([_one_chunk(a) for a in arguments])
        except BaseException as failure:
            raise self.put_aside(number, failure) from failure

    def put_aside(self, number: int, failure: BaseException) -> RuntimeError:
        """What to raise into the engine, which keeps only the text of an exception; translate()
        finds the rest here."""
        from hartonomous.hql.engine.relational_errors import CALL_MARK

        self._failures[number] = failure
        return RuntimeError(f"{CALL_MARK}{number}:")

    def failure(self, number: int) -> BaseException | None:
        """What a call raised, once."""
        return self._failures.pop(number, None)


def _one_chunk(array: pa.ChunkedArray) -> pa.Array:
    return array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()


def as_texts(values: pa.Array) -> pa.Array:
    """The results of a late call as the engine takes them: nothing is lost."""
    type_ = values.type
    if pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return pa.array([None if v is None else v.hex() for v in values.to_pylist()], pa.string())
    if pa.types.is_timestamp(type_):
        values = values.cast(pa.timestamp("us"))
    return values.cast(pa.string())


#: the process's table of native calls
NATIVE_CALLS = NativeCalls()


def native_call_sql(
    result: Type, number: int | str, arguments: Sequence[str], *, late: bool = False
) -> str:
    """SQL of native call `number`; wide arguments and results are handles. The engine computes a
    call of constants when it plans, but for a `late` one, whose results are texts (`as_texts`);
    one without arguments gets a 0."""
    if late:
        text = f"{LATE_FUNCTION}({', '.join([str(number), *(arguments or ['0'])])})"
        if result.relational == "BLOB":
            return f"from_hex({text})"
        return text if result.is_string else f"CAST({text} AS {result.relational})"
    return f"{CALL_FUNCTIONS[result.relational]}({', '.join([str(number), *arguments])})"
