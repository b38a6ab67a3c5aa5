"""Printed HQL: canonical, with no parenthesis or quote too many, and none too few."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hartonomous.hql import ast
from hartonomous.hql.syntax import printer
from hartonomous.hql.syntax.parse import parse_batch, parse_expression
from hartonomous.hql.syntax.printer import quote


def name(text: str) -> ast.ColumnName:
    return ast.ColumnName((ast.Identifier(text),))


a, b, c = name("a"), name("b"), name("c")


@pytest.mark.parametrize(
    "text",
    [
        "a + b * c",
        "(a + b) * c",
        "a - (b - c)",
        "a - b - c",
        "a * (b / c)",
        "- -a",
        "-(a + b)",
        "- +a",
        "~ -a",
        "a AND b OR c",
        "a AND (b OR c)",
        "NOT a = b",
        "(NOT a) = b",
        "NOT NOT a",
        "NOT (a AND b)",
        "a = b AND b IS NOT NULL",
        "(a = b) IS NULL",
        "(a = b) + c",
        "a BETWEEN b + 1 AND c",
        "a BETWEEN (b = c) AND c",
        "a NOT LIKE 'x' ESCAPE '!'",
        "a IN (1, b, (SELECT 1))",
        "a NOT IN (SELECT 1)",
        "a <> ANY (SELECT 1)",
        "a COLLATE NOCASE || b",
        "(a || b) COLLATE NOCASE",
        "CASE WHEN a = b THEN (a = b) ELSE c END",
        "IIF(a = b, 1, 2)",
        "f(@x = 1)",
        "f((@x = 1))",
        "f(@x = 1 AND a)",
        "f(@x = (a = b))",
        "f(a).g()",
        "(a).g()",
        "('x').g()",
        "(a + b).g()",
        "@v.g(1).h()",
        "(SUM(a) OVER (ORDER BY b)).g()",
        "geometry::Point(0, 0).STX()",
        "COUNT(*)",
        "COUNT(DISTINCT a) FILTER (WHERE b > 1) OVER (PARTITION BY c ORDER BY a DESC NULLS FIRST)",
        "STRING_AGG(a, ',') WITHIN GROUP (ORDER BY b)",
        "SUM(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES)",
        "LEFT(a, 1)",
        "CONVERT(NVARCHAR(MAX), a, 120)",
        "TRY_CAST(a AS DECIMAL(10, 2))",
        "[0.1, -2.0]",
        "0x0aff",
        "1.50",
        "1.0e0",
        "'it''s'",
        '"order"."two words".é',
        "@@ROWCOUNT",
        ":p + ?",
    ],
)
def test_canonical_expressions_stay_as_they_are(text: str) -> None:
    assert str(parse_expression(text)) == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("((a))", "a"),
        ("a != b", "a <> b"),
        ("a and not b", "a AND NOT b"),
        ("(a * b) + c", "a * b + c"),
        ("N'x'", "'x'"),
        (".5", "0.5"),
        ("1.", "1."),
        ("1e3", "1000.0e0"),
        ("0xABC", "0x0abc"),
        ("[a]", "a"),
        ('"a b"', '"a b"'),
        ("a = some (select 1)", "a = ANY (SELECT 1)"),
        ("convert(int, a)", "CAST(a AS int)"),
        ("x.f().g", "x.f().g()"),
        ("((select 1))", "(SELECT 1)"),
    ],
)
def test_other_expressions_become_canonical(text: str, printed: str) -> None:
    assert str(parse_expression(text)) == printed


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("select all a b from t x", "SELECT a AS b FROM t AS x"),
        ("SELECT x = a, @v += 1", "SELECT a AS x, @v = @v + 1"),
        ("SELECT TOP 3 a FROM t", "SELECT TOP (3) a FROM t"),
        ("SELECT * FROM a, b", "SELECT * FROM a CROSS JOIN b"),
        ("SELECT * FROM a, b JOIN c ON 1 = 1",
         "SELECT * FROM a CROSS JOIN (b INNER JOIN c ON 1 = 1)"),
        ("SELECT * FROM a LEFT OUTER JOIN b ON x = y", "SELECT * FROM a LEFT JOIN b ON x = y"),
        ("SELECT a FROM t LIMIT 5 OFFSET 2",
         "SELECT a FROM t OFFSET 2 ROWS FETCH NEXT 5 ROWS ONLY"),
        ("SELECT a FROM t OFFSET 2 ROW FETCH FIRST 5 ROW ONLY",
         "SELECT a FROM t OFFSET 2 ROWS FETCH NEXT 5 ROWS ONLY"),
        ("(SELECT 1)", "SELECT 1"),
        ("(SELECT 1) UNION (SELECT 2)", "SELECT 1 UNION SELECT 2"),
        ("SELECT 1 UNION (SELECT 2 UNION SELECT 3)", "SELECT 1 UNION (SELECT 2 UNION SELECT 3)"),
        ("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3",
         "SELECT 1 UNION SELECT 2 INTERSECT SELECT 3"),
        ("(SELECT 1 UNION SELECT 2) INTERSECT SELECT 3",
         "(SELECT 1 UNION SELECT 2) INTERSECT SELECT 3"),
        ("(SELECT 1 ORDER BY 1) UNION SELECT 2", "(SELECT 1 ORDER BY 1) UNION SELECT 2"),
        ("INSERT t SELECT 1", "INSERT INTO t SELECT 1"),
        ("DELETE t WHERE a = 1", "DELETE FROM t WHERE a = 1"),
        ("UPDATE t SET a -= 1", "UPDATE t SET a = a - 1"),
        ("CREATE TABLE t (a int primary key, b as (a))",
         "CREATE TABLE t (a int PRIMARY KEY, b AS (a))"),
        ("IF a = 1 PRINT 'x'; ELSE PRINT 'y'", "IF a = 1 PRINT 'x' ELSE PRINT 'y'"),
        ("BEGIN SELECT 1 SELECT 2 END", "BEGIN SELECT 1; SELECT 2; END"),
        ("EXECUTE p 1, (1)", "EXEC p 1, 1"),
        ("BEGIN TRANSACTION", "BEGIN TRAN"),
        ("ROLLBACK TO SAVEPOINT s", "ROLLBACK TRAN s"),
        ("SET @a += 1", "SET @a = @a + 1"),
        ("SET NOCOUNT off", "SET NOCOUNT OFF"),
        ("COPY t TO 'f' WITH (header = on)", "COPY t TO 'f' WITH (HEADER = ON)"),
    ],
)  # fmt: skip
def test_statements(text: str, printed: str) -> None:
    (statement,) = parse_batch(text)
    assert str(statement) == printed
    assert parse_batch(printed) == (statement,)


@pytest.mark.parametrize(
    ("tree", "printed"),
    [
        (ast.Binary("*", ast.Binary("+", a, b), c), "(a + b) * c"),
        (ast.Binary("-", a, ast.Binary("+", b, c)), "a - (b + c)"),
        (ast.Binary("=", ast.Binary("<", a, b), c), "(a < b) = c"),
        (ast.Unary("-", ast.Unary("-", a)), "- -a"),
        (ast.Unary("-", ast.Binary("*", a, b)), "-(a * b)"),
        (ast.Literal(Decimal("1E-30"), "DECIMAL"), "0." + "0" * 29 + "1"),
        (ast.Literal(Decimal(7), "DECIMAL"), "7."),
        (ast.Literal(1e300, "FLOAT"), "1e+300"),
        (ast.FunctionCall(ast.ObjectName((ast.Identifier("cast"),)), (a,)), '"cast"(a)'),
    ],
)
def test_trees(tree: ast.Expression, printed: str) -> None:
    assert str(tree) == printed
    assert parse_expression(printed) == tree


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a1", "a1"),
        ("MixedCase", "MixedCase"),
        ("#temp", "#temp"),
        ("größe", "größe"),
        ("Select", '"Select"'),
        ("go", '"go"'),
        ("1a", '"1a"'),
        ("a b", '"a b"'),
        ('a"b', '"a""b"'),
        ("a.b", '"a.b"'),
        ("@a", '"@a"'),
        ("date", "date"),
        ("rows", "rows"),
    ],
)
def test_names_are_quoted_where_they_must(text: str, printed: str) -> None:
    assert quote(text) == printed


def test_every_node_has_a_printer() -> None:
    """`str()` of one without would call itself."""
    abstract = {ast.Node, ast.Expression, ast.Relation}
    kinds = {
        value
        for value in vars(ast).values()
        if isinstance(value, type) and issubclass(value, ast.Node) and value not in abstract
    }
    assert kinds == set(printer._PRINTERS)
