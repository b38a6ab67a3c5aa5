"""Behaviour: what plain INSERT, UPDATE, DELETE, TRUNCATE and COPY FROM do on a system table.

The statements make rows as for any table (conversions, lengths), then hand them to the behaviour,
which stores them and what follows from them. The base class just stores.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql.frozen import frozen
from hartonomous.hql.system_schema import TABLES, definition_of
from hartonomous.hql.system_schema.writing import whole_rows
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


@frozen
class RowChange:
    """What an UPDATE asks for: the rows at `addresses` (int64[N]) become `rows`, whole and in the
    same order, of which the statement set the columns named in `assigned`."""

    addresses: np.ndarray
    rows: pa.Table
    assigned: frozenset[str]


class Behaviour:
    """Stores rows as they are. `table` is always of the context's transaction."""

    #: all rows of an INSERT come in one call
    at_once = False

    def insert(self, context: Context, table: TableEntry, rows: pa.Table) -> pa.Table:
        """Adds rows. They have the given columns of `assignable(table)`, of the table's types.
        Returns whole rows in the order given, for OUTPUT."""
        whole = whole_rows(context, table, rows)
        context.transaction.insert(table.id, whole)
        return whole

    def update(self, context: Context, table: TableEntry, change: RowChange) -> pa.Table:
        """Gives rows new contents. Returns them as they are stored."""
        context.transaction.update(table.id, change.addresses, change.rows)
        return change.rows

    def delete(self, context: Context, table: TableEntry, addresses: np.ndarray) -> int:
        """Removes the rows at `addresses`; how many they were."""
        return context.transaction.delete(table.id, addresses)

    def truncate(self, context: Context, table: TableEntry) -> int:
        """Removes all rows; how many they were."""
        return context.transaction.truncate(table.id)


#: also what happens to users' tables
PLAIN = Behaviour()


def find_behaviour(table: TableEntry) -> Behaviour | None:
    """The behaviour of a stored system table; None for a user's table."""
    stored = definition_of(table)
    return None if stored is None else _behaviour(fold(stored.name))


@cache
def _behaviour(name: str) -> Behaviour:
    stored = TABLES[name]
    if stored.behaviour is None:
        return PLAIN
    module, _, attribute = stored.behaviour.partition(":")
    behaviour = getattr(import_module(module), attribute)
    assert isinstance(behaviour, Behaviour), stored.behaviour
    return behaviour


def assignable(table: TableEntry) -> list[ColumnEntry]:
    """The columns that values may be given for, in order."""
    stored = definition_of(table)
    derived = {fold(c) for c in stored.derived} if stored is not None else set()
    return [c for c in table.columns if c.computed is None and fold(c.name) not in derived]


def given_shape(table: TableEntry) -> TableEntry:
    """The table as statements fill it: a system table without the columns that are derived."""
    if definition_of(table) is None:
        return table
    from dataclasses import replace

    return replace(table, columns=tuple(assignable(table)), keys=())
