"""SELECT, WITH … SELECT, VALUES: a query as a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import ObjectName, Query, Select, SetOperation
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class QueryStatement(Statement):
    """A query; with INTO, or with `@v = e` items, it changes something."""

    query: Query
    title: ClassVar[str] = "SELECT"
    right: ClassVar[str] = ""

    def __str__(self) -> str:
        return str(self.query)

    @property
    def effect(self) -> str:
        return "changes" if find_into(self.query) is not None else "reads"

    def run(self, context: Context) -> Result:
        """The rows; with INTO a new table of them, with `@v = e` new values of variables."""
        if find_into(self.query) is not None:
            from hartonomous.hql.changes.select_into import run_select_into

            return run_select_into(self.query, context)
        if assigns(self.query):
            from hartonomous.hql.variables import run_select

            return run_select(self.query, context)
        return context.query(self.query, key="query")


def assigns(query: Query) -> bool:
    """Whether the select list has an `@v = e`."""
    body = query.body
    return isinstance(body, Select) and any(item.assign_to is not None for item in body.items)


def find_into(query: Query) -> ObjectName | None:
    """The table that SELECT … INTO names (in the first block of a set operation, as in T-SQL)."""
    body = query.body
    while not isinstance(body, Select):
        if isinstance(body, Query):
            body = body.body
        elif isinstance(body, SetOperation):
            body = body.left
        else:
            return None
    return body.into
