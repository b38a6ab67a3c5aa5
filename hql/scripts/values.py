"""Values that scripts need: of SET and DECLARE, of conditions, of arguments.

A value is converted as an INSERT does it: by a CAST, but what is too long is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql import ast
from hartonomous.hql.bind.context import locate
from hartonomous.hql.changes.completion import check_length
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import BIT, Type
from hartonomous.hql.values import to_python
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


def evaluate(
    context: Context, expression: ast.Expression, type_: Type, *, key: Any, name: str = "the value"
) -> Any:
    """What an expression gives as `type_`, in Python's form. Its plan is kept with the statement
    under `key`; `name` stands in messages."""
    query = ast.Query(ast.Values(((trees.cast(expression, type_),),)))
    rows = context.query(query, key=(key, type_))
    last, _ = last_row(rows, [name], [type_], [expression.span])
    assert last is not None, "VALUES has one row"
    return last[0]


def test(context: Context, condition: ast.Expression) -> bool:
    """Whether a condition is true."""
    one = ast.Literal(1, "INTEGER", span=condition.span)
    is_true = ast.Case(None, ((condition, one),), None, span=condition.span)
    return bool(evaluate(context, is_true, BIT, key="condition"))


def evaluate_all(context: Context, expressions: Sequence[ast.Expression]) -> list[tuple[Type, Any]]:
    """Types and values of expressions, in Python's form."""
    rows = context.query(ast.Query(ast.Values((tuple(expressions),))), key="values")
    assert rows.fields is not None
    types = [field.type for field in rows.fields]
    last, _ = last_row(rows, ["the value"] * len(types), types, [e.span for e in expressions])
    assert last is not None, "VALUES has one row"
    return list(zip(types, last, strict=True))


def last_row(
    rows: Result, names: Sequence[str], types: Sequence[Type], spans: Sequence[ast.Span]
) -> tuple[list[Any] | None, int]:
    """The last row in Python's form, or None, and how many there were; every row's lengths are
    checked."""
    last: pa.RecordBatch | None = None
    count = 0
    try:
        for batch in rows.batches():
            _check_lengths(batch.columns, names, types, spans)
            last = batch
            count += batch.num_rows
    finally:
        rows.close()
    if last is None:
        return None, 0
    row = last.slice(last.num_rows - 1)
    return [to_python(row.column(i), type_)[0] for i, type_ in enumerate(types)], count


def _check_lengths(
    columns: Iterable[pa.Array],
    names: Sequence[str],
    types: Sequence[Type],
    spans: Sequence[ast.Span],
) -> None:
    for column, name, type_, span in zip(columns, names, types, spans, strict=True):
        if type_.a is not None and type_.kind in ("NVARCHAR", "VARBINARY"):
            try:
                check_length(column, name, type_)
            except Error as error:
                locate(error, span)
