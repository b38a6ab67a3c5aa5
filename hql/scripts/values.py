"""Values that scripts need: of SET and DECLARE, of conditions, of arguments.

A value is converted as an INSERT does it: by a CAST, but what is too long is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql import ast
from hartonomous.hql.bind.context import locate
from hartonomous.hql.changes.completion import check_length
from hartonomous.hql.queries import plan_query, start_plan, values_for
from hartonomous.hql.scripts.quick import Quick, Unsure, compile_plan
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import BIT, Type
from hartonomous.hql.values import to_python
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.context import Context
    from hartonomous.hql.execute import PreparedPlan
    from hartonomous.hql.result import Result

_MISSING: Final = object()


def evaluate(
    context: Context, expression: ast.Expression, type_: Type, *, key: Any, name: str = "the value"
) -> Any:
    """What an expression gives as `type_`, in Python's form. Its plan is kept with the statement
    under `key`; `name` stands in messages."""
    plan, quick = _planned(context, expression, type_, key)
    if quick is not None:
        try:
            value = quick(values_for(context, plan.bound))
        except Unsure:
            value = _MISSING
        if value is not _MISSING and (type_.a is None or value is None or len(value) <= type_.a):
            return value
    last, _ = last_row(start_plan(context, plan), [name], [type_], [expression.span])
    assert last is not None, "VALUES has one row"
    return last[0]


def _planned(
    context: Context, expression: ast.Expression, type_: Type, key: Any
) -> tuple[PreparedPlan, Quick | None]:
    """The expression's plan, and how it is computed without the engine if it is that plain."""
    catalog = context.catalog
    signature = context.parameters.signature, context.frame.tables_signature
    full_key = (key, type_, signature)
    found: tuple[PreparedPlan, Quick | None] | None = context.memory.find(catalog, full_key)
    if found is None:
        query = ast.Query(ast.Values(((trees.cast(expression, type_),),)))
        plan = plan_query(context, query)
        is_text = type_.kind == "NVARCHAR" or type_.a is None  # else a length means something else
        found = plan, compile_plan(plan.bound.plan) if is_text else None
        if not plan.bound.moments:  # which may mean another commit when it is asked again
            context.memory.keep(catalog, full_key, found)
    return found


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
