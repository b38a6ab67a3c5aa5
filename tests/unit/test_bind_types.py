"""Binding of types: what an expression's type is, and where conversions are put in."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bind_world import bind, block, context, fields, first, show, where

from hartonomous.hql import ast, plan, types
from hartonomous.hql.bind import bind_query
from hartonomous.storage.errors import Error


def kind(expression: str) -> str:
    return str(block(f"SELECT {expression} FROM Items").outputs[0].expr.type)


@pytest.mark.parametrize(
    ("literal", "shown"),
    [
        ("1", "1:INT"),
        ("2147483647", "2147483647:INT"),
        ("2147483648", "2147483648:BIGINT"),
        ("-2147483648", "-2147483648:INT"),
        ("-9223372036854775808", "-9223372036854775808:BIGINT"),
        ("9223372036854775808", "9223372036854775808:DECIMAL(19,0)"),
        ("1.50", "1.50:DECIMAL(3,2)"),
        ("0.05", "0.05:DECIMAL(2,2)"),
        ("-1.5", "-1.5:DECIMAL(2,1)"),
        ("1e0", "1.0:FLOAT"),
        ("'it''s'", "it's:NVARCHAR"),
        ("0xFF", "b'\\xff':VARBINARY"),
        ("NULL", "None:NULL"),
        ("[1, 2.5]", "[1.0, 2.5]:VECTOR(2)"),
        ("+ 5", "5:INT"),
    ],
)
def test_literals(literal: str, shown: str) -> None:
    assert first(f"SELECT {literal}") == shown


@pytest.mark.parametrize(
    ("expression", "type_"),
    [
        ("Tiny + Tiny", "TINYINT"),
        ("Tiny + 1", "INT"),
        ("Id + Big", "BIGINT"),
        ("Id + 1.5", "DECIMAL(12,1)"),
        ("Price * 2.0", "DECIMAL(12,3)"),
        ("Price / 2", "FLOAT"),
        ("Id / 2", "INT"),
        ("Price + Score", "FLOAT"),
        ("Id + NULL", "INT"),
        ("'5' + Id", "INT"),
        ("Name + 'x'", "NVARCHAR"),
        ("Name + NULL", "NVARCHAR"),
        ("Flag + 1", "INT"),
        ("V + V", "VECTOR(3)"),
        ("2 * V", "VECTOR(3)"),
        ("CASE WHEN Flag = 1 THEN 1 ELSE 2.5 END", "DECIMAL(11,1)"),
        ("CASE WHEN Flag = 1 THEN NULL ELSE Day END", "DATE"),
        ("CASE Id WHEN 1 THEN 'a' WHEN 2 THEN Name END", "NVARCHAR"),
        ("IIF(Id = 1, Tiny, Big)", "BIGINT"),
        ("COALESCE(NULL, Tiny, Id)", "INT"),
        ("NULLIF(Id, 1.5)", "INT"),
        ("NULLIF(NULL, 1.5)", "INT"),
        ("NULLIF(V, [1, 2, 3])", "VECTOR(3)"),
        ("COUNT(*) OVER ()", "BIGINT"),
        ("SUM(Id) OVER ()", "BIGINT"),
        ("AVG(Price) OVER ()", "FLOAT"),
        ("LAG(Id, 1, 0) OVER (ORDER BY Id)", "INT"),
        ("(Id = 1)", "BIT"),
        ("CAST(Id AS NVARCHAR(5))", "NVARCHAR(5)"),
        ("TRY_CAST(Name AS DATE)", "DATE"),
        ("(SELECT MAX(Price) FROM Items)", "DECIMAL(10,2)"),
        ("EXISTS (SELECT 1)", "BIT"),
    ],
)
def test_types_of_expressions(expression: str, type_: str) -> None:
    assert kind(expression) == type_


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        # a constant takes the column's type where nothing is lost, so that the column stays bare
        ("Tiny = 5", "=(r1.Tiny, 5:TINYINT)"),
        ("Tiny = 5.0", "=(r1.Tiny, 5:TINYINT)"),
        ("Tiny = 500", "=(cast(r1.Tiny, INT), 500:INT)"),
        ("Big > 7", ">(r1.Big, 7:BIGINT)"),
        ("Price >= 5", ">=(r1.Price, 5:DECIMAL(10,2))"),
        ("5 < Price", "<(5:DECIMAL(10,2), r1.Price)"),
        ("Price = 1.234", "=(cast(r1.Price, DECIMAL(11,3)), 1.234:DECIMAL(11,3))"),
        ("Price <> 0", "<>(r1.Price, 0:DECIMAL(10,2))"),
        ("Score > 1.5", ">(r1.Score, 1.5:FLOAT)"),
        ("Score = 2", "=(r1.Score, 2.0:FLOAT)"),
        ("Flag = 1", "=(r1.Flag, True:BIT)"),
        ("Flag = 2", "=(cast(r1.Flag, INT), 2:INT)"),
        ("Flag", "r1.Flag"),
        ("Name = 'x'", "=(r1.Name, x:NVARCHAR)"),
        ("Day = '2024-02-29'", "=(r1.Day, 2024-02-29:DATE)"),
        ("Day = '2023-02-29'", "=(r1.Day, cast(2023-02-29:NVARCHAR, DATE))"),
        ("At < '2024-02-01 10:00:00'", "<(r1.At, 2024-02-01 10:00:00:DATETIME2)"),
        ("Day < At", "<(cast(r1.Day, DATETIME2), r1.At)"),
        ("Id = '17'", "=(r1.Id, 17:INT)"),
        ("Id = 'x'", "=(r1.Id, cast(x:NVARCHAR, INT))"),
        ("Name = 5", "=(cast(r1.Name, INT), 5:INT)"),
        ("Id = NULL", "=(r1.Id, None:INT)"),
        ("Tiny BETWEEN 1 AND 9", "BETWEEN(r1.Tiny, 1:TINYINT, 9:TINYINT)"),
        ("Id NOT BETWEEN 1 AND 2.5",
         "NOT(BETWEEN(cast(r1.Id, DECIMAL(11,1)), 1:DECIMAL(11,1), 2.5:DECIMAL(11,1)))"),
        ("Tiny IN (1, 2)", "in(r1.Tiny; 1:TINYINT, 2:TINYINT)"),
        ("Id NOT IN (1, NULL)", "not in(r1.Id; 1:INT, None:INT)"),
        ("Id IN (1, '2', 2.5)",
         "in(cast(r1.Id, DECIMAL(11,1)); 1:DECIMAL(11,1), cast(2:NVARCHAR, DECIMAL(11,1)), "
         "2.5:DECIMAL(11,1))"),
        ("V = [1, 2, 3]", "=(r1.V, [1.0, 2.0, 3.0]:VECTOR(3))"),
        ("V IN ([1, 2, 3], @q)", "OR(=(r1.V, [1.0, 2.0, 3.0]:VECTOR(3)), =(r1.V, @q))"),
        ("Name LIKE 'a%'", "LIKE(r1.Name, a%:NVARCHAR)"),
        ("Name NOT LIKE 'a!%' ESCAPE '!'", "NOT LIKE(r1.Name, a!%:NVARCHAR, !:NVARCHAR)"),
        ("NOT Flag", "NOT(r1.Flag)"),
        ("Id IS NOT NULL", "IS NOT NULL(r1.Id)"),
        ("Id IS DISTINCT FROM Tiny", "IS DISTINCT FROM(r1.Id, cast(r1.Tiny, INT))"),
        ("NULL", "None:BIT"),
        ("Flag AND NULL", "AND(r1.Flag, None:BIT)"),
    ],
)  # fmt: skip
def test_conversions_in_conditions(condition: str, shown: str) -> None:
    assert where(condition) == shown


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("Name COLLATE NOCASE = 'X'", "=(__nocase(r1.Name), __nocase(X:NVARCHAR))"),
        ("'X' = Name COLLATE nocase", "=(__nocase(X:NVARCHAR), __nocase(r1.Name))"),
        ("Name COLLATE BINARY = 'X'", "=(r1.Name, X:NVARCHAR)"),
        ("Name COLLATE NOCASE LIKE 'X%'", "LIKE(__nocase(r1.Name), __nocase(X%:NVARCHAR))"),
        ("Name COLLATE NOCASE IN ('X')", "in(__nocase(r1.Name); __nocase(X:NVARCHAR))"),
        ("UPPER(Name COLLATE NOCASE) = 'X'", "=(UPPER(r1.Name), X:NVARCHAR)"),
    ],
)
def test_nocase_folds_both_sides(condition: str, shown: str) -> None:
    assert where(condition) == shown


def test_nocase_sorts_by_the_folded_and_shows_the_unfolded() -> None:
    bound = bind("SELECT Name COLLATE NOCASE AS n FROM Items ORDER BY n").plan
    assert show(bound.body.outputs[0].expr) == "r1.Name"  # type: ignore[union-attr]
    assert show(bound.order_by[0].expr) == "__nocase(r1.Name)"
    text = "SELECT Name COLLATE NOCASE FROM Items GROUP BY Name COLLATE NOCASE"
    assert first(text) == "agg MIN(r1.Name)"
    query = block("SELECT 1 FROM Items WHERE Name COLLATE NOCASE IN (SELECT Note FROM Sales)").where
    assert isinstance(query, plan.InQuery) and isinstance(query.query.body, plan.SelectBlock)
    assert show(query.query.body.outputs[0].expr).startswith("__nocase(")


def test_subqueries_meet_their_operand() -> None:
    condition = block("SELECT 1 FROM Items WHERE Id IN (SELECT Price FROM Items)").where
    assert isinstance(condition, plan.InQuery)
    assert show(condition.operand) == "cast(r1.Id, DECIMAL(12,2))"
    assert show(condition.query.body.outputs[0].expr) == "cast(r2.Price, DECIMAL(12,2))"  # type: ignore[union-attr]
    condition = block("SELECT 1 FROM Items WHERE Id < ALL (SELECT Big FROM Items)").where
    assert isinstance(condition, plan.Quantified) and condition.quantifier == "ALL"
    assert show(condition.left) == "cast(r1.Id, BIGINT)"


def test_set_operations_meet_column_by_column() -> None:
    text = "SELECT Id, 'a' AS x FROM Items UNION ALL SELECT Price, NULL FROM Items"
    assert fields(text) == ["Id DECIMAL(12,2)", "x NVARCHAR"]
    body = bind(text).plan.body
    assert isinstance(body, plan.SetBlock)
    assert show(body.left.body.outputs[0].expr) == "cast(r1.Id, DECIMAL(12,2))"  # type: ignore[union-attr]


def test_a_cast_never_goes_under_distinct_or_order_by() -> None:
    text = "SELECT DISTINCT Id FROM Items UNION ALL SELECT Big FROM Items"
    body = bind(text).plan.body
    assert isinstance(body, plan.SetBlock)
    assert isinstance(body.left.body, plan.SelectBlock) and not body.left.body.distinct
    text = "(SELECT TOP 1 Tiny AS a FROM Items ORDER BY a) UNION ALL SELECT Name FROM Items"
    body = bind(text.replace("Name", "Big")).plan.body
    assert isinstance(body, plan.SetBlock)
    assert not body.left.order_by and isinstance(body.left.body, plan.SelectBlock)


def test_explicit_casts() -> None:
    assert first("SELECT CAST('5' AS INT)") == "5:INT"
    assert first("SELECT CAST(2.5 AS INT)") == "cast(2.5:DECIMAL(2,1), INT)"
    assert first("SELECT TRY_CAST('x' AS INT)") == "try_cast(x:NVARCHAR, INT)"
    assert first("SELECT CAST(Id AS INT) FROM Items") == "r1.Id"
    assert first("SELECT CAST('[1,2]' AS VECTOR(2))") == "cast([1,2]:NVARCHAR, VECTOR(2))"
    assert first("SELECT CAST(NULL AS DATE)") == "None:DATE"


# --- depth: trees made by hand, because the parser has a limit of its own -------------------------


ONE = ast.Literal(1, "INTEGER")
SELECT_ONE = ast.Query(body=ast.Select(items=(ast.SelectItem(ONE),)))


def select(expression: ast.Expression, source: ast.Relation | None = None) -> ast.Query:
    return ast.Query(body=ast.Select(items=(ast.SelectItem(expression),), source=source))


def chain(sign: str, operand: ast.Expression, count: int) -> ast.Expression:
    made = operand
    for _ in range(count - 1):
        made = ast.Binary(sign, made, operand)
    return made


def negations(count: int) -> ast.Query:
    made: ast.Expression = ONE
    for _ in range(count):
        made = ast.Unary("~", made)
    return select(made)


def subqueries(count: int) -> ast.Query:
    made = SELECT_ONE
    for _ in range(count):
        made = select(ast.Subquery(made))
    return made


def derived(count: int) -> ast.Query:
    made = SELECT_ONE
    for _ in range(count):
        made = select(ONE, ast.Derived(made))
    return made


def unions(count: int) -> ast.Query:
    body: ast.QueryBody = SELECT_ONE.body
    for _ in range(count):
        body = ast.SetOperation("UNION", True, body, SELECT_ONE.body)
    return ast.Query(body=body)


def joins(count: int, to_the_right: bool) -> ast.Query:
    made: ast.Relation = ast.Derived(SELECT_ONE)
    for _ in range(count):
        leaf = ast.Derived(SELECT_ONE)
        sides = (leaf, made) if to_the_right else (made, leaf)
        made = ast.Join("CROSS", *sides)
    return select(ONE, made)


@pytest.mark.parametrize("sign", ["AND", "OR"])
def test_long_chains_of_logic_are_balanced(sign: str) -> None:
    def depth(expr: plan.Expr) -> int:
        inner = expr.arguments if isinstance(expr, plan.Call) else ()
        return 1 + max((depth(a) for a in inner), default=0)

    condition = chain(sign, ast.Binary("=", ONE, ONE), 5000)
    body = bind_query(select(condition), context()).plan.body
    assert isinstance(body, plan.SelectBlock) and depth(body.outputs[0].expr) < 32


@pytest.mark.parametrize(
    "query",
    [
        negations(500),
        select(chain("+", ONE, 5000)),
        subqueries(500),
        derived(500),
        unions(5000),
        joins(5000, to_the_right=False),
        joins(500, to_the_right=True),
    ],
)
def test_deep_nesting_is_an_error_with_a_place(query: ast.Query) -> None:
    with pytest.raises(Error) as raised:
        bind_query(query, context())
    assert raised.value.code == "RECURSION" and raised.value.line is not None


@pytest.mark.parametrize(
    "query", [negations(100), subqueries(24), derived(20), unions(100), select(chain("+", ONE, 99))]
)
def test_nesting_up_to_a_sane_depth_works(query: ast.Query) -> None:
    bind_query(query, context())


def test_parentheses_around_a_query_cost_no_depth() -> None:
    query = SELECT_ONE
    for _ in range(1000):
        query = ast.Query(body=query)
    assert bind_query(query, context()).plan == bind("SELECT 1").plan


def test_constants_in_equal_trees_are_equal() -> None:
    one, two = (block("SELECT V + [1, 2, 3] FROM Items").outputs[0].expr for _ in range(2))
    other = block("SELECT V + [1, 2, 4] FROM Items").outputs[0].expr
    assert one == two and hash(one) == hash(two) and one != other
    assert plan.Constant(type=types.INT, value=1) != plan.Constant(
        type=types.decimal(1, 0), value=Decimal(1)
    )


def test_what_can_only_be_null_converts_to_null() -> None:
    # an engine value of no type has no conversion to a vector; found by running random queries
    text = "SELECT CASE WHEN Id = 1 THEN NULL END FROM Items UNION ALL SELECT V FROM Items"
    body = bind(text).plan.body
    assert isinstance(body, plan.SetBlock)
    assert show(body.left.body.outputs[0].expr) == "None:VECTOR(3)"  # type: ignore[union-attr]
