"""Policies and rights where rows come by indexes, as nearest ones, or out of models; and what a
policy's own condition may do. (tests/property/test_policies.py: any query and change.)"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pyarrow as pa
import pytest

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.errors import PermissionFault
from hartonomous.hql.security.accounts import Accounts
from hartonomous.storage.errors import Error

QUERIES = (
    "SELECT TOP (5) id FROM {t} ORDER BY VECTOR_DISTANCE('euclidean', v, [0.5, 0.5, 0.5])",
    "SELECT COUNT(*) FROM {t} WHERE g.STIntersects("
    "geometry::STGeomFromText('POLYGON((10 10, 40 10, 40 40, 10 40, 10 10))', 0)) = 1",
    "SELECT TOP (5) id FROM {t} ORDER BY g.STDistance(geometry::STGeomFromText('POINT(50 50)', 0))",
    "SELECT COUNT(*) FROM {t} a JOIN {t} b ON a.g.STDistance(b.g) < 2 AND a.id < b.id",
    "SELECT TOP (7) id, n FROM {t} ORDER BY n, id",
    "SELECT COUNT(*) FROM {t} WHERE n BETWEEN 3 AND 5",
    "SELECT COUNT(*), MIN(id), MAX(n) FROM {t}",
    "SELECT CAST(v AS NVARCHAR(MAX)) AS v FROM {t} WHERE id IN (1, 2, 3, 4, 5, 6) ORDER BY id",
)


def become(db: Connection, name: str) -> None:
    db.session.account = Accounts.of(db.session.database).find(name)
    assert db.session.account is not None


@pytest.fixture(scope="module")
def world() -> Iterator[Connection]:
    """`t`, of which anna sees half; `judge`, which is that half."""
    chance = random.Random(3)
    with hql.connect(":memory:") as db:
        for name in ("t", "judge"):
            db.execute(f"""
                CREATE TABLE {name}
                    (id INT PRIMARY KEY, g GEOMETRY, v VECTOR(3), who NVARCHAR(10), n INT);
                CREATE INDEX r_{name} ON {name} (g) USING RTREE;
                CREATE INDEX b_{name} ON {name} (n) USING BTREE
            """)
        numbers = range(400)
        places = [f"POINT({chance.random() * 100} {chance.random() * 100})" for _ in numbers]
        vectors = [str([chance.random() for _ in range(3)]) for _ in numbers]
        names = [chance.choice(["anna", "bob"]) for _ in numbers]
        rows = pa.table({"id": list(numbers), "p": places, "v": vectors, "who": names})
        db.execute(
            "INSERT INTO t SELECT id, geometry::STGeomFromText(p, 0), CAST(v AS VECTOR(3)), who, "
            "id % 50 FROM @rows",
            {"rows": rows},
        )
        db.execute("INSERT INTO judge SELECT * FROM t WHERE who = 'anna'")
        db.execute("CREATE USER boss; CREATE USER anna; GRANT SELECT TO anna")
        db.execute("CREATE POLICY p ON t TO anna USING (who = CURRENT_USER)")
        become(db, "anna")
        yield db


@pytest.mark.parametrize("query", QUERIES)
def test_indexes_find_no_hidden_rows(query: str, world: Connection) -> None:
    seen = world.execute(query.format(t="t")).fetchall()
    assert seen == world.execute(query.format(t="judge")).fetchall()
    assert seen and seen != [(0,)], "the query shows nothing"


def test_a_stream_and_a_cursor_show_what_is_seen(world: Connection) -> None:
    batches = world.execute("SELECT who FROM t").fetch_record_batches()
    assert {r["who"] for batch in batches for r in batch.to_pylist()} == {"anna"}
    world.execute("DECLARE c CURSOR FOR SELECT who FROM t; OPEN c")
    found = [world.execute("FETCH NEXT FROM c").fetchone() for _ in range(5)]
    world.execute("DEALLOCATE c")
    assert found == [("anna",)] * 5


def test_weights_are_for_who_may_select_and_use_for_who_may_execute() -> None:
    with hql.connect(":memory:") as db:
        for name in ("open_model", "used_model", "hidden_model"):
            db.execute(
                f"CREATE MODEL {name} ARCHITECTURE mlp(inputs = 2, hidden = 3, outputs = 1) "
                "WITH (SEED = 1)"
            )
        db.execute("CREATE USER boss; CREATE USER anna")
        db.execute("GRANT SELECT ON MODEL open_model TO anna")
        db.execute("GRANT EXECUTE ON MODEL used_model TO anna")
        every = db.execute("SELECT COUNT(*) FROM TensorAtomCoefficients").fetchone()[0]
        become(db, "anna")
        assert db.execute("SELECT ModelName FROM Models ORDER BY 1").fetchall() == [
            ("open_model",),
            ("used_model",),
        ]
        for query in (
            "SELECT DISTINCT ModelName FROM TensorAtoms",
            "SELECT DISTINCT ModelName FROM TensorAtoms WHERE TensorAtomId > 0",
            "SELECT TOP (1) ModelName FROM TensorAtoms ORDER BY Norm",
        ):
            assert db.execute(query).fetchall() == [("open_model",)], query
        seen = db.execute("SELECT COUNT(*) FROM TensorAtomCoefficients").fetchone()[0]
        assert seen * 3 == every
        predict = "SELECT COUNT(*) FROM PREDICT('{}', (SELECT 1 AS id, [1, 2] AS v))"
        assert db.execute(predict.format("used_model")).fetchall() == [(1,)]
        assert db.execute(predict.format("open_model")).fetchall() == [(1,)]
        with pytest.raises(Error) as error:
            db.execute(predict.format("hidden_model"))
        assert error.value.code == "UNKNOWN_MODEL"
        with pytest.raises(Error) as error:
            db.execute("EXPORT MODEL used_model TO 'x'")
        assert error.value.code == "PERMISSION"


def test_a_condition_that_asks_its_own_table_ends() -> None:
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (a INT)")
        db.execute("INSERT INTO t VALUES (1), (2)")
        db.execute(
            "CREATE FUNCTION f(@x INT) RETURNS INT AS "
            "BEGIN DECLARE @n INT = (SELECT COUNT(*) FROM t); RETURN @n END"
        )
        db.execute("CREATE USER boss; CREATE USER anna; GRANT SELECT TO anna")
        db.execute("CREATE POLICY plain ON t TO anna USING (a = (SELECT MAX(a) FROM t))")
        become(db, "anna")
        assert db.execute("SELECT a FROM t").fetchall() == [(2,)]
        db.session.account = None
        db.execute("DROP POLICY plain ON t")
        db.execute("CREATE POLICY endless ON t TO anna USING (dbo.f(a) > 0)")
        become(db, "anna")
        with pytest.raises(PermissionFault):
            db.execute("SELECT a FROM t")


def test_rights_and_policies_hold_on_branches_and_in_transactions() -> None:
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (a INT, who NVARCHAR(10))")
        db.execute("INSERT INTO t VALUES (1, 'anna'), (2, 'bob')")
        db.execute("CREATE BRANCH other")
        db.execute("CREATE USER boss; CREATE USER anna; GRANT SELECT, INSERT ON t TO anna")
        db.execute("CREATE POLICY p ON t TO anna USING (who = 'anna')")
        become(db, "anna")
        for branch in ("other", "main"):
            db.execute(f"USE BRANCH {branch}")
            assert db.execute("SELECT a FROM t").fetchall() == [(1,)]
        of_branch = "SELECT a FROM t FOR SYSTEM_TIME AS OF BRANCH 'other'"
        assert db.execute(of_branch).fetchall() == [(1,)]
        with db.transaction():
            db.execute("INSERT INTO t VALUES (3, 'anna')")
            assert db.execute("SELECT a FROM t ORDER BY a").fetchall() == [(1,), (3,)]
            with pytest.raises(PermissionFault):
                db.execute("INSERT INTO t VALUES (4, 'bob')")
        assert db.execute("SELECT COUNT(*) FROM t").fetchone() == (2,)


def test_many_rows_are_checked_in_every_way_that_they_come() -> None:
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (a INT, who NVARCHAR(10))")
        db.execute("CREATE USER boss; CREATE USER anna; GRANT SELECT, INSERT, UPDATE ON t TO anna")
        db.execute("CREATE POLICY p ON t TO anna USING (who = 'anna')")
        become(db, "anna")
        good = [(i, "anna") for i in range(200)]
        db.executemany("INSERT INTO t VALUES (?, ?)", good)
        bad = [*good, (1, "bob")]
        rows = pa.table({"a": [a for a, _ in bad], "who": [w for _, w in bad]})
        ways = [
            lambda: db.executemany("INSERT INTO t VALUES (?, ?)", bad),
            lambda: db.executemany("INSERT INTO t VALUES (?, CAST(? AS NVARCHAR(9)))", bad),
            lambda: db.execute("INSERT INTO t SELECT * FROM @rows", {"rows": rows}),
            lambda: db.execute("INSERT INTO t VALUES (1, 'bob')"),
            lambda: db.execute("INSERT INTO t (a) VALUES (1)"),
            lambda: db.execute("INSERT INTO t EXEC('SELECT 1, ''bob''')"),
            lambda: db.execute("UPDATE t SET who = 'bob' WHERE a = 1"),
            lambda: db.executemany("UPDATE t SET who = 'bob' WHERE a = ?", [(1,), (2,), (3,)]),
        ]  # fmt: skip
        for way in ways:
            with pytest.raises(PermissionFault):
                way()
            assert db.execute("SELECT COUNT(*) FROM t").fetchone() == (200,)
        db.session.account = None
        assert db.execute("SELECT DISTINCT who FROM t").fetchall() == [("anna",)]
