"""SELECT, WITH … SELECT, VALUES: a query as a statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import Query
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class QueryStatement(Statement):
    """A query; with INTO, or with `@v = e` items, it changes something."""

    query: Query
    title: ClassVar[str] = "SELECT"

    def __str__(self) -> str:
        return str(self.query)
