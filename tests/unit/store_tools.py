"""What the tests of storage share: a table of (id INT primary key, name NVARCHAR unique)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import ColumnEntry, KeyEntry, TableEntry
from hartonomous.storage.database import Database
from hartonomous.storage.state import Snapshot
from hartonomous.storage.transaction import Transaction

Row = tuple[int | None, str | None]


def entry(name: str = "t", *, temporary: bool = False, schema: str = "dbo") -> TableEntry:
    return TableEntry(
        0,
        schema,
        name,
        (
            ColumnEntry(1, "id", "INT", pa.int32()),
            ColumnEntry(2, "name", "NVARCHAR", pa.string()),
        ),
        (KeyEntry(3, "pk_t", (1,), "PRIMARY KEY"), KeyEntry(4, "uq_t", (2,), "UNIQUE")),
        next_id=5,
        temporary=temporary,
    )


def rows(*given: Row) -> pa.Table:
    ids = pa.array([r[0] for r in given], pa.int32())
    return pa.table([ids, pa.array([r[1] for r in given], pa.string())], names=["id", "name"])


def numbered(first: int, count: int) -> pa.Table:
    """Many rows with ascending ids."""
    ids = pa.array(np.arange(first, first + count), pa.int32())
    return pa.table([ids, pa.nulls(count, pa.string())], names=["id", "name"])


def content(source: Snapshot | Transaction, table: TableEntry) -> list[Row]:
    found = source.view(table.id).scan(["id", "name"]).table
    return sorted(zip(*(c.to_pylist() for c in found.columns), strict=True))


def address_of(source: Snapshot | Transaction, table: TableEntry, *ids: int) -> np.ndarray:
    """Addresses of rows by id, in the order of `ids`."""
    view = source.view(table.id)
    return np.array(
        [view.lookup(3, pa.table([pa.array([i], pa.int32())], names=["id"]))[0] for i in ids]
    )


def commit(transaction: Transaction, statement: str = "test") -> int:
    info = transaction.commit(statement=statement, author="tester")
    assert info is not None
    return info.sequence


def with_table(database: Database, *given: Row) -> TableEntry:
    """A committed table with some rows."""
    transaction = database.begin()
    table = transaction.create(entry())
    assert isinstance(table, TableEntry)
    transaction.insert(table.id, rows(*given))
    commit(transaction)
    return table
