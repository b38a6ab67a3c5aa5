"""ALTER TABLE and the log: what was changed reads the same after a crash, and verifies."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hartonomous import hql


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Any]:
    with hql.connect(tmp_path / "db") as connection:
        yield connection


def check_after_crash(tmp_path: Path, query: str, expected: list[Any]) -> None:
    """What a killed process would leave holds these rows, verifies, and so it does when closed."""
    copied = tmp_path / "copy"
    shutil.copytree(tmp_path / "db", copied)
    for _ in range(2):  # from the log, and from the segments that closing made
        with hql.connect(copied) as other:
            assert other.execute(query).fetchall() == expected
            assert other.execute("VERIFY DATABASE").fetchall() == []
    shutil.rmtree(copied)


@pytest.mark.parametrize("first", ["INSERT INTO t VALUES (1), (2)", "UPDATE t SET a = a"])
def test_rows_from_before_an_added_column_in_one_transaction(
    db: Any, tmp_path: Path, first: str
) -> None:
    db.execute("CREATE TABLE t (a INT)")
    if first.startswith("UPDATE"):
        db.execute("INSERT INTO t VALUES (2), (1)")
    with db.transaction():
        db.execute(first)
        db.execute("ALTER TABLE t ADD b INT")
    check_after_crash(tmp_path, "SELECT * FROM t ORDER BY a", [(1, None), (2, None)])


def test_foreign_keys_and_new_types_after_a_crash(db: Any, tmp_path: Path) -> None:
    db.execute("CREATE TABLE p (id INT PRIMARY KEY, n INT); INSERT INTO p VALUES (1, 10), (2, 20)")
    db.execute("CREATE TABLE c (id INT PRIMARY KEY, p INT)")
    db.execute("INSERT INTO c VALUES (7, 1), (8, 2)")
    db.execute("ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p ON DELETE CASCADE")
    db.execute("ALTER TABLE p ALTER COLUMN n NVARCHAR(9)")
    db.execute("DELETE FROM p WHERE id = 1")
    db.execute("UPDATE p SET n = 'text'")
    query = "SELECT c.id, p.n FROM c LEFT JOIN p ON p.id = c.p"
    check_after_crash(tmp_path, query, [(8, "text")])
    db.execute("CHECKPOINT; ALTER TABLE c ALTER COLUMN id BIGINT; INSERT INTO c VALUES (9, NULL)")
    check_after_crash(tmp_path, query + " ORDER BY c.id", [(8, "text"), (9, None)])
