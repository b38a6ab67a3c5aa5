"""A function gives the same bound in place, run for each row, and as a table function."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.storage.errors import Error

leaves = st.sampled_from(["@a", "@b", "0", "1", "-3", "7", "NULL"])


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "%", "/"]), inner).map(
            lambda x: f"({x[0]} {x[1]} {x[2]})"
        ),
        pair.map(lambda x: f"ISNULL({x[0]}, {x[1]})"),
        pair.map(lambda x: f"NULLIF({x[0]}, {x[1]})"),
        pair.map(lambda x: f"IIF({x[0]} < {x[1]}, {x[0]}, @b)"),
        inner.map(lambda x: f"CASE {x} WHEN @a THEN 1 WHEN 0 THEN @b ELSE {x} END"),
        inner.map(lambda x: f"(SELECT MAX(v) FROM (VALUES (1), (2), (@b)) AS t(v) WHERE v <> {x})"),
        pair.map(lambda x: f"deeper({x[0]}, {x[1]})"),
        inner.map(lambda x: f"run_deeper(@b = {x}, @a = @a)"),
    )


expressions = st.recursive(leaves, _combined, max_leaves=6)
numbers = st.lists(
    st.tuples(*[st.one_of(st.none(), st.integers(-4, 9))] * 2), min_size=1, max_size=4
)


def answer(connection: Any, sql: str) -> Any:
    try:
        return connection.execute(sql).fetchall()
    except Error as error:
        return error.code


@settings(max_examples=40, deadline=None)
@given(expressions, numbers, st.sampled_from(["a, b", "a + 0, b - 1", "b, (SELECT MIN(a) FROM t)"]))
def test_however_it_is_called(
    body: str, rows: list[tuple[int | None, int | None]], arguments: str
) -> None:
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE t (n INT, a INT, b INT)")
        db.executemany(
            "INSERT INTO t VALUES (?, ?, ?)", [(i, a, b) for i, (a, b) in enumerate(rows)]
        )
        head = "(@a INT, @b INT) RETURNS INT AS BEGIN"
        db.execute(f"CREATE FUNCTION deeper{head} RETURN @a * 2 - @b + @a % 3 END")
        db.execute(f"CREATE FUNCTION run_deeper{head} DECLARE @x INT = @b; RETURN @x - @a END")
        db.execute(f"CREATE FUNCTION inlined{head} RETURN {body} END")
        db.execute(f"CREATE FUNCTION run{head} DECLARE @x INT = {body}; RETURN @x END")
        db.execute(
            f"CREATE FUNCTION as_table(@a INT, @b INT) RETURNS TABLE AS RETURN "
            f"SELECT CAST({body} AS INT) AS x"
        )
        expected = answer(db, f"SELECT n, inlined({arguments}) FROM t ORDER BY n")
        assert answer(db, f"SELECT n, run({arguments}) FROM t ORDER BY n") == expected
        applied = f"SELECT n, f.x FROM t CROSS APPLY as_table({arguments}) AS f ORDER BY n"
        assert answer(db, applied) == expected
