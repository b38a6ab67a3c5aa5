"""Where in a statement's text the value stands that breaks a constraint: in VALUES, or in SET.

Storage knows the column, and often the number of the row among those that came; of rows that a
query made no more can be said than the place of the statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.assigning import target_columns, without_identity_if
from hartonomous.hql.system_schema.behaviour import find_behaviour
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import ConstraintFault, Error, Offence

if TYPE_CHECKING:
    from hartonomous.hql.statements.insert import Insert
    from hartonomous.hql.statements.update import Update


def span_in_values(statement: Insert, error: Error) -> ast.Span:
    """Of the value, or of a row that was not given one; else the statement's own."""
    offence = _offence(error)
    query = statement.source
    if offence is None or query is None or not isinstance(query.body, ast.Values):
        return statement.span
    rows, last = query.body.rows, statement.table
    name = last.last if isinstance(last, ast.ObjectName) else offence.table.name
    if fold(name) != fold(offence.table.name):  # what the rows led to in another table
        return statement.span
    if len(rows) == 1:
        row = rows[0]
    elif offence.row is not None and find_behaviour(offence.table) is None:
        row = rows[offence.row % len(rows)]  # of executemany all sets came together
    else:
        return statement.span
    columns = target_columns(offence.table, statement.columns)
    columns = list(without_identity_if(columns, len(row), statement.columns))
    given = {c.name: value for c, value in zip(columns, row, strict=False)}
    found = [given[n] for n in offence.columns if n in given]
    return (found or row)[0].span


def span_in_set(statement: Update, error: Error) -> ast.Span:
    """Of the assignment to the column, else the statement's own."""
    offence = _offence(error)
    names = set() if offence is None else {fold(n) for n in offence.columns}
    for assignment in statement.assignments:
        if assignment.column and fold(assignment.column[-1].text) in names:
            return assignment.span
    return statement.span


def _offence(error: Error) -> Offence | None:
    return error.offence if isinstance(error, ConstraintFault) else None
