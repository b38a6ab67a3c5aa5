"""Binding of aggregates, GROUP BY and windows."""

from __future__ import annotations

import pytest
from bind_world import bind, block, first, show

from hartonomous.hql import plan
from hartonomous.storage.errors import Error


def test_grouped_or_not() -> None:
    assert block("SELECT Id FROM Items").group_by is None
    assert block("SELECT COUNT(*) FROM Items").group_by == ()
    assert block("SELECT 1 FROM Items HAVING COUNT(*) > 1").group_by == ()
    assert block("SELECT 1 FROM Items ORDER BY MAX(Id)").group_by == ()
    grouped = block("SELECT Name FROM Items GROUP BY Name, Id + 1").group_by
    assert grouped is not None and [show(g) for g in grouped] == ["r1.Name", "+(r1.Id, 1:INT)"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Id + 1, COUNT(*) FROM Items GROUP BY Id",
        "SELECT (Id + 1) * 2 FROM Items GROUP BY Id + 1",
        "SELECT UPPER(Name), MAX(Price) FROM Items GROUP BY UPPER(Name) ORDER BY UPPER(Name)",
        "SELECT CASE WHEN Id = 1 THEN 'a' END FROM Items GROUP BY CASE WHEN Id = 1 THEN 'a' END",
        "SELECT V, COUNT(*) FROM Items GROUP BY V",
        "SELECT (SELECT MAX(Quantity) FROM Sales WHERE ItemId = i.Id) FROM Items i GROUP BY i.Id",
        "SELECT i.Id FROM Items i GROUP BY Id",
        "SELECT COUNT(*) FROM Items GROUP BY 1",
        "SELECT @n, COUNT(*) FROM Items",
        "SELECT Name FROM Items GROUP BY Name HAVING SUM(Price) > 1 AND Name <> 'x'",
    ],
)
def test_what_a_grouped_block_may_show(text: str) -> None:
    assert block(text).group_by is not None


@pytest.mark.parametrize(
    ("text", "column", "place"),
    [
        ("SELECT Id, COUNT(*) FROM Items", "Id", 8),
        ("SELECT Name FROM Items GROUP BY Id", "Name", 8),
        ("SELECT Id + 1 FROM Items GROUP BY Id + 2", "Id", 8),
        ("SELECT Id FROM Items GROUP BY Id ORDER BY Name", "Name", 43),
        ("SELECT 1 FROM Items GROUP BY Id HAVING Name = 'x'", "Name", 40),
        ("SELECT * FROM Sales GROUP BY Id", "ItemId", 8),
        ("SELECT SUM(Price) OVER (ORDER BY Day), COUNT(*) FROM Items", "Price", 12),
        ("SELECT (SELECT MAX(Quantity + i.Tiny) FROM Sales) FROM Items i GROUP BY Id", "Tiny", 31),
        ("SELECT (SELECT Day) FROM Items GROUP BY Id", "Day", 16),
    ],
)
def test_a_column_outside_group_by_is_an_error_naming_it(
    text: str, column: str, place: int
) -> None:
    with pytest.raises(Error) as raised:
        bind(text)
    error = raised.value
    assert error.code == "GROUPING" and f'"{column}"' in error.message
    assert (error.line, error.column) == (1, place)
    assert error.hint is not None and f"GROUP BY {column}" in error.hint


def sets(clause: str) -> tuple[int, list[tuple[int, ...]]]:
    made = block(f"SELECT COUNT(*) FROM Items GROUP BY {clause}")
    assert made.group_by is not None
    return len(made.group_by), list(made.grouping_sets or ())


def test_grouping_sets() -> None:
    assert sets("Id, Name") == (2, [])
    assert sets("ROLLUP (Id, Name)") == (2, [(0, 1), (0,), ()])
    assert sets("CUBE (Id, Name)") == (2, [(0, 1), (0,), (1,), ()])
    assert sets("GROUPING SETS ((Id, Name), (Name), ())") == (2, [(0, 1), (1,), ()])
    assert sets("Day, ROLLUP (Id, Name)") == (3, [(0, 1, 2), (0, 1), (0,)])
    assert sets("ROLLUP ((Id, Name), Day)") == (3, [(0, 1, 2), (0, 1), ()])
    assert sets("GROUPING SETS (Id, Name), GROUPING SETS (Day, ())") == (
        3, [(0, 2), (0,), (1, 2), (1,)],
    )  # fmt: skip


def test_grouping_function() -> None:
    assert first("SELECT GROUPING(Id) FROM Items GROUP BY CUBE (Id, Name)") == "agg GROUPING(r1.Id)"
    with pytest.raises(Error) as raised:
        bind("SELECT GROUPING(Day) FROM Items GROUP BY Id")
    assert raised.value.code == "GROUPING"


def test_too_many_grouping_sets() -> None:
    columns = ", ".join(f"Id + {i}" for i in range(13))
    with pytest.raises(Error) as raised:
        bind(f"SELECT 1 FROM Items GROUP BY CUBE ({columns})")
    assert raised.value.code == "GROUPING"
    with pytest.raises(Error, match="grouping sets"):
        bind(
            "SELECT 1 FROM Items GROUP BY CUBE (Id, Name, Day, At, Tiny, Big, Score), "
            "CUBE (Id + 1, Id + 2, Id + 3, Id + 4, Id + 5, Id + 6)"
        )


def test_aggregates_with_their_clauses() -> None:
    text = "SELECT COUNT(DISTINCT Id) FILTER (WHERE Price > 1) FROM Items"
    expected = "agg COUNT(distinct r1.Id) filter >(r1.Price, 1:DECIMAL(10,2))"
    assert first(text) == expected
    text = "SELECT STRING_AGG(Name, ',') WITHIN GROUP (ORDER BY Id DESC) FROM Items"
    made = block(text).outputs[0].expr
    assert isinstance(made, plan.Aggregate)
    assert made.order_by[0].descending and not made.order_by[0].nulls_first


def test_an_aggregate_over_outer_columns_is_the_outer_blocks() -> None:
    outer = block("SELECT (SELECT MAX(i.Price) FROM Sales) FROM Items i")
    assert outer.group_by == ()
    inner = outer.outputs[0].expr.query.body  # type: ignore[attr-defined]
    assert inner.group_by is None
    outer = block("SELECT (SELECT MAX(Quantity) FROM Sales) FROM Items i")
    assert outer.group_by is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM Items WHERE COUNT(*) > 1",
        "SELECT 1 FROM Items GROUP BY SUM(Id)",
        "SELECT 1 FROM Items i JOIN Sales s ON MAX(i.Id) = 1",
        "SELECT SUM(MAX(Id)) FROM Items",
        "SELECT SUM((SELECT MAX(i.Id))) FROM Items i",
        "SELECT 1 FROM Items WHERE Id = (SELECT MAX(Items.Id))",
        "SELECT 1 FROM Items CROSS APPLY (SELECT SUM(Items.Id) AS s) z",
    ],
)
def test_aggregates_where_they_cannot_stand(text: str) -> None:
    with pytest.raises(Error) as raised:
        bind(text)
    assert raised.value.code == "GROUPING" and raised.value.line == 1


# --- windows -------------------------------------------------------------------------------------


def test_windows() -> None:
    text = """SELECT SUM(Price) OVER (PARTITION BY Name ORDER BY Day DESC, Id
              ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM Items"""
    made = block(text).outputs[0].expr
    assert isinstance(made, plan.Window)
    assert [show(p) for p in made.partition_by] == ["r1.Name"]
    assert [(show(o.expr), o.descending, o.nulls_first) for o in made.order_by] == [
        ("r1.Day", True, False), ("r1.Id", False, True),
    ]  # fmt: skip
    assert made.frame is not None
    unit, start, end, exclude = made.frame
    assert (unit, start.kind, exclude) == ("ROWS", "PRECEDING", None)
    assert start.offset is not None and show(start.offset) == "2:BIGINT"
    assert end is not None and end.kind == "CURRENT ROW"


def test_windows_over_groups() -> None:
    text = "SELECT RANK() OVER (ORDER BY SUM(Price) DESC) FROM Items GROUP BY Name ORDER BY 1"
    assert block(text).group_by is not None
    assert block("SELECT SUM(COUNT(*)) OVER () FROM Items GROUP BY Name").group_by is not None
    bound = bind("SELECT Id FROM Items ORDER BY ROW_NUMBER() OVER (ORDER BY Day)").plan
    assert isinstance(bound.order_by[0].expr, plan.Window)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM Items WHERE ROW_NUMBER() OVER (ORDER BY Id) = 1",
        "SELECT 1 FROM Items GROUP BY RANK() OVER (ORDER BY Id)",
        "SELECT COUNT(*) FROM Items HAVING RANK() OVER (ORDER BY COUNT(*)) = 1",
        "SELECT SUM(RANK() OVER (ORDER BY Id)) FROM Items",
        "SELECT SUM(RANK() OVER (ORDER BY Id)) OVER () FROM Items",
        "SELECT ROW_NUMBER() FROM Items",
        "SELECT UPPER(Name) OVER () FROM Items",
        "SELECT SUM(Id) OVER (ORDER BY Id ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM Items",
        "SELECT SUM(Id) OVER (ORDER BY Id ROWS BETWEEN UNBOUNDED FOLLOWING AND CURRENT ROW) "
        "FROM Items",
        "SELECT SUM(Id) OVER (GROUPS 1 PRECEDING) FROM Items",
        "SELECT SUM(Id) OVER (ORDER BY Id ROWS -1 PRECEDING) FROM Items",
    ],
)
def test_windows_where_they_cannot_stand(text: str) -> None:
    with pytest.raises(Error) as raised:
        bind(text)
    assert raised.value.code == "BIND" and raised.value.line == 1


@pytest.mark.parametrize(
    "text",
    [
        "SELECT SUM(Id) OVER (ORDER BY Id ROWS 1.5 PRECEDING) FROM Items",
        "SELECT SUM(Id) OVER (ORDER BY Name RANGE 1 PRECEDING) FROM Items",
        "SELECT SUM(Id) OVER (ORDER BY V) FROM Items",
        "SELECT MAX(V) OVER () FROM Items",
    ],
)
def test_windows_of_wrong_types(text: str) -> None:
    with pytest.raises(Error) as raised:
        bind(text)
    assert raised.value.code == "TYPE_MISMATCH"


def test_a_grouping_expression_is_the_same_object_wherever_it_stands() -> None:
    # errors at execution carry a place of the text, so equal expressions from two places differ
    # in the engine's eyes; found by running random queries
    text = """SELECT CAST(Id AS NVARCHAR(2)), MAX(Id) FROM Items GROUP BY CAST(Id AS NVARCHAR(2))
              HAVING CAST(Id AS NVARCHAR(2)) <> 'x' ORDER BY UPPER(CAST(Id AS NVARCHAR(2)))"""
    bound = bind(text).plan
    body = bound.body
    assert isinstance(body, plan.SelectBlock) and body.group_by is not None
    key = body.group_by[0]
    assert body.outputs[0].expr is key
    assert isinstance(body.having, plan.Call) and body.having.arguments[0] is key
    sort = bound.order_by[0].expr
    assert isinstance(sort, plan.Call) and sort.arguments[0] is key
