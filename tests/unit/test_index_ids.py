"""Ids of keys and indexes that were rolled back are given again; what was built for the first
holder of an id is never taken for the second's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.storage import load, prepare

FIVE = "STDistance(geometry::Point(-5, 0, 0))"


def _rows(database: hql.Connection, text: str) -> list[tuple[Any, ...]]:
    return database.execute(text).fetchall()


def _table(database: hql.Connection) -> None:
    database.execute("CREATE TABLE t (id INT, a INT, b INT, g GEOMETRY, h GEOMETRY)")
    database.execute(
        "INSERT INTO t SELECT value, value % 7, value % 5, geometry::Point(value, 0, 0), "
        "geometry::Point(-value, 0, 0) FROM GENERATE_SERIES(1, 2000)"
    )


def test_an_index_after_another_that_was_rolled_back() -> None:
    with hql.connect(":memory:") as database:
        _table(database)
        database.execute("BEGIN TRAN")
        database.execute("CREATE INDEX ix ON t (g) USING RTREE")
        database.execute("ROLLBACK")
        database.execute("CREATE INDEX ix ON t (h) USING RTREE")
        near = f"SELECT id FROM t WHERE h.{FIVE} < 1.5 ORDER BY id OPTION (USE INDEX (ix))"
        assert _rows(database, near) == [(4,), (5,), (6,)]
        nearest = f"SELECT TOP (1) id FROM t ORDER BY h.{FIVE} OPTION (USE INDEX (ix))"
        assert _rows(database, nearest) == [(5,)]


def test_a_key_after_another_that_was_rolled_back() -> None:
    with hql.connect(":memory:") as database:
        _table(database)
        database.execute("BEGIN TRAN")
        database.execute("CREATE INDEX kx ON t (a)")
        assert _rows(database, "SELECT COUNT(*) FROM t WHERE a = 3") == [(286,)]
        database.execute("ROLLBACK")
        database.execute("CREATE INDEX kx ON t (b)")
        assert _rows(database, "SELECT COUNT(*) FROM t WHERE b = 3") == [(400,)]


def test_the_log_holds_the_keys_that_were_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "BULK_BYTES", 1000)
    monkeypatch.setattr(prepare, "BULK_BYTES", 1000)
    with hql.connect(tmp_path / "a.hdb") as database:
        database.execute("BEGIN TRAN")
        _table(database)
        database.execute("SAVE TRAN before")
        database.execute("CREATE INDEX kx ON t (a)")
        assert _rows(database, "SELECT COUNT(*) FROM t WHERE a = 3") == [(286,)]
        database.execute("ROLLBACK TRAN before")
        database.execute("CREATE INDEX kx ON t (b)")
        database.execute("COMMIT")
        shutil.copytree(tmp_path / "a.hdb", tmp_path / "b.hdb")
    with hql.connect(tmp_path / "b.hdb") as database:
        assert _rows(database, "SELECT COUNT(*) FROM t WHERE b = 3") == [(400,)]
