"""Parsing: places, batches, limits, the cache, and what is said when a text does not parse."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from hartonomous.grammar.driver import DEPTH_MAX
from hartonomous.hql import ast
from hartonomous.hql.errors import SyntaxFault
from hartonomous.hql.statements.block import Block
from hartonomous.hql.statements.create_function import CreateFunction
from hartonomous.hql.statements.create_procedure import CreateProcedure
from hartonomous.hql.statements.create_table import CreateTable
from hartonomous.hql.statements.execute import Execute
from hartonomous.hql.statements.if_else import IfElse
from hartonomous.hql.statements.query import QueryStatement
from hartonomous.hql.syntax import parse as module
from hartonomous.hql.syntax.parse import (
    parse_batch,
    parse_expression,
    parse_query,
    parse_script,
    split_batches,
)


def fault_of(text: str) -> SyntaxFault:
    with pytest.raises(SyntaxFault) as caught:
        parse_batch(text)
    return caught.value


# --- trees ---------------------------------------------------------------------------------------


def select(text: str) -> ast.Select:
    body = parse_query(text).body
    assert isinstance(body, ast.Select)
    return body


def test_literals_keep_their_kinds() -> None:
    values = [i.expression for i in select("SELECT 1, 1.5, 1e0, 'a', 0x01, NULL, [1]").items]
    assert values == [
        ast.Literal(1, "INTEGER"),
        ast.Literal(Decimal("1.5"), "DECIMAL"),
        ast.Literal(1.0, "FLOAT"),
        ast.Literal("a", "STRING"),
        ast.Literal(b"\x01", "BINARY"),
        ast.Literal(None, "NULL"),
        ast.VectorLiteral((1.0,)),
    ]
    assert parse_expression("1") != parse_expression("1e0")


def test_a_named_argument_is_told_from_a_comparison_in_parentheses() -> None:
    call = parse_expression("f(@a = 1, (@a = 1), a = 1)")
    assert isinstance(call, ast.FunctionCall)
    named, compared, other = call.arguments
    assert isinstance(named, ast.NamedArgument)
    assert isinstance(compared, ast.Binary) and isinstance(other, ast.Binary)


def test_dotted_calls_are_functions_and_chains_are_methods() -> None:
    assert isinstance(parse_expression("a.b.f(1)"), ast.FunctionCall)
    assert isinstance(parse_expression("a.b.c"), ast.ColumnName)
    chain = parse_expression("a.f(1).g.h(2)")
    assert isinstance(chain, ast.MethodCall) and isinstance(chain.target, ast.MethodCall)
    assert isinstance(parse_expression("geometry::Point(1, 2)"), ast.StaticCall)


def test_questions_are_numbered_through_the_text() -> None:
    marks = [i.expression for i in select("SELECT ?, f(?), ?").items]
    assert [m.index for m in marks if isinstance(m, ast.Placeholder)] == [0, 2]


def test_intersect_binds_tighter_and_sets_associate_to_the_left() -> None:
    body = parse_query("SELECT 1 EXCEPT SELECT 2 UNION ALL SELECT 3 INTERSECT SELECT 4").body
    assert isinstance(body, ast.SetOperation) and (body.op, body.all) == ("UNION", True)
    assert isinstance(body.left, ast.SetOperation) and body.left.op == "EXCEPT"
    assert isinstance(body.right, ast.SetOperation) and body.right.op == "INTERSECT"


def test_clauses_of_a_parenthesised_query_stay_with_it() -> None:
    body = parse_query("(SELECT a FROM t ORDER BY a LIMIT 1) UNION SELECT 2 ORDER BY 1").body
    assert isinstance(body, ast.SetOperation)
    assert isinstance(body.left, ast.Query) and body.left.order_by
    assert isinstance(body.right, ast.Select)


def test_not_is_weaker_than_is_null_and_minus_is_strong() -> None:
    tree = parse_expression("NOT ( a ) IS NULL")
    assert isinstance(tree, ast.Unary) and isinstance(tree.operand, ast.IsNull)
    tree = parse_expression("- - a * b")
    assert isinstance(tree, ast.Binary) and tree.op == "*"


def test_else_belongs_to_the_nearest_if() -> None:
    (outer,) = parse_batch("IF 1 = 1 IF 2 = 2 PRINT 'a' ELSE PRINT 'b'")
    assert isinstance(outer, IfElse) and outer.otherwise is None
    assert isinstance(outer.then, IfElse) and outer.then.otherwise is not None


def test_columns_gather_their_options() -> None:
    (table,) = parse_batch(
        "CREATE TABLE t (a INT CONSTRAINT d DEFAULT 1 NOT NULL UNIQUE CHECK (a > 0), b AS (a * 2))"
    )
    assert isinstance(table, CreateTable)
    first, second = table.columns
    assert first.nullable is False and first.default == ast.Literal(1, "INTEGER")
    assert first.default_name == ast.Identifier("d")
    assert [c.kind for c in first.constraints] == ["UNIQUE", "CHECK"]
    assert second.type is None and second.computed == parse_expression("a * 2")


def test_a_body_without_begin_takes_the_rest_of_the_batch() -> None:
    (procedure,) = parse_batch("CREATE PROCEDURE p AS SELECT 1; SELECT 2 SELECT 3;")
    assert isinstance(procedure, CreateProcedure) and len(procedure.body) == 3
    first, second = parse_batch("CREATE PROCEDURE p AS BEGIN SELECT 1; SELECT 2 END SELECT 3")
    assert isinstance(first, CreateProcedure) and isinstance(first.body[0], Block)
    assert isinstance(second, QueryStatement)
    (function,) = parse_batch("CREATE FUNCTION f() RETURNS INT AS SET @a = 1 RETURN @a")
    assert isinstance(function, CreateFunction) and len(function.body) == 2


def test_execute_arguments() -> None:
    (call,) = parse_batch("EXEC @r = dbo.p 1, -2, @a, @b = @c OUTPUT, @d = (1 + 2), DEFAULT")
    assert isinstance(call, Execute) and call.result == "r"
    assert [a.name for a in call.arguments] == [None, None, None, "b", "d", None]
    assert [a.output for a in call.arguments] == [False, False, False, True, False, False]


# --- statements and batches ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" ;; -- nothing\n ;", 0),
        ("SELECT 1", 1),
        ("SELECT 1;", 1),
        ("SELECT 1 SELECT 2", 2),
        ("DECLARE @a INT SET @a = 1 PRINT @a", 3),
        ("SELECT 1;WITH a AS (SELECT 1) SELECT * FROM a", 2),
        (";WITH a AS (SELECT 1) SELECT * FROM a", 1),
        ("BEGIN TRAN INSERT INTO t VALUES (1) COMMIT", 3),
        ("COMMIT TRAN SELECT 1", 2),
        ("SELECT a FROM t OFFSET 1 ROWS FETCH NEXT FROM c", 2),
        ("SELECT a FROM t OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY", 1),
        ("UPDATE t SET a = 1 SET @b = 2", 2),
        ("IF 1 = 1 SELECT 1 SELECT 2", 2),
        ("RETURN SELECT 1", 2),
    ],
)
def test_semicolons_may_be_left_out(text: str, count: int) -> None:
    assert len(parse_batch(text)) == count


@pytest.mark.parametrize(
    "next_", ["WITH a AS (SELECT 1) SELECT 1", "THROW", "VALUES (1)", "(SELECT 1)"]
)
def test_some_statements_need_one_before_them(next_: str) -> None:
    assert len(parse_batch(f"PRINT 'a'; {next_}")) == 2
    fault = fault_of(f"PRINT 'a' {next_}")
    assert fault.hint is not None and '";" is missing before' in fault.hint


def test_spans_cut_out_each_statement() -> None:
    text = "-- first\nSELECT 1;\n\tUPDATE t\n SET a = 2 -- end\n ; SELECT 3"
    spans = [s.span for s in parse_batch(text)]
    assert [text[s.start : s.end] for s in spans] == [
        "SELECT 1",
        "UPDATE t\n SET a = 2",
        "SELECT 3",
    ]
    assert [(s.line, s.column) for s in spans] == [(2, 1), (3, 2), (5, 4)]


def test_every_node_has_its_place() -> None:
    text = "SELECT a +\n  f(b, 'x') AS c FROM t AS u WHERE u.d\n IN (1, 2)"
    texts = set()

    def visit(value: object) -> None:
        if isinstance(value, ast.Node):
            span = value.span
            assert span is not ast.NOWHERE, value
            lines = text[: span.start].split("\n")
            assert (span.line, span.column) == (len(lines), len(lines[-1]) + 1)
            texts.add(text[span.start : span.end])
            for item in dataclasses.fields(value):
                if item.name != "span":
                    visit(getattr(value, item.name))
        elif isinstance(value, tuple):
            for part in value:
                visit(part)

    visit(parse_query(text))
    assert {"a", "f(b, 'x')", "'x'", "a +\n  f(b, 'x') AS c", "t AS u", "u.d\n IN (1, 2)"} <= texts


def test_scripts_are_cut_at_go_with_places_of_the_whole_text() -> None:
    text = "SELECT 1\nGO\nSELECT 2; SELECT 3\n  go -- end\n"
    batches = parse_script(text)
    assert [len(b) for b in batches] == [1, 2, 0]
    assert batches[1][0].span.line == 3
    assert list(split_batches(text)) == [
        (1, "SELECT 1\n"),
        (2, "\nSELECT 2; SELECT 3\n  "),
        (4, " -- end\n"),
    ]


def test_a_part_that_cannot_be_read_stays_in_the_last_batch() -> None:
    assert list(split_batches("SELECT 1\nGO\nSELECT 'a\nGO\n")) == [
        (1, "SELECT 1\n"),
        (2, "\nSELECT 'a\nGO\n"),
    ]


# --- the cache and the limits --------------------------------------------------------------------


def test_statements_are_cached_by_text() -> None:
    assert parse_batch("SELECT 41") is parse_batch("SELECT 41")
    long = f"SELECT '{'x' * module.CACHED_TEXT_MAX}'"
    assert parse_batch(long) is not parse_batch(long)
    assert parse_batch(long) == parse_batch(long)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "SELECT " + "(" * 50_000 + "1" + ")" * 50_000,
        "SELECT " + "- " * 5_000 + "1",
        "IF " + "NOT " * 5_000 + "1 = 1",
        "SELECT 1" + " + 1" * 5_000,
        "SELECT * FROM t WHERE a = 1" + " OR a = 1" * 5_000,
        "SELECT " + "f(" * 5_000,
        "SELECT 1" + " UNION SELECT 1" * 5_000,
        "SELECT " + "CASE WHEN 1 = 1 THEN " * 5_000,
        "BEGIN " * 5_000,
        "IF 1 = 1 " * 5_000 + "PRINT 1",
        "SELECT * FROM " + "(" * 5_000 + "t" + ")" * 5_000,
        "SELECT a" + ".f()" * 5_000,
    ],
)
def test_nesting_is_bounded(text: str) -> None:
    fault = fault_of(text)
    assert f"more than {DEPTH_MAX} levels" in fault.message or "too early" in fault.message


def test_nesting_below_the_bound_can_be_used() -> None:
    tree = parse_expression("1" + " + 1" * (DEPTH_MAX - 5))
    assert parse_expression(str(tree)) == tree
    hash(tree), repr(tree)


def test_length_is_not_nesting() -> None:
    values = ", ".join(map(str, range(20_000)))
    assert len(parse_batch(f"SELECT a FROM t WHERE a IN ({values})")) == 1
    assert len(parse_batch("SELECT 1; " * 5_000)) == 5_000


def test_the_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXT_MAX", 20)
    with pytest.raises(SyntaxFault, match="can be read at once"):
        module._parse_batch("SELECT 1 AS a_long_name")


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "said", "hint"),
    [
        ("SELCT 1", (1, 1), '"SELCT" cannot stand here: expected a state', "did you mean SELECT?"),
        ("SELECT a FORM t", (1, 15), '"t" cannot stand here', "did you mean FROM?"),
        ("SELECT * FROM t WHER a = 1", (1, 22), '"a" cannot', "did you mean WHERE?"),
        ("SELECT * FROM t GRUOP BY a", (1, 23), '"BY" cannot', "did you mean GROUP?"),
        ("CREATE TABEL t (a INT)", (1, 8), "expected TABLE, BRANCH", "did you mean TABLE?"),
        ("SELECT * FROM t\nWHERE", (2, 6), "the text ends too early: expected an expression", None),
        ("SELECT (1 + 2", (1, 14), 'expected an operator or ")"', None),
        ("SELECT * FROM t ORDER a", (1, 23), '"a" cannot stand here: expected BY', None),
        ("INSERT INTO t VALUE (1)", (1, 15), "expected VALUES", "did you mean VALUES?"),
        ("SELECT a AS order FROM t", (1, 13), "expected a name", "ORDER is a reserved word"),
        ("SELECT a, FROM t", (1, 11), "expected an expression", 'a "," too many before FROM'),
        ("SELECT a > 1 FROM t", (1, 10), '">" cannot', "a comparison as a value stands in"),
        ("SELECT x::INT", (1, 14), 'expected "("', "CAST(x AS type)"),
        ("SELECT 'abc", (1, 8), "string is not closed", None),
        ("SELECT 1\nGO\nSELECT 2", (2, 1), "GO ends a batch", "as a script"),
        ("SELECT a train FROM t", (1, 10), '"train" cannot', "TRAIN can begin a statement"),
        ("EXEC p a", (1, 8), "expected a constant", None),
    ],
)  # fmt: skip
def test_what_is_said(text: str, place: tuple[int, int], said: str, hint: str | None) -> None:
    fault = fault_of(text)
    assert (fault.line, fault.column) == place
    assert said in fault.message
    assert (fault.hint is None) if hint is None else (fault.hint is not None and hint in fault.hint)


def test_the_line_is_shown_with_a_caret() -> None:
    message = fault_of("SELECT 1;\n\tSELECT a b c;\nSELECT 2").message
    assert message.split("\n")[1:] == ["   SELECT a b c;", "              ^"]


def test_a_long_line_is_cut_around_the_caret() -> None:
    text = "SELECT " + ", ".join(f"column{i}" for i in range(100)) + " nonsense here, " + "x, " * 50
    _, line, caret = fault_of(text).message.split("\n")
    assert len(line) < 90 and line.startswith("  …") and line.endswith("…")
    assert line[caret.index("^") :].startswith("here")


def test_a_script_names_places_of_the_whole_text() -> None:
    with pytest.raises(SyntaxFault) as caught:
        parse_script("SELECT 1\nGO\nSELECT FROM\nGO")
    assert (caught.value.line, caught.value.column) == (3, 8)


def test_a_fault_in_an_expression_has_no_statement_words() -> None:
    with pytest.raises(SyntaxFault, match=r'an operator, "\(" or the end'):
        parse_expression("a b")


# --- the contract's own examples (HQL.md sections 7 and 10) --------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "DECLARE @ErrorRegion GEOMETRY = geometry::Point(0, 0, 0).STBuffer(10);\n"
        "SELECT SessionId, Path.STEndPoint() FROM dbo.SessionPaths"
        " WHERE Path.STEndPoint().STIntersects(@ErrorRegion) = 1",
        "SELECT SpatialSignature, COUNT(*) AS DuplicateCount FROM dbo.CodeAtoms"
        " GROUP BY SpatialSignature HAVING COUNT(*) > 1",
        "SELECT * FROM Atoms WHERE SpatialKey.STDistance(@point) < 5",
        "EXEC sp_CompareModelKnowledge @ModelA, @ModelB",
        "EXEC dbo.sp_DynamicStudentExtraction @ParentModelId = 42, @target_size_ratio = 0.5,"
        " @selection_strategy = 'importance'",
        "EXEC sp_DynamicStudentExtraction @ParentModel, 0.3",
        "DELETE FROM dbo.TensorAtoms WHERE TensorAtomId IN (SELECT ta.TensorAtomId FROM"
        " dbo.TensorAtoms ta JOIN dbo.TensorAtomCoefficients tac ON"
        " ta.TensorAtomId = tac.TensorAtomId WHERE tac.Coefficient < 0.01)",
        "UPDATE dbo.TensorAtoms SET WeightsGeometry = dbo.fn_ProjectTo3D(@new_weights),"
        " ImportanceScore = @new_importance WHERE TensorName LIKE 'layer7.attention%'",
        "EXEC sp_CrossModalQuery @text = 'cat', @modality_filter = NULL",
        "SELECT COALESCE(a.LayerIdx, b.LayerIdx) AS layer FROM dbo.ModelLayers AS a"
        " FULL OUTER JOIN dbo.ModelLayers AS b ON a.LayerIdx = b.LayerIdx WHERE a.ModelId = @m",
        "WITH StudentModel AS (SELECT ta.* FROM dbo.TensorAtoms ta WHERE ta.ModelId = 42)\n"
        "SELECT * FROM dbo.fn_InferenceWithWeights(@input_text,"
        " (SELECT WeightsGeometry FROM StudentModel))",
        "SELECT TOP (10) AtomId FROM Atoms ORDER BY VECTOR_DISTANCE('cosine', Embedding, @q)"
        " OPTION (RECALL 0.95, TIMEOUT '5s', USE INDEX (ix), NO INDEX)",
        "SELECT * FROM GENERATE('smollm', @prompt, @max_tokens = 64, @temperature = 0)",
        "SELECT PERPLEXITY('smollm', (SELECT text FROM t)), EMBED('a cat', 'minilm')",
        "INSERT INTO Atoms (Modality, CanonicalText) VALUES ('text', N'a cat')",
        "CREATE FUNCTION f(@n BIGINT) RETURNS BIGINT AS BEGIN RETURN @n * 2 END",
        "DECLARE c CURSOR FOR SELECT a FROM t; OPEN c; FETCH NEXT FROM c INTO @a; CLOSE c",
        "BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH PRINT ERROR_MESSAGE(); THROW END CATCH",
        "CREATE INDEX ix ON t (col) USING RTREE WITH (FILL = 90)",
    ],
)
def test_the_contract_is_spoken(text: str) -> None:
    trees = parse_batch(text)
    assert trees and parse_batch(";\n".join(map(str, trees))) == trees
