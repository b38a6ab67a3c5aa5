"""A small database and a script of changes to it, with what must be there after each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from hartonomous.storage.access.ordered import in_order
from hartonomous.storage.catalog import ColumnEntry, IndexEntry, KeyEntry, TableEntry
from hartonomous.storage.chunk import NO_ROWS
from hartonomous.storage.clock import FixedClock
from hartonomous.storage.database import Database
from hartonomous.storage.disk import Disk
from hartonomous.storage.state import Snapshot
from hartonomous.storage.transaction import Transaction

Content = dict[str, list[tuple[int, str | None]]]
Step = Callable[[Database], None]


def table_entry(name: str) -> TableEntry:
    return TableEntry(
        0,
        "dbo",
        name,
        (
            ColumnEntry(1, "id", "INT", pa.int32()),
            ColumnEntry(2, "name", "NVARCHAR", pa.string()),
        ),
        (KeyEntry(3, "pk", (1,), "PRIMARY KEY"),),
        next_id=5,
        indexes=(IndexEntry(4, "by_name", (2, 1), "BTREE"),),
    )


def arrow(ids: range | list[int], name: str | None) -> pa.Table:
    return pa.table(
        [pa.array(ids, pa.int32()), pa.array([name] * len(ids), pa.string())], names=["id", "name"]
    )


def content(snapshot: Snapshot) -> Content:
    """All rows of all tables; their index says the same."""
    out = {}
    for table in snapshot.catalog.tables():
        view = snapshot.view(table.id)
        out[table.name] = sorted(_rows(view.scan(["id", "name"]).table.columns))
        found = np.concatenate([NO_ROWS, *in_order(view, table.indexes[0])])
        listed = _rows(view.gather(name, found) for name in ("id", "name"))
        assert listed == sorted(out[table.name], key=lambda r: (r[1] or "", r[0])), table.name
    return out


def _rows(columns: Iterable[pa.Array | pa.ChunkedArray]) -> list[tuple[int, str | None]]:
    return list(zip(*(c.to_pylist() for c in columns), strict=True))


def table_id(transaction: Transaction, name: str) -> int:
    return transaction.catalog.get("dbo", name).id


def create(name: str) -> Step:
    def run(database: Database) -> None:
        transaction = database.begin()
        transaction.create(table_entry(name))
        transaction.commit(statement=f"CREATE {name}", author="test")

    return run


def drop(name: str) -> Step:
    def run(database: Database) -> None:
        transaction = database.begin()
        transaction.drop(transaction.catalog.get("dbo", name))
        transaction.commit(statement=f"DROP {name}", author="test")

    return run


def insert(name: str, ids: range | list[int], text: str | None) -> Step:
    def run(database: Database) -> None:
        transaction = database.begin()
        transaction.insert(table_id(transaction, name), arrow(ids, text))
        transaction.commit(statement=f"INSERT {ids}", author="test")

    return run


def change(name: str, every: int, text: str) -> Step:
    """Every n-th row updated, the one after it deleted."""

    def run(database: Database) -> None:
        transaction = database.begin()
        number = table_id(transaction, name)
        found = transaction.view(number).scan(["id"], address=True).table.sort_by("id")
        addresses = found["__address"].to_numpy()
        ids = found["id"].to_pylist()
        transaction.update(number, addresses[::every], arrow(ids[::every], text))
        transaction.delete(number, np.asarray(addresses[1::every]))
        transaction.commit(statement=f"UPDATE {name}", author="test")

    return run


def abandon(name: str, ids: range) -> Step:
    """A transaction that is rolled back."""

    def run(database: Database) -> None:
        transaction = database.begin()
        transaction.insert(table_id(transaction, name), arrow(ids, "never"))
        transaction.rollback()

    return run


def checkpoint(database: Database) -> None:
    database.checkpoint()


def close_and_open(database: Database) -> None:
    """Marks where the runner closes the database and opens it again."""
    raise AssertionError("handled by the runner")


SMALL: list[Step] = [
    create("a"),
    insert("a", range(100, 170), "many"),
    change("a", 5, "changed"),
    checkpoint,
    insert("a", [2], None),
    change("a", 7, "again"),
    close_and_open,
    create("b"),
    abandon("a", range(300, 370)),
    drop("a"),
    insert("b", [1000], "last"),
]

LARGE: list[Step] = [
    create("a"),
    create("b"),
    *(insert("a", [i], f"row {i}") for i in range(30)),
    *(
        step
        for i in range(1, 6)
        for step in (
            insert("b", range(1000 * i, 1000 * i + 200), "bulk"),
            change("b", 3 + i, f"round {i}"),
            change("a", 4, f"round {i}"),
            checkpoint,
            insert("a", range(100 * i, 100 * i + 5), None),
        )
    ),
    close_and_open,
    drop("a"),
    create("a"),
    insert("a", [1, 2, 3], "new"),
    checkpoint,
    change("b", 2, "end"),
]


def reference(steps: list[Step]) -> list[Content]:
    """What must be there before the first step and after each."""
    database = Database.open(None)
    out: list[Content] = [{}]
    for step in steps:
        if step not in (checkpoint, close_and_open):
            step(database)
        out.append(content(database.snapshot()))
    return out


def run(
    path: Path,
    disk: Disk,
    steps: list[Step],
    done: list[int],
    observe: Callable[[Database], object] = lambda database: None,
) -> None:
    """All steps; `done` gets the number of each step that was acknowledged, and then the database
    is observed."""
    database = Database.open(path, disk=disk, clock=FixedClock(step_us=1))
    try:
        for number, step in enumerate(steps):
            if step is close_and_open:
                database.close()
                database = Database.open(path, disk=disk, clock=FixedClock(step_us=1))
            else:
                step(database)
            done.append(number)
            observe(database)
    finally:
        database.close()
