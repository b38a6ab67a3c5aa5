"""Binding of names: what a word of a query means, place by place."""

from __future__ import annotations

import pyarrow as pa
import pytest
from bind_world import CATALOG, bind, block, context, fields, first, parse, show, where

from hartonomous.hql import plan, types
from hartonomous.hql.bind import BindContext, bind_query
from hartonomous.hql.plan import Field
from hartonomous.storage.errors import Error


def sources(source: plan.Joined | plan.Source | None) -> list[plan.Source]:
    if isinstance(source, plan.Joined):
        return sources(source.left) + sources(source.right)
    return [] if source is None else [source]


# --- columns and tables --------------------------------------------------------------------------


def test_names_ignore_case_and_are_shown_as_first_written() -> None:
    assert fields('SELECT ID, "nAmE" FROM dbo.ITEMS') == ["Id INT", "Name NVARCHAR(20)"]


def test_qualified_names() -> None:
    text = "SELECT i.Id, s.id, Items.Code FROM Items i, Sales AS S, other.Items"
    assert [show(o.expr) for o in block(text).outputs] == ["r1.Id", "r2.Id", "r3.Code"]


def test_schema_tells_two_tables_of_one_name_apart() -> None:
    text = "SELECT dbo.Items.Id, other.Items.Code FROM dbo.Items, other.Items"
    assert [show(o.expr) for o in block(text).outputs] == ["r1.Id", "r2.Code"]
    with pytest.raises(Error) as raised:
        bind("SELECT Items.Zzz FROM dbo.Items, other.Items")
    assert raised.value.code == "UNKNOWN_COLUMN"


def test_star_leaves_hidden_columns_out_and_keeps_duplicates() -> None:
    assert fields("SELECT * FROM Sales s", hidden=True) == fields("SELECT s.* FROM Sales s")
    assert [f.split()[0] for f in fields("SELECT s.*, t.Id FROM Sales s, Sales t")] == [
        "Id", "ItemId", "Quantity", "Note", "Id",
    ]  # fmt: skip


def test_hidden_address() -> None:
    bound = block("SELECT __address FROM Sales", hidden=True)
    assert bound.outputs[0].expr.type == types.BIGINT
    assert isinstance(bound.source, plan.Scan) and bound.source.address
    with pytest.raises(Error, match="__address"):
        bind("SELECT __address FROM Sales")


def test_scan_has_every_stored_column() -> None:
    source = block("SELECT Id FROM Items").source
    assert isinstance(source, plan.Scan)
    assert [f.name for f in source.fields][:3] == ["Id", "Name", "Price"]
    assert source.table is CATALOG.get("dbo", "Items")


def test_system_tables_singular_and_plural() -> None:
    for name, key in [
        ("sys.tables", "sys.tables"),
        ("sys.Table", "sys.tables"),
        ("SYS.INDEX", "sys.indexes"),
        ("Commits", "commits"),
        ("dbo.[Commit]", "commits"),
        ("Hypothesis", "hypotheses"),
    ]:
        source = block(f"SELECT * FROM {name}").source
        assert isinstance(source, plan.ArrowSource) and source.key == key, name


def test_temporary_tables() -> None:
    source = block("SELECT a FROM #KEPT").source
    assert isinstance(source, plan.Scan) and source.table.name == "#kept"


def test_table_parameters_by_fields_and_by_arrow_schema() -> None:
    source = block("SELECT r.A FROM @Rows AS r").source
    assert isinstance(source, plan.ArrowSource) and source.key == "@rows"
    schema = pa.schema([("x", pa.uint32()), ("v", pa.list_(pa.float32(), 4))])
    assert fields("SELECT * FROM @rows", table_parameters={"rows": schema}) == [
        "x BIGINT", "v VECTOR(4)",
    ]  # fmt: skip


def test_parameters_are_listed_once_in_order_of_use() -> None:
    bound = bind("SELECT @S, @n + @n, ?, :n FROM @rows")
    assert bound.parameters == (
        ("s", types.NVARCHAR), ("n", types.INT), ("?0", types.INT),
    )  # fmt: skip


def test_tables_read_and_volatile() -> None:
    bound = bind("SELECT * FROM Dear, sales")
    assert bound.tables == ("dbo.Dear", "dbo.Items", "dbo.Sales")
    assert not bound.volatile
    assert bind("SELECT NEWID()").volatile


def test_words_without_parentheses() -> None:
    assert first("SELECT CURRENT_TIMESTAMP") == "GETDATE()"
    assert first("SELECT true") == "True:BIT"


def test_output_names() -> None:
    text = (
        "SELECT Id, Id + 1, COUNT(*) OVER (), CASE WHEN 1 = 1 THEN 2 END, CAST(Price AS INT),"
        " UPPER(Name), Id AS k, 'x' FROM Items"
    )
    names = [f.name for f in bind(text).plan.fields]
    assert names == ["Id", "expr2", "count", "case", "Price", "upper", "k", "expr8"]


# --- joins and derived tables --------------------------------------------------------------------


def test_join_kinds_and_on() -> None:
    text = """SELECT 1 FROM Items i LEFT JOIN Sales s ON s.ItemId = i.Id
              CROSS JOIN Squares q FULL JOIN Sales z ON z.Id = q.n"""
    joined = block(text).source
    assert isinstance(joined, plan.Joined) and joined.kind == "FULL"
    assert show(joined.on) == "=(r5.Id, r4.n)"  # type: ignore[arg-type]
    assert isinstance(joined.left, plan.Joined) and joined.left.kind == "CROSS"
    assert isinstance(joined.left.left, plan.Joined) and joined.left.left.kind == "LEFT"


def test_apply_sees_its_left_and_becomes_a_lateral_join() -> None:
    text = """SELECT i.Id, z.total FROM Items i
              OUTER APPLY (SELECT SUM(Quantity) AS total FROM Sales WHERE ItemId = i.Id) z"""
    joined = block(text).source
    assert isinstance(joined, plan.Joined) and joined.kind == "LEFT" and joined.on is None
    assert isinstance(joined.right, plan.Derived) and joined.right.lateral
    with pytest.raises(Error, match='no table "i"'):
        bind("SELECT 1 FROM Items i CROSS JOIN (SELECT i.Id AS x) z")


def test_apply_of_a_function() -> None:
    text = "SELECT g.value FROM Items i CROSS APPLY GENERATE_SERIES(1, i.Id) AS g"
    source = sources(block(text).source)[1]
    assert isinstance(source, plan.TableFunction) and source.lateral
    assert fields("SELECT k FROM GENERATE_SERIES(1, 3) AS g(k)") == ["k BIGINT"]


def test_derived_columns_and_duplicates() -> None:
    assert fields("SELECT b, a FROM (SELECT 1, 'x') AS q(a, b)") == ["b NVARCHAR", "a INT"]
    derived = block("SELECT * FROM (SELECT Id, Id + 1 AS id FROM Items) q")
    assert [show(o.expr) for o in derived.outputs] == ["r2.Id", "r2.id:2"]
    assert [o.name for o in derived.outputs] == ["Id", "id"]


def test_values_as_a_table() -> None:
    text = "SELECT * FROM (VALUES (1, NULL), (2.5, 'a')) AS v(x, y)"
    assert fields(text) == ["x DECIMAL(11,1)", "y NVARCHAR"]
    assert fields("VALUES (1, 'a')") == ["column1 INT", "column2 NVARCHAR"]


def test_correlation_reaches_through_several_levels() -> None:
    text = """SELECT Id FROM Items i WHERE EXISTS (SELECT 1 FROM Sales s WHERE s.Id IN
              (SELECT n FROM Squares WHERE n = i.Id AND m = s.Quantity))"""
    bound = block(text)
    assert isinstance(bound.where, plan.Exists)
    inner = bound.where.query.body.where  # type: ignore[union-attr]
    deepest = inner.query.body.where  # type: ignore[union-attr]
    assert show(deepest) == "AND(=(r4.n, r1.Id), =(r4.m, r2.Quantity))"


def test_an_inner_name_hides_an_outer_one() -> None:
    text = "SELECT (SELECT MAX(Id) FROM Sales) FROM Items"
    query = block(text).outputs[0].expr.query  # type: ignore[attr-defined]
    assert show(query.body.outputs[0].expr) == "agg MAX(r2.Id)"


# --- common tables -------------------------------------------------------------------------------


def test_common_tables_see_earlier_ones_and_hide_stored_ones() -> None:
    text = "WITH a(x) AS (SELECT 1), Items AS (SELECT x + 1 AS y FROM a) SELECT * FROM Items, a"
    bound = bind(text).plan
    assert [f"{c.number} {c.name} {c.recursive}" for c in bound.ctes] == [
        "1 a False", "2 Items False",
    ]  # fmt: skip
    assert [f.name for f in bound.fields] == ["y", "x"]
    assert all(isinstance(s, plan.CteReference) for s in sources(bound.body.source))  # type: ignore[union-attr]


def test_a_common_table_in_a_schema_is_not_meant() -> None:
    source = block("WITH Items AS (SELECT 1 AS x) SELECT * FROM dbo.Items").source
    assert isinstance(source, plan.Scan)


@pytest.mark.parametrize("word", ["", "RECURSIVE "])
def test_recursive_with_and_without_the_word(word: str) -> None:
    text = (
        f"WITH {word}r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r"
    )
    (cte,) = bind(text).plan.ctes
    assert cte.recursive and isinstance(cte.plan.body, plan.SetBlock) and cte.plan.body.all
    right = cte.plan.body.right.body
    assert isinstance(right, plan.SelectBlock) and isinstance(right.source, plan.CteReference)
    assert right.source.cte == cte.number


def test_recursive_types_widen_and_members_may_be_several() -> None:
    text = """WITH r AS (SELECT CAST(1 AS INT) AS n UNION ALL SELECT CAST(9 AS INT)
              UNION ALL SELECT n + Big FROM r, Items UNION ALL SELECT n + 2 FROM r)
              SELECT n FROM r"""
    bound = bind(text).plan
    assert [str(f.type) for f in bound.fields] == ["BIGINT"]
    body = bound.ctes[0].plan.body
    assert isinstance(body, plan.SetBlock)
    assert [f.type for f in body.left.fields] == [f.type for f in body.right.fields]
    text = "WITH r AS (SELECT 1.5 AS n UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"
    assert fields(text) == ["n DECIMAL(12,1)"]
    with pytest.raises(Error, match="grow with every step"):
        bind("WITH r AS (SELECT 1.5 AS n UNION ALL SELECT n * 1.5 FROM r) SELECT n FROM r")


def test_an_inner_with_of_the_same_name_is_not_recursion() -> None:
    text = "WITH a AS (SELECT * FROM (WITH a AS (SELECT 1 AS x) SELECT x FROM a) q) SELECT * FROM a"
    assert not bind(text).plan.ctes[0].recursive


# --- views and computed columns ------------------------------------------------------------------


def test_views_are_expanded_with_their_column_names() -> None:
    bound = block("SELECT d.title, d.* FROM Dear d")
    assert isinstance(bound.source, plan.Derived)
    assert [o.name for o in bound.outputs] == ["Title", "id", "Title"]


def test_a_view_does_not_see_the_query_around_it() -> None:
    text = "WITH Items AS (SELECT 1 AS x) SELECT * FROM Dear"
    source = block(text).source
    assert isinstance(source, plan.Derived)
    assert isinstance(source.plan.body.source, plan.Scan)  # type: ignore[union-attr]


def test_computed_columns_stand_in_a_query_around_the_scan() -> None:
    bound = block("SELECT Square FROM Squares WHERE m = 1")
    source = bound.source
    assert isinstance(source, plan.Derived) and isinstance(source.plan.body, plan.SelectBlock)
    assert [show(o.expr) for o in source.plan.body.outputs] == [
        "r1.n", "cast(*(r1.n, r1.n), BIGINT)", "r1.m",
    ]  # fmt: skip
    assert fields("SELECT * FROM Squares") == ["n INT", "Square BIGINT", "m INT"]


def test_computed_columns_and_the_hidden_address() -> None:
    text = "SELECT __address, * FROM Squares AS s(a, b, c)"
    assert [f.split()[0] for f in fields(text, hidden=True)] == ["__address", "a", "b", "c"]


# --- calls ---------------------------------------------------------------------------------------


def test_a_method_is_a_function_with_its_target_first() -> None:
    assert first("SELECT Name.UPPER() FROM Items") == "UPPER(r1.Name)"
    assert first("SELECT i.Name.UPPER() FROM Items i") == "UPPER(r1.Name)"
    assert first("SELECT @s.UPPER().LOWER()") == "LOWER(UPPER(@s))"
    assert first("SELECT dbo.UPPER('a')") == "UPPER(a:NVARCHAR)"


def test_methods_without_parentheses() -> None:
    assert first("SELECT Name.UPPER FROM Items") == "UPPER(r1.Name)"
    assert first("SELECT i.Name.UPPER.LOWER() FROM Items i") == "LOWER(UPPER(r1.Name))"


def test_named_arguments_and_comparisons() -> None:
    text = "SELECT value FROM GENERATE_SERIES(@stop = 5, @start = 1)"
    source = block(text).source
    assert isinstance(source, plan.TableFunction)
    assert [show(a) for a in source.arguments] == ["1:BIGINT", "5:BIGINT"]
    assert first("SELECT IIF(@n = 3, 1, 2)") == "case(=(@n, 3:INT)→1:INT 2:INT)"


# --- ORDER BY, TOP, options ----------------------------------------------------------------------


def order(text: str) -> list[str]:
    keys = bind(text).plan.order_by
    return [
        show(k.expr) + (" desc" if k.descending else "") + ("" if k.nulls_first else " last")
        for k in keys
    ]


def test_order_by_names_numbers_and_expressions() -> None:
    text = "SELECT Id AS k, Price AS Id, Name FROM Items ORDER BY {}"
    assert order(text.format("k, Id DESC")) == ["#0", "#1 desc last"]
    assert order(text.format("3, 1 DESC")) == ["#2", "#0 desc last"]
    assert order(text.format("Id + 1")) == ["+(r1.Id, 1:INT)"]  # inside: columns first
    assert order(text.format("k + 1")) == ["+(r1.Id, 1:INT)"]
    assert order(text.format("Items.Price")) == ["#1"]
    assert order(text.format("Score NULLS LAST, Tiny DESC NULLS FIRST")) == [
        "r1.Score last", "r1.Tiny desc",
    ]  # fmt: skip
    assert order(text.format("'constant', Score")) == ["r1.Score"]


def test_order_by_of_a_set_operation() -> None:
    text = "SELECT Id AS a FROM Items UNION SELECT Id FROM Sales ORDER BY "
    assert order(text + "a DESC") == ["#0 desc last"]
    assert order(text + "1") == ["#0"]
    bound = bind(text + "a % 10, a").plan
    assert isinstance(bound.body, plan.SelectBlock) and isinstance(bound.body.source, plan.Derived)
    relation = bound.body.source.relation
    assert show(bound.order_by[0].expr) == f"%(r{relation}.a, 10:INT)"


def test_top_limit_and_ties() -> None:
    bound = bind("SELECT TOP (@n) WITH TIES Id FROM Items ORDER BY Id").plan
    assert show(bound.limit) == "cast(@n, BIGINT)" and bound.limit_ties  # type: ignore[arg-type]
    bound = bind("SELECT TOP (10) PERCENT Id FROM Items").plan
    assert show(bound.limit) == "10.0:FLOAT" and bound.limit_percent  # type: ignore[arg-type]
    bound = bind("SELECT Id FROM Items ORDER BY Id OFFSET 5 ROWS FETCH NEXT 2 ROWS ONLY").plan
    assert (show(bound.limit), show(bound.offset)) == ("2:BIGINT", "5:BIGINT")  # type: ignore[arg-type]
    bound = bind("SELECT Id FROM Items UNION SELECT 1 LIMIT 3").plan
    assert show(bound.limit) == "3:BIGINT"  # type: ignore[arg-type]


def test_clauses_of_a_parenthesised_query_stay_its_own() -> None:
    bound = bind("(SELECT Id FROM Items ORDER BY Id LIMIT 3) ORDER BY Id DESC LIMIT 1").plan
    assert isinstance(bound.body, plan.Plan)
    assert bound.body.limit is not None and bound.limit is not None


def test_options() -> None:
    text = "SELECT 1 OPTION (RECALL 0.9, TIMEOUT '5s', MEMORY '2MB', USE INDEX (ix))"
    *options, (hint, name) = bind(text).plan.options
    assert options == [("RECALL", 0.9), ("TIMEOUT", 5.0), ("MEMORY", 2 << 20)]
    assert hint == "USE INDEX" and isinstance(name, plan.Constant) and name.value == "ix"
    assert bind("SELECT 1 OPTION (NO INDEX)").plan.options == (("NO INDEX", None),)


def test_for_json_is_one_column() -> None:
    bound = bind("SELECT Id AS [a.b] FROM Items FOR JSON PATH").plan
    assert [str(f.type) for f in bound.fields] == ["JSON"]
    assert bound.json.mode == "PATH" and bound.body.outputs[0].name == "a.b"  # type: ignore[union-attr]
    assert fields("SELECT (SELECT Id FROM Sales FOR JSON PATH) AS j FROM Items") == ["j JSON"]


# --- where rows go -------------------------------------------------------------------------------


def test_assignments() -> None:
    bound = bind("SELECT @N = Id, @s = Name FROM Items")
    assert bound.assignments == ("n", "s")
    assert [str(f.type) for f in bound.plan.fields] == ["INT", "NVARCHAR(20)"]


TARGETS = (Field("a", types.BIGINT), Field("d", types.DATE))


def test_targets_convert_each_value() -> None:
    query = parse("VALUES (1, '2024-02-01'), ('7', NULL)")
    rows = bind_query(query, context(), targets=TARGETS).plan.body
    assert isinstance(rows, plan.ValuesBlock)
    assert [[show(e) for e in row] for row in rows.rows] == [
        ["1:BIGINT", "2024-02-01:DATE"], ["7:BIGINT", "None:DATE"],
    ]  # fmt: skip
    query = parse("SELECT DISTINCT Id, Day FROM Items")
    bound = bind_query(query, context(), targets=TARGETS).plan
    assert [f.type for f in bound.fields] == [types.BIGINT, types.DATE]
    assert isinstance(bound.body, plan.SelectBlock)
    assert isinstance(bound.body.source, plan.Derived)  # not inside the DISTINCT


@pytest.mark.parametrize("text", ["SELECT 1", "SELECT 1, V FROM Items", "VALUES (1, 2)"])
def test_targets_that_do_not_fit(text: str) -> None:
    with pytest.raises(Error) as raised:
        bind_query(parse(text), context(), targets=TARGETS)
    assert raised.value.code in ("BIND", "TYPE_MISMATCH")


def test_an_empty_context_is_enough_for_constants() -> None:
    assert bind_query(parse("SELECT 1"), BindContext(CATALOG)).plan.fields[0].type == types.INT


def test_where_helper_shows_relations() -> None:
    assert where("Id = 1") == "=(r1.Id, 1:INT)"
