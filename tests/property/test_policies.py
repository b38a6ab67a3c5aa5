"""A policy shows what a table without the hidden rows would show: any query, index, change.

The judge is a second table that holds only the rows that the policy lets through, and is asked the
same. Expressions that fail for hidden rows are among the queries: they must not fail.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.security.accounts import Accounts
from hartonomous.storage.errors import Error

ROWS = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from(["anna", "bob", "anna b"]), st.integers(-2, 2)),
    max_size=12,
)
POLICIES = st.sampled_from(
    [
        "who = 'anna'",
        "a > 0",
        "a + v <> 1 AND who LIKE 'anna%'",
        "v IN (SELECT v FROM allowed)",
        "a IS NULL",
        "1 = 1",
    ]
)
QUERIES = (
    "SELECT id, a, who, v FROM {t} ORDER BY id",
    "SELECT COUNT(*), SUM(a), MIN(who), MAX(v) FROM {t}",
    "SELECT who, COUNT(*) FROM {t} GROUP BY who ORDER BY who",
    "SELECT id FROM {t} WHERE id = 3",
    "SELECT id FROM {t} WHERE a >= 1 ORDER BY id",
    "SELECT TOP (2) id, a FROM {t} ORDER BY a DESC, id",
    "SELECT x.id, y.id FROM {t} x LEFT JOIN {t} y ON x.a = y.v ORDER BY 1, 2",
    "SELECT id FROM {t} x WHERE EXISTS (SELECT 1 FROM {t} y WHERE y.id = x.id + 1) ORDER BY id",
    "SELECT id, (SELECT COUNT(*) FROM {t} y WHERE y.a < x.a) FROM {t} x ORDER BY id",
    "SELECT SUM(10 / a) FROM {t}",
    "SELECT id FROM {t} WHERE 10 / a > 2 ORDER BY id",
    "SELECT CAST(who AS INT) FROM {t}",
    "SELECT DISTINCT a FROM {t} UNION ALL SELECT v FROM {t} ORDER BY 1",
    "WITH r AS (SELECT id FROM {t} WHERE id = 1 UNION ALL SELECT t.id FROM {t} t JOIN r "
    "ON t.id = r.id + 1) SELECT COUNT(*) FROM r",
    "SELECT id, LAG(id) OVER (ORDER BY id) FROM {t} ORDER BY id",
    "SELECT id FROM {t} FOR SYSTEM_TIME AS OF COMMIT 'made' ORDER BY id",
)
CHANGES = (
    "UPDATE {t} SET v = v + 0 WHERE a > -10",
    "UPDATE x SET v = 1 FROM {t} x JOIN {t} y ON y.id = x.id WHERE y.a = 1",
    "DELETE FROM {t} WHERE a = 1",
    "DELETE FROM {t}",
    "MERGE INTO {t} t USING (VALUES (1), (2), (3)) s(id) ON t.id = s.id WHEN MATCHED THEN DELETE",
)


def answer(db: Connection, text: str) -> Any:
    """The rows, or the error's code and message without its place."""
    try:
        cursor = db.execute(text)
        return cursor.fetchall() if cursor.description else cursor.rowcount
    except Error as error:
        return error.code, error.message


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(ROWS, POLICIES, st.booleans(), st.sampled_from(CHANGES))
def test_it_is_as_if_hidden_rows_were_not_there(
    rows: list[tuple[int, str, int]], policy: str, is_indexed: bool, change: str
) -> None:
    with hql.connect(":memory:") as db:
        columns = "(id INT PRIMARY KEY, a INT, who NVARCHAR(10), v INT)"
        db.execute(f"CREATE TABLE t {columns}; CREATE TABLE judge {columns}")
        db.execute("CREATE TABLE allowed (v INT); INSERT INTO allowed VALUES (1), (2)")
        if is_indexed:
            for name in ("t", "judge"):
                db.execute(f"CREATE INDEX i_{name} ON {name} (a)")
        db.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [(i, *r) for i, r in enumerate(rows)])
        db.execute(f"INSERT INTO judge SELECT * FROM t WHERE {policy}")
        db.execute("CREATE TAG made")
        db.execute("CREATE USER boss; CREATE USER anna")
        db.execute("GRANT SELECT, UPDATE, DELETE TO anna")
        db.execute(f"CREATE POLICY p ON t TO anna USING ({policy}) WITH CHECK (1 = 1)")
        hidden = db.execute(f"SELECT * FROM t WHERE NOT ({policy}) ORDER BY id").fetchall()
        db.session.account = Accounts.of(db.session.database).find("anna")
        for query in QUERIES:
            assert answer(db, query.format(t="t")) == answer(db, query.format(t="judge")), query
        assert answer(db, change.format(t="t")) == answer(db, change.format(t="judge"))
        left = answer(db, QUERIES[0].format(t="judge"))
        db.session.account = None
        everything = db.execute("SELECT * FROM t ORDER BY id").fetchall()
        assert [r for r in everything if r in hidden] == hidden
        assert sorted([*hidden, *left]) == everything
