"""Columns that come and go, in and out of transactions, beside changes of rows and checkpoints:
the rows are those of a model, and all that ever was committed still has its hashes."""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.storage import load, prepare

STEPS = st.lists(
    st.sampled_from(
        ["insert", "insert", "insert many", "update", "delete", "add", "drop", "drop"]
        + ["begin", "commit", "rollback", "checkpoint", "crash"]
    ),
    min_size=8,
    max_size=24,
)


class Columns:
    """A table whose first column stays, and what it should hold."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made, self.copies = folder, 0, 0
        self.db = hql.connect(folder / "db")
        self.db.execute("CREATE TABLE t (a INT PRIMARY KEY, b BIGINT, c BIGINT)")
        self.columns, self.rows = ["a", "b", "c"], {}  # type: list[str], dict[int, dict[str, Any]]
        self.saved: Any = None

    def run(self, step: str) -> None:
        match step:
            case "insert":
                self._insert(1)
            case "insert many":
                self._insert(80)
            case "update":
                for name in self.columns[1:]:
                    self.db.execute(f"UPDATE t SET {name} = {name} + 1 WHERE a % 2 = 0")
                    for row in self.rows.values():
                        if row["a"] % 2 == 0 and row[name] is not None:
                            row[name] += 1
            case "delete":
                self.db.execute("DELETE FROM t WHERE a % 5 = 0")
                self.rows = {k: r for k, r in self.rows.items() if k % 5}
            case "add":
                name = next(n for n in "bcdefghijklmnopqrstuvwxyz" if n not in self.columns)
                self.db.execute(f"ALTER TABLE t ADD {name} BIGINT")
                self.columns.append(name)
                for row in self.rows.values():
                    row[name] = None
            case "drop" if len(self.columns) > 1:
                name = self.columns.pop(1)
                self.db.execute(f"ALTER TABLE t DROP COLUMN {name}")
                for row in self.rows.values():
                    del row[name]
            case "begin" if self.saved is None:
                self.db.execute("BEGIN TRAN")
                self.saved = copy.deepcopy((self.columns, self.rows))
            case "commit" | "rollback" if self.saved is not None:
                self.db.execute(step)
                if step == "rollback":
                    self.columns, self.rows = self.saved
                self.saved = None
            case "checkpoint" if self.saved is None:
                self.db.execute("CHECKPOINT")
            case "crash" if self.saved is None:
                self.crash()
        self.check(self.db)

    def _insert(self, count: int) -> None:
        rows = [{n: self.made + i for n in self.columns} for i in range(count)]
        self.made += count
        self.rows.update({r["a"]: r for r in rows})
        cells = ", ".join("(" + ", ".join(str(r[n]) for n in self.columns) + ")" for r in rows)
        self.db.execute(f"INSERT INTO t VALUES {cells}")

    def check(self, db: Any) -> None:
        cursor = db.execute("SELECT * FROM t ORDER BY a")
        assert [d[0] for d in cursor.description] == self.columns
        expected = [tuple(r[n] for n in self.columns) for _, r in sorted(self.rows.items())]
        assert cursor.fetchall() == expected

    def crash(self) -> None:
        """What lies on disk now opens with the same rows and verifies, and so when closed."""
        self.copies += 1
        copied = self.folder / f"copy{self.copies}"
        shutil.copytree(self.folder / "db", copied)
        for _ in range(2):
            with hql.connect(copied) as other:
                self.check(other)
                assert other.execute("VERIFY DATABASE").fetchall() == []

    def end(self) -> None:
        if self.saved is not None:
            self.run("commit")
        assert self.db.execute("VERIFY DATABASE").fetchall() == []
        self.crash()
        self.db.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_columns_come_and_go(steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (load, prepare):
        monkeypatch.setattr(module, "BULK_BYTES", 1000)
    memory = Path("/dev/shm")  # what is tested here is logic, not the device
    folder = Path(tempfile.mkdtemp(prefix="columns-", dir=memory if memory.is_dir() else None))
    try:
        machine = Columns(folder)
        for step in steps:
            machine.run(step)
        machine.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
