"""Table variables: tables that belong to a running text and not to its transactions.

A variable's rows are a `WorkingTable` over an empty table. It is frozen, so undoing what a failed
statement did is putting the old one back; nothing else looks back: a ROLLBACK leaves variables as
they are. No log, no commits, no conflicts.

Their entries stand in no catalog. Their ids are negative and belong to a definition in the text:
plans are kept with the text, so that every run of a routine finds its own rows under the same id,
in the `TableVariables` of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.prepare import without_hidden
from hartonomous.storage.shape import shape_of
from hartonomous.storage.table import TableState
from hartonomous.storage.working import WorkingTable

#: rows that may lie about deleted before a table is written anew
HIDDEN_ROWS_MAX = 1_024

#: -1 is the table that stands for tensor atoms
_ids = itertools.count(-2, -1)

Mark = Mapping[int, WorkingTable]


def new_id() -> int:
    """An id for the entry of a new definition."""
    return next(_ids)


class TableVariables:
    """The table variables of one running text, by the ids of their entries."""

    __slots__ = ("_identities", "_tables")

    def __init__(self) -> None:
        self._tables: Mark = {}
        self._identities: dict[int, int] = {}

    def declare(self, entry: TableEntry) -> None:
        """An empty table."""
        assert entry.id not in self._tables, entry
        self.put(WorkingTable.of(entry, TableState(entry.id, 0)))

    def forget(self, entry: TableEntry) -> None:
        """Takes a table back with its rows."""
        self._tables = {i: t for i, t in self._tables.items() if i != entry.id}
        self._identities.pop(entry.id, None)

    def find(self, table_id: int) -> WorkingTable | None:
        return self._tables.get(table_id)

    def put(self, working: WorkingTable) -> None:
        """A table's rows of now."""
        self._tables = {**self._tables, working.table.id: working}

    @property
    def bytes(self) -> int:
        """What the rows take, deleted ones that still lie about included."""
        return sum(
            chunk.rows.bytes for table in self._tables.values() for _, chunk in table.inserted
        )

    # --- undoing

    def mark(self) -> Mark:
        """What there is now, for `restore`. To be asked between statements, as addresses that
        were found before need not hold after it."""
        for working in self._tables.values():
            if working.changed and _is_due(working):
                self.put(_written_anew(working))
        return self._tables

    def restore(self, mark: Mark) -> None:
        """Rows as they were at the mark. Tables declared since stay, and identity values that were
        given out are not given out again."""
        self._tables = {i: mark.get(i, t) for i, t in self._tables.items()}

    # --- identity values

    def next_identity(self, table_id: int, count: int, seed: int, step: int) -> int:
        """The first of `count` identity values, `step` apart."""
        first = self._identities.get(table_id, seed)
        self._identities[table_id] = first + count * step
        return first

    def bump_identity(self, table_id: int, value: int, seed: int, step: int) -> None:
        """Move the counter past a value that was given explicitly, if it is not past it."""
        following = self._identities.get(table_id, seed)
        if (value - following) * step >= 0:
            self._identities[table_id] = value + step


def _is_due(working: WorkingTable) -> bool:
    hidden = sum(s.chunk.count - s.row_count for s in working.changed.values())
    return hidden > HIDDEN_ROWS_MAX and hidden > working.view().row_count


def _written_anew(working: WorkingTable) -> WorkingTable:
    """The same rows without the deleted ones."""
    shape = shape_of(working.table)
    out = WorkingTable.of(working.table, working.base)
    for chunk, selection in working.own():
        if selection.row_count:
            out = out.with_rows(without_hidden(chunk, selection, shape))
    return out
