"""The registry: every example runs, every result has the type the registry says, docs agree."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bind_world import bind

from hartonomous import hql
from hartonomous.hql import functions, types
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions import FAMILIES, FUNCTIONS, SYNONYMS
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.coerce import (
    can_cast,
    can_convert,
    common_type,
    literal_type,
    meet,
)
from hartonomous.hql.functions.document import functions_markdown
from hartonomous.hql.types import Type, parse_type

ROOT = Path(__file__).parents[2]
SHOWN = [f for f in FUNCTIONS.values() if not f.name.startswith("__")]
#: what the examples call them, made small
MODELS = [
    "smollm ARCHITECTURE llama(layers = 1, width = 8, heads = 2, kv_heads = 1, mlp = 8, "
    "context = 64) WITH (SEED = 1, TOKENIZER = 'bytes')",
    "digits ARCHITECTURE mlp(inputs = 2, hidden = 4, outputs = 3) WITH (SEED = 1)",
]


@pytest.fixture(scope="module")
def database() -> Iterator[Connection]:
    connection = hql.connect(":memory:")
    connection.execute("CREATE TABLE t (n INT, s NVARCHAR(10), v VECTOR(2))")
    connection.execute(
        "INSERT INTO t VALUES (1, 'a', [1, 2]), (2, 'b', [3, 4]), (NULL, NULL, NULL)"
    )
    for model in MODELS:
        connection.execute(f"CREATE MODEL {model}")
    yield connection
    connection.close()


def query_of(function: Function) -> str:
    if function.kind == "table":
        return function.example
    tail = " FROM t" if function.kind in ("aggregate", "window") else ""
    grouped = " GROUP BY s" if function.name == "GROUPING" else ""
    return f"SELECT {function.example} AS x{tail}{grouped}"


@pytest.mark.parametrize("function", SHOWN, ids=lambda f: f.name)
def test_every_example_runs_and_gives_a_value(function: Function, database: Connection) -> None:
    rows = database.execute(query_of(function)).fetchall()
    assert rows
    if function.name not in ("NULLIF", "FIRST_VALUE") and function.of_session is None:
        assert any(row[0] is not None for row in rows)


@pytest.mark.parametrize("function", SHOWN, ids=lambda f: f.name)
def test_every_function_is_described(function: Function) -> None:
    assert function.doc.endswith(".") and function.example
    # by the binder
    rewritten = function.name in ("NULLIF", "PREDICT") or function.of_session is not None
    assert [bool(function.render), bool(function.kernel), rewritten].count(True) == 1
    assert function.kind in ("scalar", "aggregate", "window", "table")


def test_names_are_unique_and_synonyms_lead_somewhere() -> None:
    assert sum(len(family) for _, family in FAMILIES) == len(FUNCTIONS)
    for synonym, name in SYNONYMS.items():
        assert synonym not in FUNCTIONS and name in FUNCTIONS
    assert functions.find("getdate") is functions.find("CURRENT_TIMESTAMP") is not None
    assert functions.find("nothing") is None
    assert "LEN" in functions.names() and "+" not in functions.names()
    assert not any(n.startswith("_") for n in functions.names())


def test_the_page_is_the_registry() -> None:
    page = (ROOT / "docs" / "FUNCTIONS.md").read_text(encoding="utf-8")
    assert page == functions_markdown(), "python -m hartonomous.hql.functions.document"


def test_the_registry_loads_nothing_heavy() -> None:
    code = (
        "import sys, hartonomous.hql.functions\n"
        "heavy = {'numpy', 'pyarrow', 'duckdb', 'numba', 'lark'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_families_are_the_files() -> None:
    folder = Path(str(importlib.import_module("hartonomous.hql.functions").__file__)).parent
    helpers = {"__init__", "base", "casts", "coerce", "document", "resolve", "vector_kernels"}
    helpers |= {"native_form", "geometry_kernels", "geometry_methods", "geometry_forms"}
    helpers |= {"models", "native_table", "vector_arrays", "vector_lengths"}
    helpers |= {"by_value", "format_dates", "format_numbers", "styles"}
    helpers |= {"json_values", "unnest", "windows_zones"}
    assert {p.stem for p in folder.glob("*.py")} - helpers == {
        "aggregates", "bits", "code", "conditional", "cursors", "dates", "embedding", "geometry",
        "json", "json_change", "math",
        "models_generate", "models_likelihood", "models_predict", "models_tokens",
        "moments", "names", "operators", "patterns", "session", "spaces", "strings", "system",
        "text_forms", "vectors", "windows",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("ABS()", "ARGUMENTS", "ABS takes (number), not 0 arguments"),
        ("ABS(1, 2)", "ARGUMENTS", "not 2 arguments"),
        ("ABS(Day)", "TYPE_MISMATCH", "argument 1 (number) cannot be DATE"),
        ("LEN(V)", "TYPE_MISMATCH", "cannot be VECTOR(3)"),
        ("COALESCE(1, Day)", "TYPE_MISMATCH", "INT and DATE have no common type"),
        ("COALESCE()", "ARGUMENTS", "at least 1"),
        ("DATEADD(dayy, 1, Day)", "ARGUMENTS", "dayy is not a part"),
        ("DATEADD(hour, 1, Day)", "TYPE_MISMATCH", "a DATE has no hour"),
        ("DATEADD(day, 1)", "ARGUMENTS", "takes 3"),
        ("DATEADD(day, 1, 5)", "TYPE_MISMATCH", "neither date nor time"),
        ("DATEDIFF(day, Day, CAST('10:00' AS TIME))", "TYPE_MISMATCH", "TIME and a date"),
        ("VECTOR_DISTANCE('dot', V, [1, 2])", "TYPE_MISMATCH", "of 3 and one of 2"),
        ("VECTOR_DISTANCE('dot', V)", "ARGUMENTS", "(metric, a, b)"),
        ("VECTOR_DISTANCE(Name, V, V)", "ARGUMENTS", "the constant 'cosine'"),
        ("VECTOR_NORM(5)", "TYPE_MISMATCH", "INT is not a vector"),
        ("NULLIF(V, 1)", "TYPE_MISMATCH", "VECTOR(3) and INT"),
        ("NULLIF(1)", "ARGUMENTS", "(value, null), not 1 argument"),
        ("JSON_VALUE(Doc, 5)", "ARGUMENTS", "'5' is not a path"),
        ("JSON_VALUE(Doc, 'x')", "ARGUMENTS", "is not a path"),
        ("CHOOSE(1)", "ARGUMENTS", "CHOOSE takes"),
        ("LAG(Id, Day) OVER (ORDER BY Id)", "TYPE_MISMATCH", "not a number of rows"),
        ("Price & 1", "TYPE_MISMATCH", "cast both sides"),
        ("Day + 1", "TYPE_MISMATCH", "+ is not defined for DATE, INT"),
        ("V / 2", "TYPE_MISMATCH", "/ is not defined"),
    ],
)
def test_wrong_arguments_are_named(call: str, code: str, words: str) -> None:
    with pytest.raises(BindFault) as caught:
        bind(f"SELECT {call} FROM Items")
    assert caught.value.code == code
    assert words in f"{caught.value}"
    assert caught.value.line == 1 and caught.value.column == 8


# --- types that meet -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        ("TINYINT", "BIGINT", "BIGINT"),
        ("BIT", "INT", "INT"),
        ("INT", "DECIMAL(5,2)", "DECIMAL(12,2)"),
        ("DECIMAL(5,2)", "DECIMAL(4,3)", "DECIMAL(6,3)"),
        ("DECIMAL(38,0)", "DECIMAL(38,10)", "DECIMAL(38,10)"),
        ("DECIMAL(5,2)", "FLOAT", "FLOAT"),
        ("BIGINT", "REAL", "REAL"),
        ("REAL", "FLOAT", "FLOAT"),
        ("NVARCHAR(5)", "NVARCHAR(9)", "NVARCHAR(9)"),
        ("NVARCHAR(5)", "NVARCHAR", "NVARCHAR"),
        ("NVARCHAR", "INT", "INT"),
        ("JSON", "NVARCHAR(5)", "NVARCHAR"),
        ("NVARCHAR", "DATE", "DATE"),
        ("NVARCHAR", "VECTOR(3)", "VECTOR(3)"),
        ("NVARCHAR", "UNIQUEIDENTIFIER", "UNIQUEIDENTIFIER"),
        ("DATE", "DATETIMEOFFSET", "DATETIMEOFFSET"),
        ("DATE", "DATETIME2", "DATETIME2"),
        ("VECTOR(3)", "VECTOR(4)", None),
        ("DATE", "INT", None),
        ("TIME", "DATE", None),
        ("NVARCHAR", "VARBINARY", None),
        ("UNIQUEIDENTIFIER", "VARBINARY", None),
    ],
)
def test_types_meet(a: str, b: str, both: str | None) -> None:
    left, right = parse_type(a), parse_type(b)
    wanted = None if both is None else parse_type(both)
    assert meet(left, right) == wanted == meet(right, left)
    if wanted is None:
        with pytest.raises(BindFault, match="no common type"):
            common_type([left, right])
    else:
        assert common_type([types.NULL, left, right, left]) == wanted
        assert can_cast(left, wanted) and can_cast(right, wanted)


def test_implicit_is_narrower_than_explicit() -> None:
    samples = [parse_type(t) for t in (
        "BIT", "INT", "DECIMAL(5,2)", "FLOAT", "NVARCHAR", "VARBINARY", "DATE", "TIME",
        "DATETIME2", "DATETIMEOFFSET", "UNIQUEIDENTIFIER", "JSON", "VECTOR(3)",
    )]  # fmt: skip
    for source in samples:
        assert can_cast(source, source)
        for target in samples:
            assert can_convert(source, target) or not can_cast(source, target)
    assert can_cast(types.FLOAT, types.INT)  # T-SQL assigns so
    assert not can_cast(types.VARBINARY, types.NVARCHAR)
    assert can_convert(types.VARBINARY, types.NVARCHAR)
    assert not can_convert(types.INT, types.DATE)


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("1", "INT"),
        ("2147483648", "BIGINT"),
        ("9223372036854775808", "DECIMAL(19,0)"),
        ("1.50", "DECIMAL(3,2)"),
        ("0.001", "DECIMAL(3,3)"),
        ("1e0", "FLOAT"),
        ("'a'", "NVARCHAR"),
        ("0x01", "VARBINARY"),
        ("[1, 2]", "VECTOR(2)"),
    ],
)
def test_literals_have_types(text: str, type_: str) -> None:
    assert str(bind(f"SELECT {text} AS x").plan.fields[0].type) == type_


def test_literal_types_of_python_values() -> None:
    from decimal import Decimal

    assert literal_type(2**31 - 1) == types.INT and literal_type(2**31) == types.BIGINT
    assert literal_type(2**63) == Type("DECIMAL", 19, 0)
    assert literal_type(Decimal("0.05")) == Type("DECIMAL", 2, 2)
    assert literal_type(Decimal("1E+3")) == Type("DECIMAL", 4, 0)
    assert literal_type(True) == types.BIT and literal_type(None) == types.NULL
