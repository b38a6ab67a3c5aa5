"""Queries that ask for nothing but the rows of a native table function: `SELECT * FROM GENERATE(…)`
with arguments that are known. They need no relational engine."""

from __future__ import annotations

from hartonomous.hql import plan as p
from hartonomous.hql.rules.simple import is_simple


def function_rows(plan: p.Plan) -> tuple[p.TableFunction, p.Call, tuple[str, ...]] | None:
    """The function, its call, and the columns of it that are the plan's; None for another plan."""
    block = plan.body
    if not isinstance(block, p.SelectBlock) or not isinstance(block.source, p.TableFunction):
        return None
    source = block.source
    if source.function.rows is None or not _is_bare(plan, block):
        return None
    (call,) = source.arguments
    if not isinstance(call, p.Call) or not all(map(is_simple, call.arguments)):
        return None
    columns = zip(source.fields, source.function.columns, strict=True)
    places = {f.name: name for f, (name, _) in columns}
    names = []
    for output in block.outputs:
        if not isinstance(output.expr, p.Column) or output.expr.relation != source.relation:
            return None
        names.append(places[output.expr.name])
    return source, call, tuple(names)


def _is_bare(plan: p.Plan, block: p.SelectBlock) -> bool:
    """Whether nothing is done with the rows."""
    if plan.ctes or plan.order_by or plan.json is not None:
        return False
    if plan.limit is not None or plan.offset is not None:
        return False
    rest = (block.where, block.group_by, block.having)
    return not block.distinct and all(x is None for x in rest)
