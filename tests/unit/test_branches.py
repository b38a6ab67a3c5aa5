"""Branches and the past as Python sees them: connections, readers, threads of asyncio, errors."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hartonomous import hql
from hartonomous.hql.dbapi import Connection


def count(db: Connection, moment: str = "") -> int:
    return int(db.execute(f"SELECT COUNT(*) FROM t {moment}").fetchall()[0][0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "d.hdb"
    with hql.connect(path) as db:
        db.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT); INSERT INTO t VALUES (1, 10)")
        db.execute("CREATE TAG one; CREATE BRANCH trial")
    return path


def test_a_connection_begins_on_a_branch(path: Path) -> None:
    with hql.connect(path, branch="TRIAL") as db, hql.connect(path) as other:
        db.execute("INSERT INTO t VALUES (2, 20)")
        assert db.session.branch == "trial"
        assert (count(db), count(other)) == (2, 1)
        other.execute("MERGE BRANCH trial")
        assert count(other) == 2
    with pytest.raises(hql.Error, match='branch "nowhere" does not exist'):
        hql.connect(path, branch="nowhere")
    with hql.connect(path) as db:  # the one that failed gave its opening back
        assert count(db) == 2


def test_asynchronous_connections_do_too(path: Path) -> None:
    async def work() -> list[tuple[int]]:
        async with await hql.connect_async(path, branch="trial") as db:
            await db.execute("INSERT INTO t VALUES (3, 30)")
            return await (await db.execute("SELECT a FROM t ORDER BY a")).fetchall()

    assert asyncio.run(work()) == [(1,), (3,)]


def test_a_reader_sees_branches_and_the_past(path: Path) -> None:
    with hql.connect(path) as writer, hql.connect(path, read_only=True, branch="trial") as reader:
        writer.execute("USE BRANCH trial; INSERT INTO t VALUES (4, 40)")
        assert count(reader) == 2
        assert count(reader, "FOR SYSTEM_TIME AS OF BRANCH 'main'") == 1
        assert count(reader, "FOR SYSTEM_TIME AS OF COMMIT 'one'") == 1
        writer.execute("CREATE BRANCH later; CREATE TAG two")
        names = [row[0] for row in reader.execute("SHOW BRANCHES").fetchall()]
        assert names == ["main", "later", "trial"]
        shown = reader.execute("DIFF COMMIT 'one', 'two'").fetchall()
        assert [row[:2] for row in shown] == [("t", "insert")]
        for text in ("CREATE BRANCH x", "DROP BRANCH later", "CREATE TAG x", "MERGE BRANCH later"):
            with pytest.raises(hql.Error) as caught:
                reader.execute("USE BRANCH main")
                reader.execute(text if text[0] != "M" else "MERGE BRANCH trial")
            assert caught.value.code == "READ_ONLY", text


def test_a_conflict_has_its_rows(path: Path) -> None:
    with hql.connect(path) as db:
        db.execute("UPDATE t SET b = 11; USE BRANCH trial; UPDATE t SET b = 12; USE BRANCH main")
        with pytest.raises(hql.Error) as caught:
            db.execute("MERGE BRANCH trial")
        assert caught.value.rows.to_pylist() == [  # type: ignore[attr-defined]
            {
                "TableName": "t",
                "KeyJson": '{"a":1}',
                "BaseJson": '{"a":1,"b":10}',
                "OursJson": '{"a":1,"b":11}',
                "TheirsJson": '{"a":1,"b":12}',
            }
        ]
        results = []
        with pytest.raises(hql.Error):
            for result in db.session.results("MERGE BRANCH trial"):
                results.append(result.to_table().num_rows)
        assert results == [1], "the rows come before the error"


def test_without_autocommit_branches_stand_outside_transactions(path: Path) -> None:
    with hql.connect(path, autocommit=False) as db:
        db.execute("CREATE BRANCH free")
        db.execute("INSERT INTO t VALUES (5, 50)")
        for text in ("USE BRANCH trial", "CREATE BRANCH x", "MERGE BRANCH trial", "CREATE TAG x"):
            with pytest.raises(hql.Error, match="a transaction is open"):
                db.execute(text)
        db.commit()
        db.execute("USE BRANCH free")
        assert count(db) == 1


def test_a_kept_plan_follows_the_branch(path: Path) -> None:
    """The same text on the same connection, while its branch and the catalogs change."""
    with hql.connect(path) as db:
        text = "SELECT * FROM t WHERE a = 1"
        assert db.execute(text).fetchall() == [(1, 10)]
        db.execute("USE BRANCH trial; ALTER TABLE t ADD c INT; UPDATE t SET c = 7")
        assert db.execute(text).fetchall() == [(1, 10, 7)]
        db.execute("USE BRANCH main")
        assert db.execute(text).fetchall() == [(1, 10)]
        past = "SELECT * FROM t FOR SYSTEM_TIME AS OF BRANCH 'trial'"
        assert db.execute(past).fetchall() == [(1, 10, 7)]
        db.execute("USE BRANCH trial; UPDATE t SET c = 8; USE BRANCH main")
        assert db.execute(past).fetchall() == [(1, 10, 8)]


def test_a_dropped_table_that_a_branch_still_has_is_in_the_past(tmp_path: Path) -> None:
    for database in (None, tmp_path / "a.hdb"):
        with hql.connect(database) as db:
            db.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1); CREATE TAG one")
            db.execute("CREATE BRANCH trial; DROP TABLE t")
            assert count(db, "FOR SYSTEM_TIME AS OF COMMIT one") == 1
