"""Cursors kept between runs of one prepared fragment, for statements that read little.

To register a table and to close its cursor costs the engine 0.5 ms, more than a small query takes.
So a fragment whose inputs are all small registers *slots* once, and only their contents change from
run to run. An idle cursor holds no rows. Large inputs are registered as they are: the engine reads
an Arrow table with all its threads, a slot with one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from hartonomous.hql.engine import relational
from hartonomous.hql.engine.relational import Cursor, Engine

#: rows up to which an input is small
SMALL_ROWS = 16_384
#: idle cursors of one fragment
IDLE_MAX = 4


class Slot:
    """Rows that the engine reads anew for each query; its schema never changes."""

    __slots__ = ("schema", "table")

    def __init__(self, table: pa.Table) -> None:
        self.table: pa.Table | None = None
        self.schema = _engine_schema(table.schema)

    def fill(self, table: pa.Table) -> None:
        self.table = table if table.schema.equals(self.schema) else table.cast(self.schema)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        table = self.schema.empty_table() if self.table is None else self.table
        return table.__arrow_c_stream__(requested_schema)


def _engine_schema(schema: pa.Schema) -> pa.Schema:
    """Times without zones, as Cursor.register makes them."""
    naive = pa.timestamp("us")
    return pa.schema([f.with_type(naive) if getattr(f.type, "tz", None) else f for f in schema])


class CursorPool:
    """Idle cursors of one fragment, with its slots registered. Safe across threads."""

    def __init__(self) -> None:
        self._idle: list[tuple[Engine, Cursor, dict[str, Slot]]] = []

    def take(self, tables: Mapping[str, pa.Table]) -> tuple[Cursor, dict[str, Slot]]:
        """A cursor over these tables; to be given back, or closed."""
        cursor, slots = self._idle_cursor(relational.engine())
        for name, table in tables.items():
            if name not in slots:
                slots[name] = Slot(table)
                cursor.register(name, slots[name])
            slots[name].fill(table)
        return cursor, slots

    def _idle_cursor(self, engine: Engine) -> tuple[Cursor, dict[str, Slot]]:
        while True:
            try:
                owner, cursor, slots = self._idle.pop()
            except IndexError:
                return engine.cursor(), {}
            if owner is engine:  # else that engine was closed, and its cursors with it
                return cursor, slots

    def give_back(self, cursor: Cursor, slots: dict[str, Slot]) -> None:
        """The run has ended well."""
        for slot in slots.values():
            slot.table = None
        if len(self._idle) < IDLE_MAX:
            self._idle.append((relational.engine(), cursor, slots))
        else:
            cursor.close()


def is_small(tables: Mapping[str, Any]) -> bool:
    return all(isinstance(t, pa.Table) and t.num_rows <= SMALL_ROWS for t in tables.values())
