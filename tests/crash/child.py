"""A process that changes a database as fast as it can until it is killed.

    python child.py FOLDER SEED THREADS

Every thread's transaction n inserts three rows (thread, n, 0..2) and sets the thread's counter to
n; now and then it inserts many rows at once, and thread 0 checkpoints. After each commit it writes
`thread n` to stdout: an acknowledgement.
"""

from __future__ import annotations

import os
import random
import sys
import threading

import numpy as np
import pyarrow as pa

from hartonomous.storage import load, prepare
from hartonomous.storage.catalog import ColumnEntry, KeyEntry, TableEntry
from hartonomous.storage.database import Database

THREADS_MAX = 4


def int_column(number: int, name: str) -> ColumnEntry:
    return ColumnEntry(number, name, "BIGINT", pa.int64(), nullable=False)


def create(database: Database) -> None:
    transaction = database.begin()
    if transaction.catalog.find("dbo", "log") is None:
        key = KeyEntry(4, "pk", (1, 2, 3), "PRIMARY KEY")
        columns = tuple(int_column(i, n) for i, n in enumerate(("thread", "n", "part"), 1))
        transaction.create(TableEntry(0, "dbo", "log", columns, (key,), next_id=5))
        key = KeyEntry(3, "pk", (1,), "PRIMARY KEY")
        columns = (int_column(1, "thread"), int_column(2, "n"))
        counters = transaction.create(TableEntry(0, "dbo", "counters", columns, (key,), next_id=4))
        transaction.insert(counters.id, rows(thread=list(range(THREADS_MAX)), n=[0] * THREADS_MAX))
    transaction.commit(statement="CREATE", author="child")


def rows(**columns: list[int]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})


def work(database: Database, thread: int, chance: random.Random) -> None:
    while True:
        transaction = database.begin()
        log = transaction.catalog.get("dbo", "log").id
        counters = transaction.catalog.get("dbo", "counters").id
        view = transaction.view(counters)
        place = view.lookup(3, rows(thread=[thread]))
        n = view.gather("n", place)[0].as_py() + 1
        parts = 400 if chance.random() < 0.05 else 3
        transaction.insert(
            log, rows(thread=[thread] * parts, n=[n] * parts, part=list(range(parts)))
        )
        transaction.update(counters, np.asarray(place), rows(thread=[thread], n=[n]))
        transaction.commit(statement=f"thread {thread}, {n}", author="child")
        os.write(1, f"{thread} {n}\n".encode())
        if thread == 0 and chance.random() < 0.03:
            database.checkpoint()


def main() -> None:
    folder, seed, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    load.BULK_BYTES = prepare.BULK_BYTES = 4000
    database = Database.open(folder)
    create(database)
    workers = [
        threading.Thread(target=work, args=(database, i, random.Random(seed * 10 + i)))
        for i in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:  # a main thread that has ended is the beginning of a shutdown
        worker.join()


if __name__ == "__main__":
    main()
