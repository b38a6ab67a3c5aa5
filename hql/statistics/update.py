"""UPDATE STATISTICS: looks at all columns of a table now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.changes.targets import (
    describe_kind,
    find_entry,
    place,
    split_name,
    unknown_table,
)
from hartonomous.hql.errors import BindFault, NotSupported
from hartonomous.hql.result import Result
from hartonomous.hql.statistics.kept import update_statistics
from hartonomous.hql.system_tables import is_reserved
from hartonomous.storage.catalog import TableEntry

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.update_statistics import UpdateStatistics


def run_update_statistics(statement: UpdateStatistics, context: Context) -> Result:
    """A stored table of the catalog: those that are computed have no statistics."""
    entry = find_entry(context, statement.table)
    if entry is None and is_reserved(*split_name(statement.table)):
        message = f"not supported yet: statistics of {statement.table}"
        raise place(NotSupported(message), statement.table)
    if entry is None:
        raise unknown_table(context, statement.table)
    if not isinstance(entry, TableEntry):
        message = f'"{entry.name}" is a {describe_kind(entry)}; tables have statistics'
        raise place(BindFault(message), statement.table)
    update_statistics(context.transaction.view(entry.id), context.session.database)
    return Result()
