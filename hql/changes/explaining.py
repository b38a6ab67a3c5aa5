"""EXPLAIN of INSERT, UPDATE, DELETE and MERGE: what is done with the rows of which query.

    update t set b
    ├─ FOREIGN KEY fk of child: ON UPDATE CASCADE
    └─ filter (t.a = 1)
       └─ scan t (a, b)

ANALYZE makes the change. Its query is run once more before, to be measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.dml import delete_query, insert_query, update_query
from hartonomous.hql.describe import Tree
from hartonomous.hql.explain import shown_time
from hartonomous.hql.queries import explain_query
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.delete import Delete
from hartonomous.hql.statements.insert import Insert
from hartonomous.hql.statements.merge import Merge
from hartonomous.hql.statements.update import Update
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.references import references_of

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


class _Lines(Tree):
    """A tree that is drawn already."""

    def lines(self) -> list[str]:
        return self.text.split("\n")


def explain_change(statement: Statement, context: Context, *, analyze: bool) -> list[str] | None:
    """The lines, or None for another kind of statement. `analyze` makes the change."""
    title, below = "", list[Tree]()
    query: ast.Query | None = None
    match statement:
        case Insert():
            table, columns, query = insert_query(statement, context)
            shown = ", ".join(c.name for c in columns)
            title = f"insert into {table.name} " + (f"({shown})" if columns else "default values")
            below = _checked(context, table, [c.id for c in columns])
            if query is not None and isinstance(query.body, ast.Values):
                below.append(Tree(f"values, {len(query.body.rows):,} rows"))
                query = None
        case Update():
            target, assigned, _, query = update_query(statement, context)
            table = target.table
            title = f"update {table.name} set {', '.join(assigned)}"
            ids = [c.id for c in table.columns if c.name in assigned]
            below = [*_checked(context, table, ids), *_acting(context, table, ids)]
        case Delete():
            target, _, query = delete_query(statement, context)
            title = f"delete from {target.table.name}"
            below = _acting(context, target.table, None)
            if statement.where is None and statement.source is None and statement.output is None:
                title, query = f"{title}, all rows", None
        case Merge():
            title, below, query = _merge(statement, context)
        case _:
            return None
    if query is not None:
        lines = explain_query(context, query, analyze=analyze, hidden=True)
        below.append(_Lines("\n".join(lines)))
    if not analyze:
        return Tree(title, below).lines()
    started = time.perf_counter()
    result = statement.run(context)
    result.spool()
    seconds = time.perf_counter() - started
    return Tree(f"{title}  [{result.row_count:,} rows, {shown_time(seconds)}]", below).lines()


def _merge(statement: Merge, context: Context) -> tuple[str, list[Tree], ast.Query]:
    from hartonomous.hql.changes.merge import merge_query

    target, whens, _, query = merge_query(statement, context)
    table = target.table
    by_name = {c.name: c.id for c in table.columns}
    changed = {by_name[n] for w in whens if w.action == "UPDATE" for n in w.values}
    given = {by_name[n] for w in whens for n in w.values}
    below = []
    for when in whens:
        values = f" {', '.join(when.values)}" if when.values else ""
        condition = f" and {when.clause.condition}" if when.clause.condition else ""
        match = when.clause.match.lower()
        below.append(Tree(f"when {match}{condition}: {when.action.lower()}{values}"))
    below += _checked(context, table, list(given))
    deletes = any(w.action == "DELETE" for w in whens)
    below += _acting(context, table, None if deletes else list(changed))
    return f"merge into {table.name}", below, query


def _checked(context: Context, table: TableEntry, columns: Sequence[int]) -> list[Tree]:
    """The foreign keys that given columns must keep."""
    return [
        Tree(f"check FOREIGN KEY {r.entry.name}: by {r.key.key.kind} of {r.parent.name}")
        for r in references_of(context.catalog).of_child.get(table.id, ())
        if set(r.entry.columns) & set(columns)
    ]


def _acting(context: Context, table: TableEntry, columns: Sequence[int] | None) -> list[Tree]:
    """What becomes of rows that refer to those that go (`columns` None), or get other values."""
    out = []
    for r in references_of(context.catalog).of_parent.get(table.id, ()):
        if columns is None:
            event = f"ON DELETE {r.entry.on_delete}"
        elif set(r.entry.referenced) & set(columns):
            event = f"ON UPDATE {r.entry.on_update}"
        else:
            continue
        out.append(Tree(f"FOREIGN KEY {r.entry.name} of {r.child.name}: {event}"))
    return out
