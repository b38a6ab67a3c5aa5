"""Many sets of parameters that are not of their columns' types: texts for dates, floats for
decimals. Each column comes in the one type that its values have, and the completing query converts
all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql.changes.arrays import array_maker
from hartonomous.hql.changes.columns import columns_of
from hartonomous.hql.changes.completion import Completion
from hartonomous.hql.changes.dml import store_rows
from hartonomous.hql.changes.plain_values import Unusual
from hartonomous.hql.plan import Field
from hartonomous.hql.syntax.trees import unbounded
from hartonomous.hql.system_schema.behaviour import given_shape
from hartonomous.hql.types import BIGINT, Type, decimal, parse_type
from hartonomous.hql.values import parameter_value
from hartonomous.storage.errors import ProgrammingError

if TYPE_CHECKING:
    from hartonomous.hql.changes.fast_insert import FastInsert
    from hartonomous.hql.context import Context

_DIGITS_MAX = 38


def insert_converted(
    fast: FastInsert, context: Context, sets: Sequence[Mapping[str, Any] | Sequence[Any]]
) -> int | None:
    """The number of rows, or None if the sets have no such columns."""
    if len(fast.cells) != 1:
        return None
    names = [name for name, _, _ in fast.cells[0] if name is not None]
    columns = columns_of(names, sets)
    if columns is None:
        return None
    typed = _typed(fast, columns, len(sets))
    if typed is None:
        return None
    fields = [Field(name, type_) for name, (type_, _) in zip(fast.names, typed, strict=True)]
    completion = Completion(given_shape(fast.table), fields)
    rows = pa.Table.from_arrays([array for _, array in typed], names=fast.names)
    return store_rows(context, fast.table, [completion.complete(context, rows)])


def _typed(
    fast: FastInsert, columns: Sequence[Sequence[Any]], count: int
) -> list[tuple[Type, pa.Array]] | None:
    """Type and values of each column."""
    wanted = {c.name: unbounded(parse_type(c.type)) for c in fast.table.columns}
    given, typed = iter(columns), []
    cells = zip(fast.names, fast.cells[0], fast.bulks, fast.makers, strict=True)
    for column, (name, constant, convert), at_once, make in cells:
        values = next(given) if name is not None else [constant] * count
        array = at_once(values) if name is not None else make(values)
        if array is None:
            try:
                array = make([convert(v) for v in values])
            except Unusual:
                own = _own_type(values, wanted[column])
                if own is None:
                    return None
                typed.append(own)
                continue
        typed.append((wanted[column], array))
    return typed


def _own_type(values: Sequence[Any], wanted: Type) -> tuple[Type, pa.Array] | None:
    """The one type that values have as parameters, and they as a column; None if they have
    several."""
    try:
        pairs = [parameter_value("", value) for value in values]
    except ProgrammingError:
        return None  # whose it is says the general way
    types = {type_ for type_, value in pairs if value is not None}
    type_ = _common(types, wanted)
    if type_ is None:
        return None
    return type_, array_maker(type_.arrow)([value for _, value in pairs])


def _common(types: set[Type], wanted: Type) -> Type | None:
    """The type that holds the values of all, if as `wanted` they are the same then."""
    if len(types) == 1:
        return next(iter(types))
    if types and all(t.is_integer for t in types):
        return BIGINT
    # as texts, decimals show their scale
    if types and all(t.kind == "DECIMAL" for t in types) and not wanted.is_string:
        scale = max(t.b or 0 for t in types)
        digits = max((t.a or 0) - (t.b or 0) for t in types) + scale
        return decimal(digits, scale) if digits <= _DIGITS_MAX else None
    return None
