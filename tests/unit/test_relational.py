"""The engine's interface: isolation, streams, limits, native calls, errors in our words."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hartonomous.hql import types
from hartonomous.hql.engine.literals import inline
from hartonomous.hql.engine.native_calls import NATIVE_CALLS, native_call_sql
from hartonomous.hql.engine.relational import Cursor, Engine, engine
from hartonomous.hql.engine.relational_errors import translate
from hartonomous.hql.errors import ExecutionFault, InternalFault, ResourceFault
from hartonomous.storage.errors import Cancelled, Error


@pytest.fixture
def cursor() -> Iterator[Cursor]:
    with engine().cursor() as made:
        yield made


def column(cursor: Cursor, sql: str, **parameters: Any) -> list[Any]:
    return cursor.stream(sql, parameters).read_all().column(0).to_pylist()  # type: ignore[no-any-return]


# --- cursors and streams -------------------------------------------------------------------------


def test_names_are_seen_by_their_cursor_only(cursor: Cursor) -> None:
    cursor.register("t", pa.table({"x": [1, 2]}))
    assert column(cursor, "SELECT x FROM t") == [1, 2]
    with engine().cursor() as other:
        other.register("t", pa.table({"x": [3]}))
        assert column(other, "SELECT x FROM t") == [3]
    assert column(cursor, "SELECT x FROM t") == [1, 2]
    cursor.unregister("t")
    with pytest.raises(InternalFault, match="t does not exist"):
        cursor.stream("SELECT x FROM t")


def test_python_variables_are_no_tables(cursor: Cursor) -> None:
    rows = pa.table({"x": [1]})
    assert rows.num_rows == 1
    with pytest.raises(InternalFault):
        cursor.stream("SELECT x FROM rows")


def test_files_are_out_of_reach(cursor: Cursor, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n")
    for sql in (
        f"SELECT * FROM '{path}'",
        f"SELECT * FROM read_csv('{path}')",
        f"COPY (SELECT 1) TO '{tmp_path}/y.csv'",
        f"ATTACH '{tmp_path}/z.db'",
        "SET enable_external_access = true",
        "SET threads = 1",
        "INSTALL httpfs",
    ):
        with pytest.raises(Error):
            cursor.stream(sql).read_all()
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_a_result_comes_in_batches_and_ends(cursor: Cursor) -> None:
    stream = cursor.stream("SELECT range AS x FROM range(10000)", batch_rows=2048)
    sizes = [batch.num_rows for batch in stream]
    assert sum(sizes) == 10_000 and max(sizes) <= 2048
    assert list(stream) == []
    assert cursor.stream("SELECT 1 AS x WHERE false").read_all().num_rows == 0


def test_a_stream_can_be_left_early(cursor: Cursor) -> None:
    stream = cursor.stream("SELECT range AS x FROM range(100000000)")
    assert stream.read_next_batch().num_rows > 0
    stream.close()
    stream.close()
    assert list(stream) == [] and stream.read_all().num_rows == 0
    assert column(cursor, "SELECT 1") == [1]


def test_a_reader_is_scanned_once(cursor: Cursor) -> None:
    table = pa.table({"x": [1, 2, 3]})
    cursor.register("t", table.to_reader())
    assert column(cursor, "SELECT sum(x)::INT FROM t") == [6]


def test_zones_are_taken_off_on_the_way_in(cursor: Cursor) -> None:
    moment = pa.array([0, None], pa.timestamp("us", "UTC"))
    for rows in (pa.table({"x": moment}), pa.table({"x": moment}).to_reader()):
        cursor.register("t", rows)
        assert column(cursor, "SELECT typeof(x) FROM t LIMIT 1") == ["TIMESTAMP"]
        cursor.unregister("t")


def test_parameters_are_put_in_as_values_never_as_text(cursor: Cursor) -> None:
    sql = "SELECT CAST($a AS VARCHAR) || '$a' AS \"$a\""
    assert inline(sql, {"a": "x'y"}) == "SELECT CAST('x''y' AS VARCHAR) || '$a' AS \"$a\""
    assert column(cursor, sql, a="x'; DROP TABLE t; --$a") == ["x'; DROP TABLE t; --$a$a"]
    with pytest.raises(KeyError):
        inline("SELECT $missing", {"a": 1})


def test_explain_and_profile_are_trees(cursor: Cursor) -> None:
    assert isinstance(cursor.explain("SELECT 1"), list)
    with pytest.raises(InternalFault):
        cursor.explain("SELECT 1 +")
    keeper = Engine(threads=1, profiles=True)
    try:
        with keeper.cursor() as measured:
            text = "SELECT count(*) FROM range(1000) WHERE range > $p"
            stream = measured.stream(text, {"p": 5})
            assert stream.read_all().num_rows == 1
            stream.close()
            (root,) = measured.profile()["operator"]
            assert root["children"][0]["intermediate_rows"] == 1
            with pytest.raises(InternalFault):
                measured.stream("SET enable_external_access = true")
    finally:
        keeper.close()


# --- limits --------------------------------------------------------------------------------------

ENDLESS = (
    "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE (a.range + b.range) % 7 = 9"
)


def test_interrupt_stops_a_running_query_from_another_thread(cursor: Cursor) -> None:
    stopped = threading.Event()

    def stop() -> None:
        while not stopped.wait(0.05):
            cursor.interrupt()

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        with pytest.raises(Cancelled) as caught:
            cursor.stream(ENDLESS).read_all()
    finally:
        stopped.set()
        thread.join()
    assert caught.value.code == "CANCELLED"
    assert column(cursor, "SELECT 1") == [1]


def test_interrupt_between_batches(cursor: Cursor) -> None:
    stream = cursor.stream("SELECT a.range + b.range AS x FROM range(100000) a, range(100000) b")
    stream.read_next_batch()
    timer = threading.Timer(0.2, cursor.interrupt)
    timer.start()
    with pytest.raises(Cancelled):
        for _ in stream:
            pass
    timer.join()


def test_memory_is_limited_and_large_sorts_spill(tmp_path: Path) -> None:
    small = Engine(threads=1, memory_bytes=64 << 20, spill_folder=str(tmp_path))
    try:
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        with small.cursor() as cursor:
            hashes = "SELECT hash(range) AS x FROM range(8000000)"
            sql = f"SELECT max(x) FROM (SELECT x FROM ({hashes}) ORDER BY x OFFSET 1)"
            assert len(column(cursor, sql)) == 1
            with pytest.raises(ResourceFault) as caught:
                cursor.stream("SELECT list(range) FROM range(200000000)").read_all()
            assert caught.value.code == "MEMORY" and caught.value.hint
            assert column(cursor, "SELECT 1") == [1]
    finally:
        small.close()
    small.close()
    assert list(tmp_path.iterdir()) == []


def test_closing_the_engine_ends_what_runs() -> None:
    own = Engine(threads=1)
    cursor = own.cursor()
    found: list[BaseException] = []

    def run() -> None:
        try:
            cursor.stream(ENDLESS).read_all()
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.2)
    own.close()
    thread.join(20)
    assert not thread.is_alive()
    assert [type(e) for e in found] == [Cancelled]


ENDINGS = {"": 0, "sys.exit(3)": 3, "raise KeyError": 1, "os.fork() or os._exit(0)": 0}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_quietly_with_everything_open(ending: str) -> None:
    code = f"""
        import os, sys
        from hartonomous.hql.engine.native_calls import NATIVE_CALLS
        from hartonomous.hql.engine.relational import engine
        import pyarrow as pa
        cursor = engine().cursor()
        cursor.register("t", pa.table({{"x": [1]}}))
        number = NATIVE_CALLS.register(lambda a: a[0])
        stream = cursor.stream("SELECT x FROM t, range(1000000)")
        stream.read_next_batch()
        {ending}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert "leaked" not in done.stderr and "nanobind" not in done.stderr, done.stderr
    assert done.returncode == ENDINGS[ending]


# --- native calls --------------------------------------------------------------------------------


def test_native_calls_get_arrays_and_nulls(cursor: Cursor) -> None:
    cursor.register("t", pa.table({"x": [1, None, 3], "s": ["a", "b", None]}))
    seen: list[list[pa.Array]] = []

    def compute(arguments: list[pa.Array]) -> pa.Array:
        seen.append(arguments)
        return arguments[0].cast(pa.float64())

    number = NATIVE_CALLS.register(compute)
    sql = native_call_sql(types.FLOAT, number, ["x", "s", "CAST(5 AS SMALLINT)"])
    assert column(cursor, f"SELECT {sql} FROM t") == [1.0, None, 3.0]
    ((x, s, five),) = seen
    assert x.to_pylist() == [1, None, 3] and s.to_pylist() == ["a", "b", None]
    assert five.type == pa.int16() and five.to_pylist() == [5, 5, 5]
    NATIVE_CALLS.release(number)
    NATIVE_CALLS.release(number)


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (types.FLOAT, [0.5, None]),
        (types.REAL, [0.5, None]),
        (types.BIGINT, [2**40, None]),
        (types.INT, [7, None]),
        (types.BIT, [True, None]),
        (types.NVARCHAR, ["é", None]),
        (types.vector(3), [2**40, None]),  # a handle
    ],
)
def test_native_calls_have_results_of_each_type(
    type_: types.Type, values: list[Any], cursor: Cursor
) -> None:
    cursor.register("t", pa.table({"x": [1, 2]}))
    arrow = pa.int64() if type_.is_wide else type_.arrow
    number = NATIVE_CALLS.register(lambda a: pa.array(values, arrow).slice(0, len(a[0])))
    sql = native_call_sql(type_, number, ["x"])
    table = cursor.stream(f"SELECT {sql} AS y, typeof({sql}) AS t FROM t").read_all()
    assert table["y"].to_pylist() == values and table["t"][0].as_py() == type_.relational


def test_a_native_call_in_a_branch_sees_only_its_rows(cursor: Cursor) -> None:
    cursor.register("t", pa.table({"x": [1, 2, 3]}))
    seen: list[int] = []

    def compute(arguments: list[pa.Array]) -> pa.Array:
        seen.extend(arguments[0].to_pylist())
        return arguments[0].cast(pa.float64())

    sql = native_call_sql(types.FLOAT, NATIVE_CALLS.register(compute), ["x"])
    column(cursor, f"SELECT CASE WHEN x > 1 THEN {sql} ELSE 0 END FROM t")
    assert sorted(set(seen)) == [2, 3]


def test_what_a_native_call_raises_comes_out_as_it_was(cursor: Cursor) -> None:
    raised = ExecutionFault("not a vector", code="BAD_VALUE", line=3, column=4, hint="do that")

    def fail(arguments: list[pa.Array]) -> pa.Array:
        raise raised

    sql = native_call_sql(types.FLOAT, NATIVE_CALLS.register(fail), ["range"])
    with pytest.raises(ExecutionFault) as caught:
        cursor.stream(f"SELECT {sql} FROM range(100000)").read_all()
    assert caught.value is raised

    def mistake(arguments: list[pa.Array]) -> pa.Array:
        raise ZeroDivisionError("ours")

    sql = native_call_sql(types.FLOAT, NATIVE_CALLS.register(mistake), ["range"])
    with pytest.raises(InternalFault, match="ours"):
        cursor.stream(f"SELECT {sql} FROM range(100000)").read_all()


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "code", "message"),
    [
        ("2147483647::INT + 1::INT", "OVERFLOW", "2147483647 + 1 overflows"),
        ("-100::TINYINT - 100::TINYINT", "OVERFLOW", "-100 - 100 overflows"),
        ("1::INT // 0::INT", "DIVISION_BY_ZERO", "division by zero"),
        ("1::DOUBLE / 0::DOUBLE", "DIVISION_BY_ZERO", "division by zero"),
        ("1.5 % 0.0", "DIVISION_BY_ZERO", "division by zero"),
        ("CAST(300 AS TINYINT)", "OVERFLOW", "300 is out of range for TINYINT"),
        ("CAST(300::DOUBLE AS DECIMAL(3,1))", "OVERFLOW", "out of range for DECIMAL(3,1)"),
        ("CAST(12345.6 AS DECIMAL(3,1))", "OVERFLOW", "12345.6 is out of range for DECIMAL(3,1)"),
        ("CAST('?1_0' AS INT)", "BAD_CAST", "'1_0' is not a value of type INT"),
        ("CAST('a''b' AS DOUBLE)", "BAD_CAST", "'a'b' is not a value of type FLOAT"),
        ("CAST('x' AS UUID)", "BAD_CAST", "'x' is not a value of type UNIQUEIDENTIFIER"),
        ("CAST('x' AS DATE)", "BAD_CAST", "'x' is not a DATE"),
        ("CAST('2026-02-30' AS TIMESTAMP)", "BAD_CAST", "'2026-02-30' is not a DATETIME2"),
        ("CAST('{' AS JSON)", "BAD_CAST", "not JSON at byte 1"),
        ("decode('\\xC3'::BLOB)", "BAD_CAST", "not UTF-8"),
        ("(SELECT range FROM range(2))", "CARDINALITY", "more than one row"),
        ("make_date(2026, 2, 30)", "BAD_VALUE", "no date 2026-2-30"),
        ("repeat('ab', 100000000000)", "OVERFLOW", "too long"),
        ("error('HQL:BAD_VALUE:7:9:a: b\nc')", "BAD_VALUE", "a: b\nc"),
        ("sqrt(-1)", "BAD_VALUE", "no square root"),
    ],
)
def test_errors_of_values_are_ours(sql: str, code: str, message: str, cursor: Cursor) -> None:
    for query in (f"SELECT {sql}", f"SELECT {sql} AS x FROM range(3) WHERE range > 1"):
        with pytest.raises(ExecutionFault) as caught:
            cursor.stream(query).read_all()
        assert caught.value.code == code and message in caught.value.message
    if "HQL:" in sql:
        assert (caught.value.line, caught.value.column) == (7, 9)


def test_an_error_in_the_middle_of_a_stream_is_ours_too(cursor: Cursor) -> None:
    boo = "error('HQL:BAD_VALUE:1:2:boo')"
    sql = f"SELECT CASE WHEN range = 3000000 THEN {boo} END FROM range(4000000)"
    stream = cursor.stream(sql)
    with pytest.raises(ExecutionFault, match="boo"):
        for _ in stream:
            pass


def test_sql_that_the_engine_refuses_is_our_mistake(cursor: Cursor) -> None:
    for sql in ("SELEC 1", "SELECT nothing", "SELECT x FROM nothing", "SELECT f(1)"):
        with pytest.raises(InternalFault) as caught:
            cursor.stream(sql)
        assert sql in (caught.value.hint or "")


def test_a_signal_that_the_engine_saw_first_is_ctrl_c() -> None:
    class Connection:
        def sql(self, text: str) -> Any:
            raise RuntimeError("Query interrupted")

    with pytest.raises(KeyboardInterrupt):
        Cursor(Connection()).stream("SELECT 1")


def test_words_decide_where_there_is_no_class() -> None:
    def no_failure(number: int) -> None:
        return None

    def code(text: str) -> str:
        return translate(OSError(text), "SELECT 1", no_failure).code

    assert code("INTERRUPT Error: Interrupted!") == "CANCELLED"
    assert code("Out of Memory Error: could not allocate block of size 1 (2/3 used)") == "MEMORY"
    assert code("IO Error: Could not write file: No space left on device") == "MEMORY"
    assert code("Conversion Error: something new") == "BAD_CAST"
    assert code("Out of Range Error: something new") == "OVERFLOW"
    assert code("Invalid Input Error: something new") == "INTERNAL"
    assert code("INTERNAL Error: assertion") == "INTERNAL"
    assert code("something else") == "INTERNAL"


# --- what branches and conditions evaluate -------------------------------------------------------


def test_conditions_guard_what_stands_after_them(cursor: Cursor) -> None:
    """The engine may reorder conditions and share expressions; it must not when they can fail."""
    count = 500_000
    cursor.register("t", pa.table({"x": [i % 3 for i in range(count)]}).cast(
        pa.schema([("x", pa.int32())])
    ))  # fmt: skip
    guarded = "SELECT count(*) FROM t WHERE x <> 0 AND 10 // x >= 5"
    assert column(cursor, guarded) == [count // 3 * 2 + 1]
    assert column(cursor, "SELECT count(*) FROM t WHERE x = 0 OR 10 // x >= 5") == [count]
    both = "CASE WHEN x <> 0 THEN 10 // x END"
    assert column(cursor, f"SELECT count({both}) + count({both} + 1) FROM t") == [666_666]
    assert column(cursor, "SELECT CASE WHEN 1 = 1 THEN 1 ELSE 1 // 0 END") == [1]
    assert column(cursor, "SELECT coalesce(1, 1 // 0)") == [1]


def test_sums_keep_their_type(cursor: Cursor) -> None:
    table = cursor.stream("SELECT CAST(sum(x) AS BIGINT) FROM (VALUES (1::BIGINT)) AS t(x)")
    assert table.read_all().column(0).type == pa.int64()
    assert column(cursor, "SELECT CAST('1.50' AS DECIMAL(5,2))") == [Decimal("1.50")]
