"""A process that moves money between accounts, collects garbage all the time and makes backups
until it is killed.

python keeping_writer.py FOLDER SEED BACKUPS

BACKUPS is a folder for backups 0, 1, 2 …, or - for none.
"""

from __future__ import annotations

import itertools
import random
import sys
import threading
from pathlib import Path

from hartonomous.storage import keeper, load, prepare
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.database import Database

sys.path.append(str(Path(__file__).parent))
import writer

BALLAST = 300


def create_ballast(database: Database) -> None:
    """A table whose rows lie in segments alone, most of the time."""
    transaction = database.begin()
    if transaction.catalog.find("dbo", "ballast") is None:
        columns = (writer.int_column(1, "id"),)
        transaction.create(TableEntry(0, "dbo", "ballast", columns, (), next_id=2))
    transaction.commit(statement="CREATE", author="writer")


def keep(database: Database, backups: str, chance: random.Random) -> None:
    for number in itertools.count():
        transaction = database.begin()
        table = transaction.catalog.get("dbo", "ballast").id
        transaction.truncate(table)
        transaction.insert(table, writer.rows(id=list(range(BALLAST))))
        transaction.commit(statement="ballast", author="writer")
        database.vacuum()
        if backups != "-":
            database.backup(Path(backups) / f"{number}")
        threading.Event().wait(chance.random() * 0.01)


def main() -> None:
    folder, seed, backups = sys.argv[1:]
    keeper.DELAY_S = 0.0
    load.BULK_BYTES = prepare.BULK_BYTES = 500
    database = Database.open(folder, checkpoint_bytes=20_000)
    writer.create(database)
    create_ballast(database)
    database.set_setting("retention", "0 seconds")
    chance = random.Random(int(seed))
    threading.Thread(target=keep, args=(database, backups, chance), daemon=True).start()
    writer.main()


if __name__ == "__main__":
    main()
