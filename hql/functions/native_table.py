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
from typing import TYPE_CHECKING

from hartonomous.hql.functions.base import Function, Resolver, Rows, Specialiser
from hartonomous.hql.functions.resolve import P
from hartonomous.hql.types import Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

Columns = tuple[tuple[str, Type], ...]


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


class unnest:
    """The renderer: SQL of the JSON array → a relation of these columns. Equal for equal ones."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, unnest) and self.columns == other.columns

    def __hash__(self) -> int:
        return hash(self.columns)

    def __call__(
        self, arguments: Sequence[str], types: Sequence[Type], result: Type, span: Span
    ) -> str:
        (rows,) = arguments
        listed = ", ".join(
            f"{_value(f'item->{place}', type_)} AS c{place}"
            for place, (_, type_) in enumerate(self.columns)
        )
        return f"(SELECT {listed} FROM (SELECT unnest(CAST({rows} AS JSON[])) AS item))"


def _value(json: str, type_: Type) -> str:
    if type_.is_string:
        return f"json_extract_string({json}, '$')"
    return f"CAST({json} AS {type_.relational})"
