"""Users' functions that are more than one expression or query: their bodies run for each row.

A call is a native function of the query around it (functions/base.py). Its kernel gets the rows'
arguments, and runs the body once for each set of arguments that differ, in a frame of its own, in
the transaction and the limits of the statement that calls. The engine may ask from several of its
threads: of one statement, one body runs at a time. A function that fills a table gives its rows as
JSON, which the engine takes apart (row_texts.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql import ast
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.by_value import key_of
from hartonomous.hql.scripts.routines import Routine
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import NVARCHAR, Type
from hartonomous.storage.catalog import Catalog, RoutineEntry

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.context import Context
    from hartonomous.hql.operators.base import Execution

#: rows between two looks of the engine at the statement's limits
BATCH_ROWS = 2_048


def native_function(entry: RoutineEntry, routine: Routine) -> Function:
    """The native function that runs a routine's body. Volatile: it is never computed beforehand,
    for rows that CASE or WHERE would keep from it (a recursive one would not end)."""
    types = tuple(p.type for p in routine.parameters)
    return Function(
        name=routine.title,
        kind="scalar",
        resolve=Signature(routine.returns or NVARCHAR, types),
        kernel=_unbound,
        in_execution=Body(entry),
        parameters=tuple(p.name for p in routine.parameters),
        volatile=True,
        null_on_null=False,
        batch_rows=BATCH_ROWS,
    )


@frozen
class Signature:
    """The resolver of a function whose arguments were converted when they were bound."""

    returns: Type
    parameters: tuple[Type, ...]

    def __call__(
        self, types: Sequence[Type], constants: Sequence[Any]
    ) -> tuple[Type, tuple[Type, ...]]:
        return self.returns, self.parameters


def _unbound(*arguments: Any) -> Any:
    raise AssertionError("a user's function runs in a statement")


@frozen
class Body:
    """What gives the kernel of one run of a statement."""

    entry: RoutineEntry

    def __call__(self, execution: Execution) -> Calls:
        return Calls(self.entry, execution)


class Calls:
    """The kernel: one statement's calls of one function."""

    def __init__(self, entry: RoutineEntry, execution: Execution) -> None:
        from hartonomous.hql.scripts.routines import read_routine

        assert execution.context is not None, "a user's function, and no statement around it"
        self._routine = read_routine(entry)
        self._returns = self._routine.returns or NVARCHAR
        self._entry = entry
        self._context: Context = execution.context
        self._limits = execution.limits
        self._lock = execution.calls
        self._is_stable = not _is_volatile(self._routine, self._context.catalog, {entry.id})
        execution.is_calling = True

    def __call__(self, count: int, *arguments: Any) -> pa.Array:
        from hartonomous.hql.operators.values import as_array
        from hartonomous.hql.values import parameter_value

        routine = self._routine
        found: dict[Any, Any] = {}
        values: list[Any] = []
        with self._lock:
            for row in argument_rows(count, arguments, [p.type for p in routine.parameters]):
                key = key_of(row) if self._is_stable else len(values)
                if key not in found:
                    value = self._run(row)
                    found[key] = None if value is None else parameter_value("", value)[1]
                values.append(found[key])
        return as_array(values, self._returns)

    def _run(self, row: Sequence[Any]) -> Any:
        """The value of the body for one set of arguments; its rows as JSON."""
        from hartonomous.hql.scripts.calling import run_function
        from hartonomous.hql.scripts.row_texts import json_of_rows
        from hartonomous.hql.scripts.stacks import on_stack_of_level

        self._limits.check()
        value = on_stack_of_level(
            self._context.frame.depth,
            lambda: run_function(self._context, self._routine, self._entry, row),
            self._limits,
        )
        return value if self._routine.variable is None else json_of_rows(value)


def _is_volatile(routine: Routine, catalog: Catalog, seen: set[int]) -> bool:
    """Whether the body asks time or chance, itself or by users' functions that it calls: then equal
    arguments need not give equal values. `seen` are the ids of routines that were looked at."""
    from hartonomous.hql import functions
    from hartonomous.hql.scripts.routines import find_routine, read_routine

    for node in trees.walk(routine.body):
        if not isinstance(node, ast.FunctionCall):
            continue
        found = functions.find(node.name.last) if len(node.name.parts) == 1 else None
        if found is not None:
            if found.volatile:
                return True
            continue
        entry = find_routine(catalog, node.name)
        if entry is None:
            return True  # a method, or a function that is not there: nothing is known of it
        if entry.id not in seen:
            seen.add(entry.id)
            if _is_volatile(read_routine(entry), catalog, seen):
                return True
    return False


def argument_rows(
    count: int, arguments: Sequence[Any], types: Sequence[Type]
) -> Iterator[tuple[Any, ...]]:
    """The arguments of each row, in the form that `to_python` gives."""
    import pyarrow as pa

    from hartonomous.hql.values import to_python

    columns = []
    for argument, type_ in zip(arguments, types, strict=True):
        if isinstance(argument, pa.Scalar):
            (value,) = to_python(pa.array([argument.as_py()], argument.type), type_)
            columns.append([value] * count)
        else:
            columns.append(to_python(argument, type_))
    return zip(*columns, strict=True) if columns else iter([()] * count)
