"""A process that adds and drops models until it is killed.

    python model_importer.py DATABASE SEED

Change i drops the model before the last one if i % 3 == 2, else adds model SEED * 1000 + i, named
by its number and made of that seed. After each commit it writes i to stdout.
"""

from __future__ import annotations

import itertools
import sys

from tiny_models import add_tiny

from hartonomous.storage.catalog import MODELS
from hartonomous.storage.database import Database


def models_after(changes: int, seed: int) -> set[int]:
    """Numbers of the models that are there after so many changes."""
    added = {seed * 1000 + i for i in range(changes) if i % 3 != 2}
    return added - {seed * 1000 + i - 2 for i in range(changes) if i % 3 == 2}


def main() -> None:
    folder, seed = sys.argv[1], int(sys.argv[2])
    database = Database.open(folder)
    for i in itertools.count():
        transaction = database.begin()
        number = seed * 1000 + i
        if i % 3 == 2:
            transaction.drop(transaction.catalog.get(MODELS, str(number - 2)))
        else:
            add_tiny(transaction, str(number), number)
        transaction.commit(statement=f"change {i}", author="test")
        print(i, flush=True)
        if i % 5 == 4:
            database.checkpoint()


if __name__ == "__main__":
    main()
