"""Bound expressions as the engine's SQL: exact types, callbacks, places of errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from bind_world import bind, block

from hartonomous.hql import plan, types
from hartonomous.hql.engine.places import locate
from hartonomous.hql.engine.relational import Cursor, engine
from hartonomous.hql.engine.render import constant_sql, identifier, parameter_name, render
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.functions import FUNCTIONS
from hartonomous.hql.functions.casts import check_length_sql
from hartonomous.hql.types import Type, parse_type

#: one row of bind_world's Items, as a fragment sees it (the vector is a handle)
ITEMS = {
    "Id": pa.array([1], pa.int32()),
    "Name": ["a'b"],
    "Price": pa.array([Decimal("2.50")], pa.decimal128(10, 2)),
    "Score": [0.5],
    "Flag": [True],
    "Day": [date(2026, 11, 22)],
    "At": pa.array([datetime(2026, 11, 22, 10, 30)], pa.timestamp("us")),
    "V": pa.array([7], pa.int64()),
    "Big": pa.array([2**40], pa.int64()),
    "Tiny": pa.array([3], pa.int8()),
    "Doc": ['{"a": 1}'],
}


@pytest.fixture
def cursor() -> Iterator[Cursor]:
    with engine().cursor() as made:
        made.register("items", pa.table(ITEMS))
        yield made


def rendered(expr: plan.Expr, calls: list[plan.Call] | None = None) -> str:
    def native(call: plan.Call, arguments: list[str]) -> str:
        if calls is not None:
            calls.append(call)
        return f"CAST(NULL AS {call.type.relational}) /* {', '.join(arguments)} */"

    def no_plans(query: plan.Plan) -> str:
        return "SELECT 1"

    return render(expr, lambda c: identifier(c.name), no_plans, native)


def type_in_engine(cursor: Cursor, sql: str, source: str = "items") -> str:
    table = cursor.stream(
        f"SELECT typeof(x) AS t FROM (SELECT {sql} AS x FROM {source})"
    ).read_all()
    return str(table.column(0)[0])


#: an argument of each type, as HQL
ARGUMENTS = {
    "BIT": "Flag", "TINYINT": "Tiny", "INT": "Id", "BIGINT": "Big", "DECIMAL(10,2)": "Price",
    "REAL": "CAST(Score AS REAL)", "FLOAT": "Score", "NVARCHAR(20)": "Name", "DATE": "Day",
    "DATETIME2": "At", "TIME": "CAST(At AS TIME)", "JSON": "Doc",
    "DATETIMEOFFSET": "CAST(At AS DATETIMEOFFSET)", "UNIQUEIDENTIFIER": "NEWID()",
    "VARBINARY": "CAST(Name AS VARBINARY)",
}  # fmt: skip
NUMBERS = ("TINYINT", "INT", "BIGINT", "DECIMAL(10,2)", "REAL", "FLOAT")


def calls_of_every_type() -> list[str]:
    made = []
    for one in NUMBERS:
        a = ARGUMENTS[one]
        made += [f"{f}({a})" for f in (
            "ABS", "CEILING", "FLOOR", "ROUND", "SIGN", "SQRT", "EXP", "LOG", "SIN", "SUM", "AVG",
            "MIN", "MAX", "STDEV", "COUNT", "APPROX_COUNT_DISTINCT",
        )]  # fmt: skip
        made += [f"ROUND({a}, 1)", f"ROUND({a}, -1)", f"ROUND({a}, 1, 1)", f"ROUND({a}, Id)"]
        made += [
            f"-{a}",
            f"{a} + 1",
            f"SUM({a}) OVER (ORDER BY Id)",
            f"LAG({a}, 1) OVER (ORDER BY Id)",
        ]
        for other in NUMBERS:
            b = ARGUMENTS[other]
            made += [f"{a} {sign} {b}" for sign in "+-*/%"]
            made += [f"GREATEST({a}, {b})", f"COALESCE({a}, {b})", f"IIF(Id = 1, {a}, {b})"]
    for kind in ("TINYINT", "INT", "BIGINT"):
        made += [f"{ARGUMENTS[kind]} {sign} Tiny" for sign in "&|^"] + [f"~{ARGUMENTS[kind]}"]
    for kind in ("DATE", "DATETIME2", "DATETIMEOFFSET"):
        a = ARGUMENTS[kind]
        made += [f"{f}(day, {a})" for f in ("DATEPART", "DATENAME", "DATETRUNC")]
        made += [f"DATEADD(month, 1, {a})", f"DATEDIFF(week, {a}, {a})", f"EOMONTH({a})"]
        made += [f"DATETRUNC(week, {a})", f"YEAR({a})"]
    return [*made, "DATEADD(hour, 1, CAST(At AS TIME))", "DATETRUNC(hour, CAST(At AS TIME))"]


@pytest.mark.parametrize("call", calls_of_every_type())
def test_the_engine_gives_the_type_that_the_registry_says(call: str, cursor: Cursor) -> None:
    expr = block(f"SELECT {call} AS x FROM Items").outputs[0].expr
    assert type_in_engine(cursor, rendered(expr)) == expr.type.relational


@pytest.mark.parametrize("name", [f.name for f in FUNCTIONS.values() if f.kind == "scalar"])
def test_examples_have_their_types_in_the_engine(name: str, cursor: Cursor) -> None:
    function = FUNCTIONS[name]
    if not function.example or function.is_native or function.of_session is not None:
        return
    expr = block(f"SELECT {function.example} AS x").outputs[0].expr
    assert type_in_engine(cursor, rendered(expr)) == expr.type.relational


@pytest.mark.parametrize("source", ARGUMENTS)
@pytest.mark.parametrize("target", [*ARGUMENTS, "DECIMAL(5,1)", "NVARCHAR", "NVARCHAR(3)"])
@pytest.mark.parametrize("how", ["CAST", "TRY_CAST"])
def test_casts_have_their_types_in_the_engine(
    source: str, target: str, how: str, cursor: Cursor
) -> None:
    from hartonomous.hql.functions.coerce import can_convert

    if not can_convert(parse_type(source), parse_type(target)):
        return
    expr = block(f"SELECT {how}({ARGUMENTS[source]} AS {target}) AS x FROM Items").outputs[0].expr
    sql = rendered(replace(expr)) if isinstance(expr, plan.Column) else rendered(expr)
    try:
        found = type_in_engine(cursor, sql)
    except ExecutionFault as fault:  # 'a''b' is no number, 16 bytes are no text
        assert how == "CAST" and fault.code in ("BAD_CAST", "OVERFLOW")
        return
    assert found == expr.type.relational


# --- constants -----------------------------------------------------------------------------------

CONSTANTS: list[tuple[Any, str]] = [
    (None, "INT"), (None, "NVARCHAR"), (None, "VECTOR(3)"),
    (True, "BIT"), (False, "BIT"),
    (1, "TINYINT"), (-128, "TINYINT"), (1, "SMALLINT"), (-(2**31), "INT"), (2**63 - 1, "BIGINT"),
    (-(2**63), "BIGINT"), (Decimal("1.50"), "DECIMAL(5,2)"), (Decimal(10**37), "DECIMAL(38,0)"),
    (Decimal("-1E-38"), "DECIMAL(38,38)"), (7, "DECIMAL(5,2)"),
    (0.1, "FLOAT"), (1e300, "FLOAT"), (5e-324, "FLOAT"), (-0.0, "FLOAT"), (float("inf"), "FLOAT"),
    (123456789.0, "FLOAT"), (0.10000000149011612, "REAL"),
    ("", "NVARCHAR"), ("it's", "NVARCHAR"), ("a\0b\nc\x1f$x", "NVARCHAR"), ("\\n", "NVARCHAR"),
    ("\x7f\u200b\ud7ff😀", "NVARCHAR(9)"), ('{"a": 1}', "JSON"), ("' || chr(0) || '", "NVARCHAR"),
    (b"", "VARBINARY"), (b"\x00\xff'", "VARBINARY"), (bytes(range(16)), "UNIQUEIDENTIFIER"),
    (date(1, 1, 1), "DATE"), (date(9999, 12, 31), "DATE"), (time(23, 59, 59, 999999), "TIME"),
    (time(0), "TIME"), (datetime(1, 1, 1), "DATETIME2"),
    (datetime(9999, 12, 31, 23, 59, 59, 999999), "DATETIMEOFFSET"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "type_name"), CONSTANTS)
def test_constants_keep_value_and_type(value: Any, type_name: str, cursor: Cursor) -> None:
    type_ = parse_type(type_name)
    sql = constant_sql(value, type_)
    table = cursor.stream(f"SELECT {sql} AS x, typeof({sql}) AS t").read_all()
    assert str(table["t"][0]) == type_.relational
    found = table["x"][0].as_py()
    assert (
        found == value
        and repr(found) == repr(type(found)(value) if value == 7 else value)
        or (type_name == "DECIMAL(5,2)" or type_name.startswith("DECIMAL(38") and found == value)
    )


@pytest.mark.parametrize(("value", "type_name"), CONSTANTS)
def test_parameters_keep_value_and_type(value: Any, type_name: str, cursor: Cursor) -> None:
    type_ = parse_type(type_name)
    if type_.is_wide:
        return
    sql = rendered(plan.Parameter(type=type_, name="p"))
    table = cursor.stream(f"SELECT {sql} AS x, typeof({sql}) AS t", {"p": value}).read_all()
    assert str(table["t"][0]) == type_.relational
    assert table["x"][0].as_py() == value


def test_nan_is_a_constant(cursor: Cursor) -> None:
    table = cursor.stream(f"SELECT isnan({constant_sql(float('nan'), types.FLOAT)})").read_all()
    assert table.column(0).to_pylist() == [True]


def test_names_are_safe() -> None:
    assert identifier('a"b') == '"a""b"'
    assert parameter_name("total") == "total"
    odd = [parameter_name(n) for n in ("?0", "?1", ":x", "größe", "a b")]
    assert len(set(odd)) == 5 and all(n.isidentifier() and n.isascii() for n in odd)


# --- callbacks -----------------------------------------------------------------------------------


def native_calls(text: str) -> list[str]:
    calls: list[plan.Call] = []
    rendered(block(text).outputs[0].expr, calls)
    return [c.function.name for c in calls]


def test_wide_values_go_through_native_calls() -> None:
    assert native_calls("SELECT VECTOR_NORM(V) FROM Items") == ["VECTOR_NORM"]
    assert native_calls("SELECT V + V FROM Items") == ["__vector_add"]
    assert native_calls("SELECT -V FROM Items") == ["__vector_negate"]
    assert native_calls("SELECT CAST(Name AS VECTOR(3)) FROM Items") == ["__to_vector"]
    assert native_calls("SELECT CAST(V AS NVARCHAR) FROM Items") == ["__from_vector"]
    assert native_calls("SELECT (V = V) FROM Items") == ["__intern", "__intern"]
    assert native_calls("SELECT COALESCE(V, [1, 2, 3]) FROM Items") == ["__wide"]
    assert native_calls("SELECT COALESCE(V, @q) FROM Items") == ["__wide"]
    assert native_calls("SELECT COUNT(DISTINCT V) FROM Items") == ["__intern"]
    assert native_calls("SELECT CASE WHEN Id = 1 THEN V END FROM Items") == []


def test_wide_constants_of_native_calls_are_left_in_the_call() -> None:
    calls: list[plan.Call] = []
    made = rendered(block("SELECT VECTOR_DISTANCE('dot', V, @q) FROM Items").outputs[0].expr, calls)
    assert [c.function.name for c in calls] == ["VECTOR_DISTANCE"]
    assert made.endswith("""/* 'dot', "V", NULL */""")


def test_frames_and_filters_are_written_out(cursor: Cursor) -> None:
    for call in (
        "SUM(Id) OVER (PARTITION BY Name ORDER BY Id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
        "SUM(Id) OVER (ORDER BY Id RANGE UNBOUNDED PRECEDING)",
        "COUNT(*) OVER (ORDER BY Id GROUPS BETWEEN CURRENT ROW AND 2 FOLLOWING EXCLUDE TIES)",
        "STRING_AGG(Name, ',') WITHIN GROUP (ORDER BY Id DESC)",
        "COUNT(DISTINCT Id)",
    ):
        expr = block(f"SELECT {call} AS x FROM Items").outputs[0].expr
        assert cursor.stream(f"SELECT {rendered(expr)} FROM items").read_all().num_rows == 1


def test_lengths_of_assignments_are_checked(cursor: Cursor) -> None:
    from hartonomous.hql.ast import Span

    span = Span(3, 4, 0, 0)
    sql = check_length_sql("x", parse_type("NVARCHAR(2)"), span, '"name"')
    query = f"SELECT {sql} FROM (VALUES ('é'), ('ab'), (NULL)) AS t(x)"
    assert cursor.stream(query).read_all().num_rows == 3
    with pytest.raises(ExecutionFault, match='too long for "name"') as caught:
        cursor.stream(query.replace("'ab'", "'abc'")).read_all()
    assert (caught.value.code, caught.value.line, caught.value.column) == ("BAD_VALUE", 3, 4)
    assert check_length_sql("x", types.NVARCHAR, span, "c") == "x"


# --- places --------------------------------------------------------------------------------------


def sited(*sites: str) -> ExecutionFault:
    fault = ExecutionFault("no")
    fault.site = sites  # type: ignore[attr-defined]
    return fault


def test_an_error_gets_the_place_of_the_only_candidate() -> None:
    root = bind("SELECT Id + 1,\n  Id / 2, CAST(Name AS INT), CAST(Name AS DATE) FROM Items").plan
    assert locate(sited("/", "%"), root).line == 2
    assert locate(sited("+"), root).column == 8
    assert locate(sited("CAST DATE"), root).column == 30
    assert locate(sited("CAST"), root).line is None  # two of them
    assert locate(sited("*"), root).line is None
    assert locate(ExecutionFault("no"), root).line is None
    assert locate(sited("+"), None).line is None


def test_places_are_found_in_subqueries() -> None:
    root = bind("SELECT 1 WHERE EXISTS (SELECT 1 FROM Items\nWHERE Id % 2 = 1)").plan
    assert locate(sited("%"), root).line == 2
    root = bind("SELECT\n(SELECT Id FROM Items)").plan
    assert locate(sited("SUBQUERY"), root).line == 2


def test_types_print_and_parse() -> None:
    for text in ("DECIMAL(5,2)", "NVARCHAR(3)", "VECTOR(3)", "FLOAT", "NVARCHAR"):
        assert str(parse_type(text)) == text
    assert parse_type("double  precision") == types.FLOAT
    assert parse_type("NVARCHAR(MAX)") == types.NVARCHAR == Type("NVARCHAR")
