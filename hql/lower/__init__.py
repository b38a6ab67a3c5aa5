"""From a plan to operators: one fragment for the relational engine, native operators around it.

Gather                    wide values and declared types
  Fragment                the text, run by the engine
    Scan, ArrowInput …    what the text reads
      TopK, Fragment      the nearest rows, and the WHERE before them

SoughtRows                where columns of the rows that a key finds are all that is asked for
  Scan
  Gather …                where its index does not pay

RowsInOrder               where columns of the first rows of an index are all that is asked for
  Scan
  Gather …                where its index does not pay

FunctionRows              where the rows of a native table function are all that is asked for

NearestRows               where the nearest rows, as they are, are all that is asked for
  Scan
    TopK, Fragment
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

from hartonomous.hql import plan as p
from hartonomous.hql.lower.counts import counts
from hartonomous.hql.lower.fragment import Fragment
from hartonomous.hql.lower.function_rows import function_rows
from hartonomous.hql.lower.in_order import ordered_columns
from hartonomous.hql.lower.native import Natives
from hartonomous.hql.lower.nearest import nearest_columns
from hartonomous.hql.lower.recursion import STEPS_MAX
from hartonomous.hql.lower.sought import sought_columns
from hartonomous.hql.operators.arrow_input import ArrowInput
from hartonomous.hql.operators.base import Operator
from hartonomous.hql.operators.coefficients import CoefficientsOperator
from hartonomous.hql.operators.fragment import FragmentOperator
from hartonomous.hql.operators.function_rows import FunctionRows
from hartonomous.hql.operators.gather import Gather
from hartonomous.hql.operators.nearest_rows import NearestRows
from hartonomous.hql.operators.pairs import PairsOperator
from hartonomous.hql.operators.rows_in_order import RowsInOrder
from hartonomous.hql.operators.scan import ScanOperator
from hartonomous.hql.operators.sought_rows import SoughtRows
from hartonomous.hql.operators.topk import TopK
from hartonomous.hql.operators.values import SimpleValues, simple_rows

#: by relation
Siblings = dict[int, ScanOperator | ArrowInput]


def lower(plan: p.Plan) -> Operator:
    """The operators that give the plan's rows in its declared types."""
    rows = simple_rows(plan)
    if rows is not None:
        return SimpleValues(rows, plan.fields, p.schema_of(plan.fields))
    nearest = nearest_columns(plan)
    if nearest is not None:
        source, names = nearest
        scan = _scan(source, source.alias, count(), {})
        return NearestRows(scan, names, plan.fields, plan.offset, tuple(counts(plan)))
    sought = sought_columns(plan)
    if sought is not None:
        source, outputs, tests = sought
        scan, schema = _scan(source, source.alias, count(), {}), p.schema_of(plan.fields)
        otherwise = Gather(_fragment(plan, count()), plan.fields, schema)
        return SoughtRows(scan, outputs, tests, schema, otherwise)
    ordered = ordered_columns(plan)
    if ordered is not None:
        source, names = ordered
        scan, schema = _scan(source, source.alias, count(), {}), p.schema_of(plan.fields)
        otherwise = Gather(_fragment(plan, count()), plan.fields, schema)
        return RowsInOrder(scan, names, plan.offset, schema, otherwise)
    streamed = function_rows(plan)
    if streamed is not None:
        table, call, columns = streamed
        return FunctionRows(table.function, call.arguments, call.span, columns, plan.fields)
    return Gather(_fragment(plan, count()), plan.fields, p.schema_of(plan.fields))


def _fragment(plan: p.Plan, numbers: Iterator[int]) -> FragmentOperator:
    natives = Natives(numbers)
    options = dict(plan.options)
    fragment = Fragment(plan, natives, options.get("MAXRECURSION", STEPS_MAX))
    is_single = len(fragment.inputs) == 1 and not plan.ctes
    siblings: Siblings = {}
    inputs = {
        number: _input(source, fragment.names.label(number), is_single, numbers, siblings)
        for number, source in fragment.inputs.items()
        if not isinstance(source, p.Pairs)
    }
    pairs = [
        _pairs(source, fragment.names.label(source.relation), inputs)
        for source in fragment.inputs.values()
        if isinstance(source, p.Pairs)
    ]
    return FragmentOperator(
        text=fragment.text,
        plan=plan,
        inputs=(*inputs.values(), *pairs),
        parameters=tuple(fragment.parameters.values()),
        values=tuple(natives.values),
        calls=tuple(natives.calls),
        counts=tuple(counts(plan)),
    )


def _input(
    source: p.Scan | p.ArrowSource | p.Coefficients,
    label: str,
    is_single: bool,
    numbers: Iterator[int],
    siblings: Siblings,
) -> ScanOperator | ArrowInput | CoefficientsOperator:
    if isinstance(source, p.Coefficients):
        return CoefficientsOperator(source, label)
    if isinstance(source, p.ArrowSource):
        wide = [f.name for f in source.fields if f.type.is_wide]
        given = ArrowInput(source, label, {name: next(numbers) for name in wide}, is_single)
        siblings[source.relation] = given
        return given
    scan = _scan(source, label, numbers, siblings)
    siblings[source.relation] = scan
    return scan


def _scan(source: p.Scan, label: str, numbers: Iterator[int], siblings: Siblings) -> ScanOperator:
    """`siblings`: what the fragment reads, of which there will be more."""
    wide = [f.name for f in source.fields if f.type.is_wide]
    wide += [c.name for c in source.computed if c.expr.type.is_wide]
    top = None
    if source.nearest is not None:
        where = source.nearest.filter
        top = TopK(source.nearest, None if where is None else _fragment(where, numbers))
    return ScanOperator(source, label, {name: next(numbers) for name in wide}, top, siblings)


def _pairs(
    source: p.Pairs,
    label: str,
    inputs: Mapping[int, ScanOperator | ArrowInput | CoefficientsOperator],
) -> PairsOperator:
    left, right = inputs[source.left], inputs[source.right]
    assert isinstance(left, ScanOperator) and isinstance(right, ScanOperator)
    return PairsOperator(source, label, left, right)
