"""Plain DML on SessionEvents and SessionPaths.

Whatever happens to events, their sessions' rows in SessionPaths follow in the same transaction, and
are made if they are not there. An event without At happened now. A session whose last event goes
keeps its row and its UserId, with nothing else in it; DELETE FROM SessionPaths takes the events
along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.atoms.adding import as_array, moment
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.sessions.paths import addresses_of, follow
from hartonomous.hql.system_schema.behaviour import Behaviour, RowChange
from hartonomous.hql.system_schema.writing import find

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.storage.catalog import TableEntry

#: columns of SessionPaths that follow from events, in a session that has some
FOLLOWING = ("SessionId", "Path", "StartedAt", "EndedAt", "Outcome")


class EventRows(Behaviour):
    """See the module. All rows of a statement come at once, so that each path is made once."""

    at_once = True

    def insert(self, context: Context, table: TableEntry, rows: pa.Table) -> pa.Table:
        """Adds events; the sessions' paths follow."""
        if "At" not in rows.column_names or rows.column("At").null_count:
            rows = _with_moments(context, table, rows)
        whole = super().insert(context, table, rows)
        follow(context, whole.column("SessionId"))
        return whole

    def update(self, context: Context, table: TableEntry, change: RowChange) -> pa.Table:
        """Changes events; the sessions that they were of and are of follow."""
        before = context.transaction.view(table.id).gather("SessionId", change.addresses)
        stored = super().update(context, table, change)
        follow(context, pa.chunked_array([before, *stored.column("SessionId").chunks]))
        return stored

    def delete(self, context: Context, table: TableEntry, addresses: np.ndarray) -> int:
        before = context.transaction.view(table.id).gather("SessionId", addresses)
        count = super().delete(context, table, addresses)
        follow(context, before)
        return count

    def truncate(self, context: Context, table: TableEntry) -> int:
        before = context.transaction.view(table.id).scan(["SessionId"]).table.column("SessionId")
        count = super().truncate(context, table)
        follow(context, before)
        return count


class PathRows(Behaviour):
    """See the module."""

    def update(self, context: Context, table: TableEntry, change: RowChange) -> pa.Table:
        """Changes sessions. BAD_VALUE for what follows from events that there are."""
        refused = [name for name in FOLLOWING if name in change.assigned]
        sessions = context.transaction.view(table.id).gather("SessionId", change.addresses)
        if refused and len(addresses_of(context, "SessionEvents", "SessionId", sessions)):
            raise ExecutionFault(
                f"{refused[0]} of a session with events follows from them",
                code="BAD_VALUE",
                hint="change SessionEvents; a session without events takes any Path",
            )
        return super().update(context, table, change)

    def delete(self, context: Context, table: TableEntry, addresses: np.ndarray) -> int:
        """Removes sessions with their events."""
        sessions = context.transaction.view(table.id).gather("SessionId", addresses)
        events = find(context, "SessionEvents")
        if events is not None:
            theirs = addresses_of(context, "SessionEvents", "SessionId", sessions)
            context.transaction.delete(events.id, theirs)
        return super().delete(context, table, addresses)

    def truncate(self, context: Context, table: TableEntry) -> int:
        """Removes all sessions and all events."""
        events = find(context, "SessionEvents")
        if events is not None:
            context.transaction.truncate(events.id)
        return super().truncate(context, table)


EVENTS = EventRows()
PATHS = PathRows()


def _with_moments(context: Context, table: TableEntry, rows: pa.Table) -> pa.Table:
    """The rows with now as the At of those that have none."""
    now = moment(context, rows.num_rows).cast(table.arrow_schema.field("At").type)
    if "At" not in rows.column_names:
        return rows.append_column("At", now)
    place = rows.schema.get_field_index("At")
    return rows.set_column(place, "At", pc.coalesce(as_array(rows.column("At")), now))
