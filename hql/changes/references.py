"""What becomes of rows that refer to a row which a statement took away or gave another key: the
actions of foreign keys, at the statement's end.

Children are changed as a DELETE or an UPDATE would change them (computed columns, CHECK, behaviours
of system tables), which may break more; then what is left without its row is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql.changes.assigning import assigned_value
from hartonomous.hql.changes.dml import ADDRESS, complete_changed
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.syntax import trees
from hartonomous.hql.system_schema.behaviour import PLAIN, RowChange, find_behaviour
from hartonomous.storage.catalog import CASCADE, NO_ACTION, SET_DEFAULT, ColumnEntry
from hartonomous.storage.references import Broken, check, find_children

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

#: changes of changes, beyond which they are taken to have no end
PASSES_MAX = 10_000


def settle(context: Context) -> None:
    """Acts on what the statement left without its row, on nobody's behalf; FOREIGN_KEY_VIOLATION
    for what stays so."""
    if context.account is not None:
        context = context.trusted()
    transaction = context.transaction
    asked, transaction.row_check = transaction.row_check, None
    try:
        _settle(context)
    finally:
        transaction.row_check = asked


def _settle(context: Context) -> None:
    transaction = context.transaction
    left: list[Broken] = []
    for _ in range(PASSES_MAX):
        broken = transaction.take_broken()
        if not broken:
            break
        for one in broken:
            context.limits.check()
            if one.action != NO_ACTION:
                _act(context, one)
            if one.action in (NO_ACTION, SET_DEFAULT):  # the default may be the key that went
                left.append(one)
    else:
        raise ExecutionFault("the actions of foreign keys have no end", code="RECURSION")
    for one in left:
        check(transaction, one)


def _act(context: Context, broken: Broken) -> None:
    """CASCADE, SET NULL or SET DEFAULT."""
    reference = broken.reference
    child = context.transaction.catalog.tables_by_id[reference.child.id]
    view = context.transaction.view(child.id)
    numbers, addresses = find_children(view, reference, broken.keys)
    if not len(addresses):
        return
    behaviour = find_behaviour(child) or PLAIN
    if broken.action == CASCADE and broken.kind == "DELETED":
        behaviour.delete(context, child, addresses)
        return
    columns = reference.own.columns
    if broken.action == CASCADE:
        new = [k.take(pa.array(numbers)) for k in broken.now]
    elif broken.action == SET_DEFAULT:
        new = [_default(context, c, len(addresses)) for c in columns]
    else:
        new = [pa.nulls(len(addresses), c.arrow) for c in columns]
    given = dict(zip((c.name for c in columns), new, strict=True))
    stored = {
        c.name: given[c.name] if c.name in given else view.gather(c.name, addresses)
        for c in child.stored
        if c.computed is None
    }
    rows = pa.table({**stored, ADDRESS: addresses})
    done = complete_changed(context, child, rows)
    change = RowChange(
        np.asarray(done.column(ADDRESS)), done.select(child.arrow_schema.names), frozenset(given)
    )
    behaviour.update(context, child, change)


def _default(context: Context, column: ColumnEntry, count: int) -> pa.Array:
    """A column's default for each of some rows."""
    from hartonomous.hql import ast

    item = trees.item(assigned_value(ast.Default(), column), column.name)
    value = context.table(trees.select([item])).column(0)[0]
    return pa.repeat(value, count).cast(column.arrow)
