"""Binding errors: every code, each with the place in the text and what to do."""

from __future__ import annotations

import pytest
from bind_world import CATALOG, bind, context, parse, table

from hartonomous.hql import plan, types
from hartonomous.hql.bind import bind_query
from hartonomous.hql.errors import BindFault, ExecutionFault, NotSupported, ParameterFault
from hartonomous.storage.catalog import Catalog, ViewEntry
from hartonomous.storage.errors import Error

CASES = [
    # names
    ("SELECT Nam FROM Items", "UNKNOWN_COLUMN", 8, "did you mean Name?"),
    ("SELECT i.Nam FROM Items i", "UNKNOWN_COLUMN", 8, '"i" has no column "Nam"'),
    ("SELECT Itms.Id FROM Items", "UNKNOWN_TABLE", 8, "did you mean Items?"),
    ("SELECT Items.Id FROM Items i", "UNKNOWN_TABLE", 8, 'no table "Items" in FROM'),
    ("SELECT 1 FROM Itens", "UNKNOWN_TABLE", 15, "did you mean Items?"),
    ("SELECT 1 FROM nowhere.Items", "UNKNOWN_TABLE", 15, '"nowhere.Items"'),
    ("SELECT 1 FROM sys.tabels", "UNKNOWN_TABLE", 15, "did you mean sys.tables?"),
    ("SELECT 1 FROM #other", "UNKNOWN_TABLE", 15, '"#other"'),
    ("SELECT 1 FROM rows", "UNKNOWN_TABLE", 15, "@rows"),
    ("SELECT z.* FROM Items", "UNKNOWN_TABLE", 8, '"z"'),
    ("SELECT a.b.c.d FROM Items", "UNKNOWN_TABLE", 8, '"a.b.c"'),
    ("SELECT lenn('a')", "UNKNOWN_FUNCTION", 8, "did you mean LEN?"),
    ("SELECT nope.f(1) FROM Items", "UNKNOWN_FUNCTION", 8, 'no column "nope"'),
    ("SELECT Name.Nope() FROM Items", "UNKNOWN_FUNCTION", 8, 'no method "Nope"'),
    ("SELECT @s.Nope()", "UNKNOWN_FUNCTION", 8, 'no method "Nope"'),
    ("SELECT thing::Make(1)", "UNKNOWN_FUNCTION", 8, "thing::Make"),
    ("SELECT value FROM NOPE(1)", "UNKNOWN_FUNCTION", 19, '"NOPE"'),
    ("SELECT @zz", "UNKNOWN_VARIABLE", 8, "DECLARE @zz"),
    ("SELECT 1 FROM @row", "UNKNOWN_VARIABLE", 15, "did you mean rows?"),
    ("SELECT CAST(1 AS INTT)", "UNKNOWN_TYPE", 18, "did you mean INT?"),
    ("SELECT CAST(1 AS DECIMAL(40, 2))", "UNKNOWN_TYPE", 18, "precision is 1 to 38"),
    # two meanings
    ("SELECT Id FROM Items, Sales", "AMBIGUOUS", 8, "write Items.Id or Sales.Id"),
    ("SELECT 1 FROM Items, Items", "AMBIGUOUS", 22, "another name with AS"),
    ("SELECT 1 FROM Items a JOIN Sales A ON 1 = 1", "AMBIGUOUS", 34, '"A"'),
    ("SELECT q.Id FROM (SELECT Id, Id FROM Items) q", "AMBIGUOUS", 8, "AS t(a, b)"),
    ("SELECT Id a, Score a FROM Items ORDER BY a", "AMBIGUOUS", 42, "order by its number"),
    ("WITH a AS (SELECT 1 x), a AS (SELECT 2 x) SELECT x FROM a", "AMBIGUOUS", 25, "twice"),
    # where names are not seen
    ("SELECT Id AS k FROM Items WHERE k = 1", "UNKNOWN_COLUMN", 33, "not seen in WHERE"),
    ("SELECT Id AS k FROM Items GROUP BY k", "UNKNOWN_COLUMN", 36, "repeat the expression"),
    ("SELECT MAX(Id) AS k FROM Items HAVING k = 1", "UNKNOWN_COLUMN", 39, "HAVING"),
    ("SELECT TOP (Id) Id FROM Items", "UNKNOWN_COLUMN", 13, "TOP sees no columns"),
    ("SELECT Id FROM Items ORDER BY 2", "UNKNOWN_COLUMN", 31, "there are 1 columns"),
    ("SELECT Id FROM Items ORDER BY 0", "UNKNOWN_COLUMN", 31, "counted from 1"),
    ("SELECT 1 FROM Items i CROSS JOIN (SELECT i.Id x) z", "UNKNOWN_TABLE", 42, '"i"'),
    # types
    ("SELECT 1 WHERE 1", "TYPE_MISMATCH", 16, "compare it"),
    ("SELECT 1 FROM Items WHERE Name", "TYPE_MISMATCH", 27, "NVARCHAR(20)"),
    ("SELECT 1 FROM Items i JOIN Sales s ON s.Id", "TYPE_MISMATCH", 39, "ON needs"),
    ("SELECT CASE WHEN Id THEN 1 END FROM Items", "TYPE_MISMATCH", 18, "WHEN needs"),
    ("SELECT 1 FROM Items WHERE NOT Id", "TYPE_MISMATCH", 31, "NOT needs"),
    ("SELECT 1 FROM Items WHERE Flag AND Id", "TYPE_MISMATCH", 36, "AND needs"),
    ("SELECT 1 FROM Items WHERE Day = Id", "TYPE_MISMATCH", 27, "DATE and INT"),
    ("SELECT 1 FROM Items WHERE Id IN (1, V)", "TYPE_MISMATCH", 27, "INT and VECTOR(3)"),
    ("SELECT 1 FROM Items WHERE Day IN (SELECT Id FROM Sales)", "TYPE_MISMATCH", 27, "DATE"),
    ("SELECT 1 + Day FROM Items", "TYPE_MISMATCH", 8, "INT, DATE"),
    ("SELECT CASE WHEN Flag = 1 THEN Day ELSE V END FROM Items", "TYPE_MISMATCH", 8, "VECTOR(3)"),
    ("SELECT Day FROM Items UNION SELECT V FROM Items", "TYPE_MISMATCH", 36, "DATE and VECTOR(3)"),
    ("SELECT CAST(Day AS INT) FROM Items", "TYPE_MISMATCH", 8, "DATE cannot become INT"),
    ("SELECT CAST(V AS INT) FROM Items", "TYPE_MISMATCH", 8, "VECTOR(3) cannot become INT"),
    ("SELECT V FROM Items ORDER BY V", "TYPE_MISMATCH", 30, "VECTOR_NORM"),
    ("SELECT MAX(V) FROM Items", "TYPE_MISMATCH", 8, "VECTOR(3)"),
    ("SELECT 1 FROM Items WHERE V < V", "TYPE_MISMATCH", 27, "does not order"),
    ("SELECT 1 FROM Items WHERE V BETWEEN V AND V", "TYPE_MISMATCH", 27, "does not order"),
    ("SELECT 1 FROM Items WHERE V < ALL (SELECT V FROM Items)", "TYPE_MISMATCH", 27, "order"),
    ("SELECT 1 FROM Items WHERE V = [1, 2]", "TYPE_MISMATCH", 27, "VECTOR(2)"),
    ("SELECT V + [1, 2] FROM Items", "TYPE_MISMATCH", 8, "3 and one of 2"),
    ("SELECT 1 FROM Items WHERE Id COLLATE NOCASE = 'a'", "TYPE_MISMATCH", 27, "for strings"),
    ("SELECT @rows", "TYPE_MISMATCH", 8, "FROM @rows"),
    ("SELECT 1 FROM @n", "TYPE_MISMATCH", 15, "@n is a value"),
    ("SELECT Id FROM Items LIMIT 'a'", "TYPE_MISMATCH", 28, "takes an integer"),
    ("SELECT TOP (1.5) Id FROM Items", "TYPE_MISMATCH", 13, "takes an integer"),
    (f"SELECT 1{'0' * 38}", "TYPE_MISMATCH", 8, "1e40"),
    # arguments
    ("SELECT SUM(1, 2)", "ARGUMENTS", 8, "SUM takes"),
    ("SELECT UPPER(*) FROM Items", "ARGUMENTS", 8, "means nothing"),
    ("SELECT SUM(*) FROM Items", "ARGUMENTS", 8, "for COUNT(*)"),
    ("SELECT UPPER(DISTINCT Name) FROM Items", "ARGUMENTS", 8, "for aggregates"),
    ("SELECT IIF(1 = 1, 2)", "ARGUMENTS", 8, "IIF takes"),
    ("SELECT value FROM GENERATE_SERIES(1, 2, @start = 3)", "ARGUMENTS", 41, "given twice"),
    ("SELECT value FROM GENERATE_SERIES(1)", "ARGUMENTS", 19, "takes"),
    # shapes
    ("SELECT *", "BIND", 8, "needs FROM"),
    ("SELECT (SELECT 1, 2)", "BIND", 8, "has one column"),
    ("SELECT 1 WHERE 1 IN (SELECT 1, 2)", "BIND", 16, "has one column"),
    ("SELECT 1, 2 UNION SELECT 1", "BIND", 26, "2 and 1 columns"),
    ("VALUES (1, 2), (3)", "BIND", 17, "has 1 values"),
    ("SELECT * FROM (SELECT 1, 2) AS q(a)", "BIND", 32, "names 1 columns"),
    ("WITH a(x, y) AS (SELECT 1) SELECT x FROM a", "BIND", 6, "names 2 columns"),
    ("WITH a AS (SELECT * FROM a) SELECT * FROM a", "BIND", 6, "no part to start from"),
    ("WITH a AS (SELECT 1 n UNION ALL SELECT n, 2 FROM a) SELECT n FROM a", "BIND", 12, "1 and 2"),
    ("SELECT DISTINCT Id FROM Items ORDER BY Score", "BIND", 40, "select list"),
    ("SELECT TOP 5 Id FROM Items ORDER BY Id OFFSET 1 ROWS", "BIND", 47, "exclude each other"),
    ("SELECT TOP 5 WITH TIES Id FROM Items", "BIND", 8, "needs ORDER BY"),
    ("SELECT TOP (-1) Id FROM Items", "BIND", 13, "negative"),
    ("SELECT TOP (101) PERCENT Id FROM Items", "BIND", 13, "0 to 100"),
    ("SELECT Id FROM Items ORDER BY Id OFFSET -1 ROWS", "BIND", 41, "negative"),
    ("SELECT Name COLLATE Latin FROM Items", "BIND", 8, "collations: NOCASE"),
    ("SELECT 1 FROM UPPER('a')", "BIND", 15, "not a table"),
    ("SELECT GENERATE_SERIES(1, 2)", "BIND", 8, "use it in FROM"),
    ("SELECT @s = 'a', 2", "BIND", 18, "assign every column"),
    ("SELECT 1 FROM (SELECT @s = 'a') q", "BIND", 23, "cannot assign"),
    ("SELECT 1 OPTION (RECALL 2)", "BIND", 25, "at most 1"),
    ("SELECT 1 OPTION (TIMEOUT 'soon')", "BIND", 26, "'5s'"),
    ("SELECT 1 OPTION (MEMORY '5 apples')", "BIND", 25, "'200MB'"),
    ("SELECT 1 OPTION (MAXRECURSION 40000)", "BIND", 31, "32767"),
]


@pytest.mark.parametrize(("text", "code", "column", "said"), CASES, ids=[c[0] for c in CASES])
def test_errors(text: str, code: str, column: int, said: str) -> None:
    with pytest.raises(Error) as raised:
        bind(text)
    error = raised.value
    assert isinstance(error, BindFault)
    assert (error.code, error.line, error.column) == (code, 1, column), error
    assert said in str(error)


def test_every_code_of_bind_faults_is_here() -> None:
    codes = {code for _, code, _, _ in CASES}
    grouping = "GROUPING"  # test_bind_grouping.py
    assert codes | {grouping} == {
        "UNKNOWN_COLUMN", "UNKNOWN_TABLE", "UNKNOWN_FUNCTION", "UNKNOWN_VARIABLE", "UNKNOWN_TYPE",
        "AMBIGUOUS", "TYPE_MISMATCH", "ARGUMENTS", "GROUPING", "BIND",
    }  # fmt: skip


def test_places_on_later_lines() -> None:
    with pytest.raises(Error) as raised:
        bind("SELECT Id,\n       Name,\n  Nope FROM Items")
    assert (raised.value.line, raised.value.column) == (3, 3)


@pytest.mark.parametrize("text", ["SELECT :nope", "SELECT ?, ?, ?"])
def test_missing_parameters(text: str) -> None:
    with pytest.raises(ParameterFault) as raised:
        bind(text)
    assert raised.value.line == 1 and raised.value.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("SELECT 1 FROM one.two.three", "names of 3 parts"),
        ("SELECT CONVERT(NVARCHAR(10), Day, Id) FROM Items", "CONVERT with a style that is no"),
        ("SELECT Id FROM Items FOR JSON AUTO", "FOR JSON AUTO"),
    ],
)
def test_not_supported_yet(text: str, what: str) -> None:
    with pytest.raises(NotSupported, match=f"not supported yet: {what}") as raised:
        bind(text)
    assert raised.value.line == 1


def test_a_vector_element_that_does_not_fit() -> None:
    with pytest.raises(ExecutionFault) as raised:
        bind("SELECT [1, 1e39]")
    assert raised.value.code == "OVERFLOW" and "1e+39" in raised.value.message


# --- views ---------------------------------------------------------------------------------------


def test_an_error_inside_a_view_is_told_at_its_name() -> None:
    with pytest.raises(BindFault) as raised:
        bind("SELECT *\nFROM Broken")
    error = raised.value
    assert (error.code, error.line, error.column) == ("UNKNOWN_COLUMN", 2, 6)
    assert error.message == 'in view "dbo.Broken": there is no column "nope"'


def test_views_in_a_circle() -> None:
    with pytest.raises(ExecutionFault) as raised:
        bind("SELECT * FROM Snake")
    assert raised.value.code == "RECURSION" and "stands on itself" in raised.value.message


def test_a_tower_of_views() -> None:
    catalog: Catalog = CATALOG
    below = "Items"
    for level in range(40):
        name = f"v{level}"
        catalog = catalog.with_entry(ViewEntry(level, "dbo", name, f"SELECT * FROM {below}"), 50)
        below = name
    bind_query(parse("SELECT * FROM v10"), context(catalog=catalog))
    with pytest.raises(ExecutionFault) as raised:
        bind_query(parse("SELECT * FROM v39"), context(catalog=catalog))
    assert raised.value.code == "RECURSION"


def test_a_view_whose_tables_have_changed() -> None:
    entry = ViewEntry(1, "dbo", "old", "SELECT * FROM Few", ("a",))
    few = table("Few", {"a": "INT", "b": "INT"})
    catalog = Catalog().with_entry(entry, 1).with_entry(few, 2)
    with pytest.raises(BindFault, match="create the view again"):
        bind_query(parse("SELECT a FROM old"), context(catalog=catalog))


def test_marks_inside_a_view_point_at_its_name() -> None:
    bound = bind("SELECT * FROM\n Dear").plan.body
    assert isinstance(bound, plan.SelectBlock) and isinstance(bound.source, plan.Derived)
    inner = bound.source.plan.body
    assert isinstance(inner, plan.SelectBlock) and inner.where is not None
    assert (inner.where.span.line, inner.where.span.column) == (2, 2)


def test_a_table_parameter_of_a_foreign_type() -> None:
    import pyarrow as pa

    schema = pa.schema([("x", pa.month_day_nano_interval())])
    with pytest.raises(ParameterFault, match='"x"'):
        bind("SELECT * FROM @rows", table_parameters={"rows": schema})


def test_null_parameters_take_the_other_side() -> None:
    bound = bind("SELECT @n + 1", parameters={"n": types.NULL})
    assert bound.plan.fields[0].type == types.INT


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("Items a, Sales s JOIN Squares q ON a.Id = q.n", 50),
        ("Items a CROSS JOIN (Sales s JOIN Squares q ON a.Id = q.n)", 61),
    ],
)
def test_on_sees_its_own_two_sides_only(source: str, column: int) -> None:
    with pytest.raises(BindFault, match='"a" stands outside of this join') as raised:
        bind(f"SELECT 1 FROM {source}")
    assert (raised.value.code, raised.value.column) == ("UNKNOWN_TABLE", column)
