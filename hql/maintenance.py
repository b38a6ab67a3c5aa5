"""CHECKPOINT, VERIFY DATABASE, SHOW COMMITS, EXPLAIN, PRINT."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import NotSupported, TransactionFault
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.result import Result
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import NVARCHAR
from hartonomous.storage.errors import ReadOnly

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.explain import Explain
    from hartonomous.hql.statements.print_text import PrintText

PROBLEM_FIELDS = tuple(Field(n, NVARCHAR) for n in ("What", "Where", "Expected", "Found"))
PLAN_FIELDS = (Field("plan", NVARCHAR),)


def run_checkpoint(context: Context) -> Result:
    """CHECKPOINT: not inside a transaction, and not by a reader."""
    session = context.session
    if session.in_transaction:
        raise TransactionFault("CHECKPOINT: a transaction is open", hint="COMMIT it first")
    if session.read_only:
        raise ReadOnly("a reader cannot checkpoint")
    session.database.checkpoint()
    return Result()


def run_verify(context: Context) -> Result:
    """VERIFY DATABASE."""
    from hartonomous.hql.copying.progress import Progress

    progress = Progress("verify")
    try:
        notes: list[str] = []
        problems = context.session.database.verify(progress.update, notes)
    finally:
        progress.close()
    rows = [(p.what, p.where, p.expected, p.found) for p in problems]
    columns = list(zip(*rows, strict=True)) or [()] * len(PROBLEM_FIELDS)
    arrays = [pa.array([str(v) for v in column], pa.string()) for column in columns]
    table = pa.Table.from_arrays(arrays, schema=schema_of(PROBLEM_FIELDS))
    if not rows:
        context.messages.append("everything agrees with its hash")
    context.messages.extend(notes)
    return Result.of_table(PROBLEM_FIELDS, table)


def run_show_commits(context: Context) -> Result:
    """SHOW COMMITS: those of the session's branch."""
    from hartonomous.hql.system_tables.commits import COMMITS

    return Result.of_table(COMMITS.fields, COMMITS.rows(context))


def run_explain(statement: Explain, context: Context) -> Result:
    """EXPLAIN [ANALYZE] of a query or a change."""
    from hartonomous.hql.changes.explaining import explain_change
    from hartonomous.hql.queries import explain_query
    from hartonomous.hql.statements.query import QueryStatement, find_into

    inner = statement.statement
    lines: list[str] | None = None
    if isinstance(inner, QueryStatement) and find_into(inner.query) is None:
        lines = explain_query(context, inner.query, analyze=statement.analyze)
    else:
        lines = explain_change(inner, context, analyze=statement.analyze)
    if lines is None:
        raise place(NotSupported(f"not supported yet: EXPLAIN {inner.title}"), inner)
    table = pa.table({"plan": pa.array(lines, pa.string())})
    return Result.of_table(PLAN_FIELDS, table)


def run_print(statement: PrintText, context: Context) -> Result:
    """PRINT: the value as text."""
    from hartonomous.hql.types import Type

    text = trees.cast(statement.value, Type("NVARCHAR"))
    rows = context.table(trees.select([trees.item(text, "value")]), key="print")
    value = rows.column(0)[0].as_py()
    message = "" if value is None else value
    context.limits.outermost.hold(getsizeof(message))
    context.messages.append(message)
    return Result()
