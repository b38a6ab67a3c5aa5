"""A table `t` (id, …) whose rows come, change and go at random, and which is compared with itself
without its indexes after every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hartonomous import hql

Random = np.random.Generator
Act = Callable[[hql.Connection, Random], None]


@dataclass(frozen=True)
class IndexedTable:
    """`begin` makes the table with `first` rows, ids from 0 on; `rows` gives as many rows of VALUES
    from an id on, `update` a SET; `compare` is asked after every step, `roll_back` is a transaction
    that leaves nothing."""

    first: int
    begin: Act
    rows: Callable[[Random, int, int], str]
    update: Callable[[Random], str]
    compare: Act
    roll_back: Act

    def run(self, path: Path, seed: int, steps: int) -> None:
        random = np.random.default_rng(seed)
        database = hql.connect(path)
        self.begin(database, random)
        first = self.first
        for _ in range(steps):
            match random.integers(0, 7):
                case 0 | 1:
                    count = int(random.choice([1, 7, 60]))
                    database.execute(f"INSERT INTO t VALUES {self.rows(random, first, count)}")
                    first += count
                case 2:
                    share = int(random.integers(2, 9))
                    database.execute(f"UPDATE t SET {self.update(random)} WHERE id % {share} = 1")
                case 3:
                    database.execute(f"DELETE FROM t WHERE id % {int(random.integers(5, 30))} = 2")
                case 4:
                    database.execute("CHECKPOINT")
                case 5:
                    database.close()
                    database = hql.connect(path)
                case 6:
                    self.roll_back(database, random)
            self.compare(database, random)
        assert database.execute("VERIFY DATABASE").fetchall() == []
        database.close()
