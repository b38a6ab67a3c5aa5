"""Table functions computed natively: GENERATE, TOKENIZE.

Where all arguments are known before the statement runs and nothing but the rows is asked for, the
rows leave as they come (operators/function_rows.py). Everywhere else (joins, APPLY, WHERE) the
relational engine calls `of_row`, which gives the rows of one call as a JSON array of arrays, and
takes that apart:

    GENERATE(m, t.s)   →   (SELECT … FROM unnest(from_json(of_row(m, t.s), …)))

A NULL array is no row.
"""

from __future__ import annotations

from collections.abc import Sequence

from hartonomous.hql.functions.base import Function, Resolver, Rows, Specialiser
from hartonomous.hql.functions.resolve import P
from hartonomous.hql.functions.unnest import Columns as Columns
from hartonomous.hql.functions.unnest import Unnest
from hartonomous.hql.types import Type


def native_table(
    name: str,
    parameters: Sequence[P],
    resolve: Resolver,
    columns: Columns,
    of_row: Function,
    rows: Rows,
    doc: str,
    example: str,
    in_catalog: Specialiser,
) -> Function:
    """A table function; `of_row` takes the same arguments."""
    return Function(
        name=name,
        kind="table",
        resolve=resolve,
        render=unnest(columns),
        parameters=tuple(p.name for p in parameters),
        doc=doc,
        example=example,
        null_on_null=False,
        columns=columns,
        in_catalog=in_catalog,
        of_row=of_row,
        rows=rows,
    )


def unnest(columns: Columns) -> Unnest:
    """Of what `of_row` gives."""
    return Unnest(columns, _value)


def _value(place: int, type_: Type) -> str:
    json = f"item->{place}"
    if type_.is_string:
        return f"json_extract_string({json}, '$')"
    return f"CAST({json} AS {type_.relational})"
