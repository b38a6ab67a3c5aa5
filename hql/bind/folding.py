"""DISTINCT and set operations over columns that compare without case (COLLATE NOCASE).

The relational engine compares whole rows by code point, so equality of rows becomes a grouping:

    l UNION r      SELECT MIN(s), k FROM (l UNION ALL r) GROUP BY lower(s), k
    l INTERSECT r  the same over l with side 0 and r with side 1, … HAVING MIN(side) < MAX(side)
    l EXCEPT r     … HAVING MAX(side) = 0

Of rows that differ in case only one is shown, with the least text by code point; of INTERSECT it is
the left side's. With ALL a row's number among its equals on its side is one more column, so that
the first `a` of one side pairs with the first `A` of the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from hartonomous.hql import functions, plan
from hartonomous.hql.ast import NOWHERE
from hartonomous.hql.bind.columns import columns_of, derive, wrap
from hartonomous.hql.bind.context import Statement
from hartonomous.hql.bind.conversions import fold_case, operator
from hartonomous.hql.bind.grouping import aggregate, representative
from hartonomous.hql.types import BIGINT, INT

_SIDE, _NUMBER = "__side", "__number"


def group_alike(inner: plan.Plan, statement: Statement) -> plan.SelectBlock:
    """The different rows of `inner`; its groups are what is compared, column by column."""
    source = derive(inner, statement)
    columns = columns_of(source)
    groups = _compared(columns, inner.fields)
    outputs = [
        plan.Output(f.name, representative(c) if f.nocase else c)
        for c, f in zip(columns, inner.fields, strict=True)
    ]
    return plan.SelectBlock(outputs=tuple(outputs), source=source, group_by=tuple(groups))


def set_operation(
    op: str,
    all_: bool,
    left: plan.Plan,
    right: plan.Plan,
    fields: tuple[plan.Field, ...],
    statement: Statement,
) -> plan.Plan:
    """The set operation over sides of equal types; `fields` say which columns compare folded."""
    if not any(f.nocase for f in fields) or (op == "UNION" and all_):
        return plan.Plan(fields=fields, body=plan.SetBlock(op=op, all=all_, left=left, right=right))
    if op == "UNION":
        both = plan.Plan(fields=fields, body=plan.SetBlock(op, True, left, right))
        return plan.Plan(fields=fields, body=group_alike(both, statement))
    sides = [_marked(s, i, all_, fields, statement) for i, s in enumerate((left, right))]
    both = plan.Plan(fields=sides[0].fields, body=plan.SetBlock("UNION", True, *sides))
    source = derive(both, statement)
    columns = columns_of(source)
    shown, side = columns[: len(fields)], columns[len(fields)]
    is_left = operator("=", (side, _constant(0)), NOWHERE)
    least = [
        representative(plan.Case(type=c.type, whens=((is_left, c),))) if f.nocase else c
        for c, f in zip(shown, fields, strict=True)
    ]
    last = aggregate("MAX", side, INT)
    if op == "EXCEPT":
        having = operator("=", (last, _constant(0)), NOWHERE)
    else:
        having = operator("<", (aggregate("MIN", side, INT), last), NOWHERE)
    block = plan.SelectBlock(
        outputs=tuple([plan.Output(f.name, e) for f, e in zip(fields, least, strict=True)]),
        source=source,
        group_by=(*_compared(shown, fields), *columns[len(fields) + 1 :]),
        having=having,
    )
    return plan.Plan(fields=fields, body=block)


def _marked(
    side: plan.Plan,
    place: int,
    numbered: bool,
    fields: Sequence[plan.Field],
    statement: Statement,
) -> plan.Plan:
    """The side with its place, 0 or 1, and with the number of each row among its equals."""
    around = wrap(side, statement)
    block = around.body
    assert isinstance(block, plan.SelectBlock) and block.source is not None
    more = [plan.Output(_SIDE, _constant(place))]
    if numbered:
        columns = [o.expr for o in block.outputs]
        function = functions.find("ROW_NUMBER")
        assert function is not None
        number = plan.Window(
            type=BIGINT,
            function=function,
            arguments=(),
            partition_by=tuple(_compared(columns, fields)),
            order_by=tuple(
                [plan.Order(c) for c, f in zip(columns, fields, strict=True) if f.nocase]
            ),
        )
        more.append(plan.Output(_NUMBER, number))
    outputs = (*block.outputs, *more)
    return plan.Plan(
        fields=(*fields, *[plan.Field(o.name, o.expr.type) for o in more]),
        body=plan.SelectBlock(outputs=outputs, source=block.source),
    )


def _compared(exprs: Sequence[plan.Expr], fields: Sequence[plan.Field]) -> list[plan.Expr]:
    return [fold_case(e) if f.nocase else e for e, f in zip(exprs, fields, strict=True)]


def _constant(value: int) -> plan.Constant:
    return plan.Constant(type=INT, value=value)
