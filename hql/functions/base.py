"""What a function is: name, signatures, how it is computed, doc, example.

A function is computed in one of two ways:
- relational: `render` gives the relational engine's SQL for its rendered arguments;
- native: `kernel` computes it over Arrow arrays (vectors, geometry, models). A native call whose
  arguments come from one scan is computed before the fragment, else inside it as an Arrow function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.frozen import frozen
from hartonomous.hql.types import Type

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.ast import Span
    from hartonomous.hql.bind.context import BindContext
    from hartonomous.hql.operators.base import Execution
    from hartonomous.hql.plan import Expr

#: given the argument types (and constant values where known, else None), the result type and the
#: types that the arguments are to be cast to; raises BindFault without a span (the binder adds it)
Resolver = Callable[[Sequence[Type], Sequence[Any]], tuple[Type, tuple[Type, ...]]]

#: given the arguments' SQL, the argument types, the result type and the place in the text (for
#: error messages): SQL text that can stand anywhere an operand can (parenthesised if need be)
Renderer = Callable[[Sequence[str], Sequence[Type], Type, "Span"], str]

#: given Arrow arrays of equal length (constants repeated as pa.Scalar): an Arrow array
Kernel = Callable[..., Any]

#: given the function, the bound arguments and what names mean: the function that is to be called
Specialiser = Callable[["Function", "Sequence[Expr]", "BindContext"], "Function"]

#: given the values of the arguments, in Python's form: the rows of a table function as they come
Rows = Callable[..., "Iterator[pa.RecordBatch]"]

#: given one run of a statement: the kernel that its calls have
InExecution = Callable[["Execution"], Kernel]

#: rows that a native function is given at once
BATCH_ROWS: Final = 65_536


@frozen
class Function:
    """One function or operator.

    kind: scalar, aggregate, window, table. `volatile` functions are computed per row and keep
    results from being reused; `null_on_null` says that a NULL argument makes NULL (then constant
    folding and kernels may skip it). `parameters` are names for `@name = value` and for the help.
    `is_distance`: a native FLOAT of two wide arguments, the last two; smaller is nearer, so that
    ORDER BY it with a limit is a search for the nearest. `in_catalog`: the binder asks it for the
    function to call, where that depends on what the catalog holds; raises as a resolver does.
    `batch_rows`: a native function that is slow takes so many rows at most, so that a statement
    can be cancelled in between.

    A function over a query (bind/query_arguments.py) has one for its parameter `query`: as a
    scalar, its kernel is an aggregate's over the query's column, with the other arguments behind;
    as a table, `of_row` is called with the other arguments and the columns of each row but the
    first, and each of `parts` (None: as it is) with what it gives.

    `in_execution` gives the kernel of a volatile function that works in the transaction of the
    statement that calls it (scripts/functions.py); it gets the number of rows first.

    `of_session` names the value of the session that a function without arguments stands for
    (scripts/status.py).

    A native table function (functions/native_table.py) is `of_row`, which gives its rows as JSON,
    and `rows`, which gives them as they come where all arguments are known beforehand.
    """

    name: str
    kind: str
    resolve: Resolver
    render: Renderer | None = None
    kernel: Kernel | None = None
    parameters: tuple[str, ...] = ()
    doc: str = ""
    example: str = ""
    volatile: bool = False
    null_on_null: bool = True
    columns: tuple[tuple[str, Type], ...] = field(default=())  # of a table function
    is_distance: bool = False
    in_catalog: Specialiser | None = None
    batch_rows: int = BATCH_ROWS
    query: int | None = None
    of_row: Function | None = None
    parts: tuple[tuple[str, Function | None], ...] = field(default=())
    rows: Rows | None = None
    of_session: str | None = None
    in_execution: InExecution | None = None

    @property
    def is_native(self) -> bool:
        return self.kernel is not None
