"""A JSON array of arrays taken apart into rows by the relational engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hartonomous.hql.types import Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

Columns = tuple[tuple[str, Type], ...]


class Unnest:
    """The renderer: SQL of the JSON array → a relation of these columns. `value` gives SQL of a
    row's value at a place, of a type. Equal for equal ones."""

    def __init__(self, columns: Columns, value: Callable[[int, Type], str]) -> None:
        self.columns, self.value = columns, value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unnest):
            return NotImplemented
        return (self.columns, self.value) == (other.columns, other.value)

    def __hash__(self) -> int:
        return hash((self.columns, self.value))

    def __call__(
        self, arguments: Sequence[str], types: Sequence[Type], result: Type, span: Span
    ) -> str:
        (rows,) = arguments
        listed = ", ".join(
            f"{self.value(place, type_)} AS c{place}"
            for place, (_, type_) in enumerate(self.columns)
        )
        return f"(SELECT {listed} FROM (SELECT unnest(CAST({rows} AS JSON[])) AS item))"
