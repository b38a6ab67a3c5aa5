"""What the store is compared with (property/test_store_machine.py): tables, open transactions and
branches as dicts of rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from hartonomous.storage.catalog import ColumnEntry, KeyEntry, TableEntry
from hartonomous.storage.table import TableView
from hartonomous.storage.transaction import Savepoint, Transaction

Row = tuple[int, str | None, int | None]  # id (primary key), name (unique), value


def table_entry(name: str) -> TableEntry:
    return TableEntry(
        0,
        "dbo",
        name,
        (
            ColumnEntry(1, "id", "INT", pa.int32()),
            ColumnEntry(2, "name", "NVARCHAR", pa.string()),
            ColumnEntry(3, "value", "BIGINT", pa.int64()),
        ),
        (KeyEntry(4, "pk", (1,), "PRIMARY KEY"), KeyEntry(5, "uq", (2,), "UNIQUE")),
        next_id=6,
    )


def arrow(rows: list[Row]) -> pa.Table:
    ids, names, values = zip(*rows, strict=True)
    return pa.table(
        [pa.array(ids, pa.int32()), pa.array(names, pa.string()), pa.array(values, pa.int64())],
        names=["id", "name", "value"],
    )


@dataclass
class Held:
    """A row of the model: what it holds, and the commit that made it so (0: own, uncommitted)."""

    row: Row
    birth: int = 0


@dataclass
class Table:
    """The model of a table. `token` is its identity, `changed` the last commit that changed it."""

    token: int
    changed: int
    rows: dict[int, Held] = field(default_factory=dict)  # by the model's own row number

    def collides(self, row: Row, but: set[int] | None = None) -> bool:
        return any(
            h.row[0] == row[0] or (row[1] is not None and h.row[1] == row[1])
            for number, h in self.rows.items()
            if but is None or number not in but
        )


Model = dict[str, Table]


@dataclass
class Open:
    """A transaction and what the model says it sees."""

    transaction: Transaction
    base: Model
    sequence: int
    now: Model
    branch: str
    number: int  # of the branch
    savepoint: tuple[Savepoint, Model] | None = None


def rows_of(view: TableView) -> list[Row]:
    table = view.scan(["id", "name", "value"]).table
    assert len(table) == view.row_count
    return list(zip(*(c.to_pylist() for c in table.columns), strict=True))


def key(row: Row) -> tuple[int, str, int]:
    return row[0], row[1] or "", row[2] or 0


@dataclass
class Branch:
    """The model of a branch: its rows, its last commit, where it came from."""

    number: int
    head: Model
    sequence: int
    parent: Branch | None = None
    fork: int = 0

    def holds(self, number: int, sequence: int) -> bool:
        """Whether a commit of branch `number` is in its lineage."""
        if self.number == number:
            return sequence <= self.sequence
        parent = self.parent
        limit = min(sequence, self.fork) if parent is not None else 0
        return parent is not None and limit == sequence and parent.holds(number, sequence)

    @property
    def left_main(self) -> int:
        """The last commit of main that it has."""
        if self.parent is None:
            return self.sequence
        return self.fork if self.parent.number == 0 else self.parent.left_main
