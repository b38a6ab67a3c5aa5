"""A process that moves money between accounts until it is killed: their sum never changes.

python writer.py FOLDER SEED
"""

from __future__ import annotations

import os
import random
import sys

import pyarrow as pa

from hartonomous.storage.catalog import ColumnEntry, IndexEntry, KeyEntry, TableEntry
from hartonomous.storage.database import Database

ACCOUNTS = 50
EACH = 1000


def int_column(number: int, name: str) -> ColumnEntry:
    return ColumnEntry(number, name, "BIGINT", pa.int64(), nullable=False)


def rows(**columns: list[int]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})


def create(database: Database) -> int:
    transaction = database.begin()
    entry = transaction.catalog.find("dbo", "accounts")
    if entry is None:
        columns = (int_column(1, "id"), int_column(2, "amount"))
        key = KeyEntry(3, "pk", (1,), "PRIMARY KEY")
        index = IndexEntry(4, "by_amount", (2,), "BTREE")
        table = TableEntry(0, "dbo", "accounts", columns, (key,), next_id=5, indexes=(index,))
        entry = transaction.create(table)
        transaction.insert(entry.id, rows(id=list(range(ACCOUNTS)), amount=[EACH] * ACCOUNTS))
    transaction.commit(statement="CREATE", author="writer")
    return entry.id


def main() -> None:
    chance = random.Random(int(sys.argv[2]))
    database = Database.open(sys.argv[1], checkpoint_bytes=60_000)
    table = create(database)
    os.write(1, b"ready\n")
    while True:
        transaction = database.begin()
        view = transaction.view(table)
        some = chance.sample(range(ACCOUNTS), 2)
        places = view.lookup(3, rows(id=some))
        ids = view.gather("id", places).to_pylist()
        amounts = view.gather("amount", places).to_pylist()
        moved = chance.randint(0, 20)
        new = rows(id=ids, amount=[amounts[0] - moved, amounts[1] + moved])
        transaction.update(table, places, new)
        if chance.random() < 0.02:  # all rows at once
            transaction.commit(statement="move", author="writer")
            transaction = database.begin()
            found = transaction.view(table).scan(["id", "amount"], address=True).table
            back = pa.table([found["id"], found["amount"]], names=["id", "amount"])
            transaction.update(table, found["__address"].to_numpy(), back)
        transaction.commit(statement="move", author="writer")


if __name__ == "__main__":
    main()
