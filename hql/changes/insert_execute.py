"""INSERT … EXEC: a procedure's results are gathered first and stored then, by one statement, so
that what it does inside (its transactions, its changes of the very table) is over by then."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from hartonomous.hql.ast import Identifier, ObjectName, Variable
from hartonomous.hql.changes.assigning import (
    column_count_fault,
    target_columns,
    without_identity_if,
)
from hartonomous.hql.changes.dml import put_rows
from hartonomous.hql.changes.targets import get_table
from hartonomous.hql.frozen import frozen
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.run import Prepared
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.scripts.script import Script
    from hartonomous.hql.statements.insert_execute import InsertExecute

#: the rows of one result, and what they are
Given = tuple[tuple[Field, ...], pa.Table]


def play_insert(statement: InsertExecute, script: Script) -> Iterator[Result]:
    """Runs the source, and stores its rows. Its row counts are nobody's business."""
    script.session.read(
        script.prepared, script.frame, script.messages, script.limits, partial(_check, statement)
    )
    limits, size = script.limits.outermost, 0
    given: list[Given] = []
    source = script.prepared.inner(statement.source)
    try:
        for result in script.catching().play_prepared(source):
            if result.fields is None:
                continue
            rows = result.to_table()
            size += rows.nbytes
            limits.hold(rows.nbytes)
            given.append((result.fields, rows))
        adding = AddRows(statement.table, statement.columns, tuple(given), span=statement.span)
        yield from script.play_prepared(Prepared(adding, script.prepared.text))
    finally:
        limits.hold(-size)


def _check(statement: InsertExecute, context: Context) -> None:
    """The table and its columns are there: nothing runs if they are not."""
    target_columns(get_table(context, statement.table), statement.columns)


@frozen
class AddRows(Statement):
    """The storing part of an INSERT … EXEC: a statement of its own for transactions."""

    table: ObjectName | Variable
    columns: tuple[Identifier, ...]
    given: tuple[Given, ...]
    title: ClassVar[str] = "INSERT … EXEC"
    right: ClassVar[str] = ""

    def run(self, context: Context) -> Result:
        """Every result must have a value for each column."""
        table = get_table(context, self.table)
        count = 0
        for fields, rows in self.given:
            columns = without_identity_if(
                target_columns(table, self.columns), len(fields), self.columns
            )
            if len(fields) != len(columns):
                raise column_count_fault("INSERT", self, table, columns, len(fields))
            count += put_rows(context, table, columns, Result.of_table(fields, rows))
        return Result(row_count=count)
