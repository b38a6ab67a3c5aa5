"""Statistics that were made in this process, by database and table.

They are not stored: a column takes a few milliseconds, whatever the table's size, as a sample has
at most some 30,000 rows; and what is not stored has no versions to agree with branches, moments of
the past and processes that read.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Final

from hartonomous.hql.statistics.table import TableStatistics

if TYPE_CHECKING:
    from hartonomous.storage.database import Database
    from hartonomous.storage.table import TableView

#: statistics kept of one table: of branches, or of moments far from each other
KEPT_MAX: Final = 4

_lock = threading.Lock()
_kept: weakref.WeakKeyDictionary[Database, dict[int, list[TableStatistics]]] = (
    weakref.WeakKeyDictionary()
)


def statistics_of(view: TableView, database: Database) -> TableStatistics:
    """The statistics that hold for a view; their columns are measured as they are asked for."""
    found = known_statistics(view, database)
    return found if found is not None and found.holds_for(view) else _keep(view, database)


def known_statistics(view: TableView, database: Database) -> TableStatistics | None:
    """The statistics of a table that are nearest to a view, if there are some, also where they
    hold no more."""
    with _lock:
        lists = _kept.get(database)
        known = None if lists is None else lists.get(view.table.id)
        return min(known, key=lambda s: s.changed_since(view)) if known else None


def update_statistics(view: TableView, database: Database) -> TableStatistics:
    """New statistics of all of a table's stored columns."""
    made = _keep(view, database)
    made.measure_all(view.table.stored, view)
    return made


def _keep(view: TableView, database: Database) -> TableStatistics:
    made = TableStatistics(view, database.clock.now_us())
    with _lock:
        lists = _kept.setdefault(database, {})
        known = lists.setdefault(view.table.id, [])
        known[:] = [s for s in known if not s.holds_for(view)][-(KEPT_MAX - 1) :] + [made]
    return made
