"""The pieces of a BTREE: words in the order of values, sorting level by level, places found in
an order, parts that are built, written and read again, blocks merged."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.operators.ranges import after
from hartonomous.kernels.btree import bisect, bisect_words, sort_rows
from hartonomous.storage.access.btree import BTREE, SortedRows
from hartonomous.storage.access.key_words import (
    NULL_WORD,
    common_start,
    is_exact,
    words_of,
    words_sought,
)
from hartonomous.storage.access.parts import KIND, ChunkIndex
from hartonomous.storage.packs import write_pack

#: values in their order
ORDERED: dict[pa.DataType, list[Any]] = {
    pa.int8(): [None, -128, -1, 0, 127],
    pa.int64(): [None, -(2**63), -(2**63) + 1, -1, 0, 2**63 - 2, 2**63 - 1],
    pa.float64(): [None, -math.inf, -1e300, -5e-324, 0.0, 5e-324, 1.0, math.inf, math.nan],
    pa.float32(): [None, -math.inf, -0.5, 0.0, 0.5, math.inf, math.nan],
    pa.bool_(): [None, False, True],
    pa.decimal128(38, 2): [
        None,
        *(Decimal(n) for n in ("-1e30", "-92233720368547758.09", "0", "0.01", "1e30")),
    ],
    pa.string(): [None, "", "\0", "a", "a\0", "abcdefgh", "abcdefgh\0", "abcdefghi", "b", "é", "𝔸"],
    pa.binary(): [None, b"", b"\0", b"\0\0", b"a", b"\xff" * 7, b"\xff" * 8, b"\xff" * 9],
    pa.binary(16): [None, b"\0" * 16, b"\0" * 15 + b"\1", b"\xff" * 15 + b"\xfe", b"\xff" * 16],
    pa.date32(): [None, date(1, 1, 1), date(1970, 1, 1), date(9999, 12, 31)],
    pa.timestamp("us"): [None, datetime(1, 1, 1), datetime(1970, 1, 1), datetime(9999, 12, 31)],
}  # fmt: skip


class Rows:
    """Columns in memory, as an index reads them."""

    def __init__(self, *columns: pa.Array) -> None:
        self.columns, self.count = columns, len(columns[0])
        self.types = tuple(c.type for c in columns)

    def batches(self, place: int) -> Any:
        yield self.columns[place]

    def take(self, place: int, offsets: Any) -> pa.Array:
        return self.columns[place].take(pa.array(offsets))

    def value(self, place: int, offset: int) -> Any:
        return self.columns[place][offset].as_py()


@pytest.mark.parametrize("type_", ORDERED, ids=str)
def test_words_have_the_order_of_values(type_: pa.DataType) -> None:
    values = ORDERED[type_]
    words = words_of(pa.array(values, type_))
    assert (words[1:] >= words[:-1]).all() and words[0] == NULL_WORD
    assert (words[1:] > NULL_WORD).all()
    exact = is_exact(words, type_)
    # an exact word is no other value's
    assert all(exact[i] <= (np.count_nonzero(words == words[i]) == 1) for i in range(len(words)))
    assert exact[1:].any() or type_ in (pa.string(), pa.binary(), pa.binary(16))


@pytest.mark.parametrize("type_", ORDERED, ids=str)
def test_values_are_found_between_others(type_: pa.DataType) -> None:
    """With every value twice, in no order, in a slice of an array; one by one and at once."""
    values = ORDERED[type_]
    doubled = pa.array([values[0], *values, *values[::-1]], type_).slice(1)
    rows = Rows(doubled)
    part = BTREE.build(rows)
    count = len(doubled)
    each = [(pa.array([v], type_), [place]) for place, v in enumerate(values)]
    for sought, places in ((pa.array(values, type_), list(range(len(values)))), *each):
        everywhere = np.zeros(len(sought), np.int64), np.full(len(sought), count)
        first, last = part.span(rows, 0, sought, *everywhere)
        assert first.tolist() == [2 * p for p in places]
        assert last.tolist() == [2 * p + 2 for p in places]
        for right, wanted in ((False, first), (True, last)):
            found = part.bound(rows, 0, sought, *everywhere, right=right)
            assert found.tolist() == wanted.tolist()
    assert BTREE.check(part, rows) is None


def test_minus_zero_and_nan_are_one() -> None:
    words = words_of(pa.array([-0.0, 0.0, math.nan, -math.nan]))
    assert words[0] == words[1] and words[2] == words[3]


def test_words_leave_out_what_all_texts_begin_with() -> None:
    texts = pa.array(["customer number 17", "customer number 2", None])
    start = common_start([texts])
    assert start == b"customer number "
    words = words_of(texts, start)
    assert words[2] == NULL_WORD and words[0] < words[1]
    strangers = pa.array(["", "customer", "customer number 1", "customer number 3", "d", None])
    at_once = words_sought(strangers, start)
    assert (at_once[:3] < words[1]).all() and (at_once[3:5] > words[1]).all()
    one_by_one = [int(words_sought(strangers.slice(i, 1), start)[0]) for i in range(6)]
    assert at_once.tolist() == one_by_one


def test_sorting_asks_later_levels_of_equal_rows_only() -> None:
    asked: list[list[int] | None] = []

    def level(values: list[int]) -> Callable[[Any], Any]:
        def words(rows: Any) -> Any:
            asked.append(None if rows is None else rows.tolist())
            return np.array(values if rows is None else [values[r] for r in rows])

        return words

    order, same = sort_rows(5, [level([3, 1, 3, 2, 3]), level([9, 0, 8, 0, 9]), level([0] * 5)])
    assert order is not None and order.tolist() == [1, 3, 2, 0, 4]
    assert same.tolist() == [False, False, False, True]
    assert asked == [None, [0, 2, 4], [0, 4]]
    assert sort_rows(3, [level([1, 2, 2]), level([0, 4, 5])])[0] is None


def test_bisecting_stretches_of_many_queries() -> None:
    random = np.random.default_rng(3)
    words = np.sort(random.integers(0, 9, 50))
    low = random.integers(0, 50, 40)
    high = low + random.integers(0, 51 - low)
    wanted = random.integers(-1, 11, 40)
    for right in (False, True):
        side = "right" if right else "left"
        expected = [
            a + int(np.searchsorted(words[a:b], w, side))
            for a, b, w in zip(low.tolist(), high.tolist(), wanted.tolist(), strict=True)
        ]
        assert bisect_words(words, wanted, low, high, right=right).tolist() == expected
    assert bisect(lambda places, _: places < 7, np.array([0, 9]), np.array([50, 20])).tolist() == [
        7,
        9,
    ]


@pytest.mark.parametrize("count", [0, 1, 300])
def test_a_part_is_read_as_it_was_written(count: int) -> None:
    random = np.random.default_rng(count)
    numbers = pa.array(random.integers(0, 5, count))
    names = pa.array([f"name {i}" for i in random.integers(0, 40, count)], pa.string())
    rows = Rows(numbers, names)
    part = BTREE.build(rows)
    again = BTREE.open(part.arrays())
    assert again.rows(0, count).tolist() == part.rows(0, count).tolist()
    keys = list(zip(*(c.to_pylist() for c in rows.columns), range(count), strict=True))
    assert [keys[i] for i in part.rows(0, count)] == sorted(keys)
    assert BTREE.check(again, rows) is None


def test_rows_in_order_keep_no_offsets() -> None:
    assert set(BTREE.build(Rows(pa.array([1, 1, 5]))).arrays()) == {"words.0", "start.0"}


@pytest.mark.parametrize(
    "change",
    [
        {"words.0": np.zeros(3, np.int64)},
        {"words.0": np.zeros(2, np.int32)},
        {"order": np.array([0, 2], np.uint32)},
        {"order": np.array([0], np.uint32)},
        {"more": np.zeros(1, np.int64)},
    ],
    ids=str,
)
def test_arrays_that_are_no_part(change: dict[str, Any]) -> None:
    rows = Rows(pa.array([5, 1]), pa.array(["b", "a"]))
    with pytest.raises(ValueError):
        BTREE.open(BTREE.build(rows).arrays() | change)


def test_the_least_text_after_all_that_begin_so() -> None:
    assert after("abc") == "abd"
    assert after("a\U0010ffff") == "b"
    assert after("\ud7ff") == "\ue000"
    assert after("\U0010ffff") is None and after("") is None


# --- VERIFY --------------------------------------------------------------------------------------

DAMAGES: dict[str, tuple[Callable[[SortedRows], SortedRows], str]] = {
    "swapped": (
        lambda p: SortedRows(p.words, p.starts, order_of(p)[::-1].astype(np.uint32)),
        "rows in another order",
    ),
    "moved": (
        lambda p: SortedRows([p.words[0] + 1, p.words[1]], p.starts, p.order),
        "another key for row",
    ),
    "start": (lambda p: SortedRows(p.words, [b"", b"x"], p.order), "other keys"),
    "shorter": (
        lambda p: SortedRows([w[:-1] for w in p.words], p.starts, np.arange(3, dtype=np.uint32)),
        "3 rows instead of 4",
    ),
}


def order_of(part: SortedRows) -> Any:
    assert part.order is not None
    return part.order


def filled(place: str | Path) -> Connection:
    database = hql.connect(place)
    database.execute("CREATE TABLE t (a INT, s NVARCHAR(20))")
    database.execute("INSERT INTO t VALUES (3, 'c'), (1, 'a'), (NULL, 'x'), (1, 'b')")
    database.execute("CREATE INDEX ix ON t (a, s)")
    return database


def part_of(database: Connection) -> ChunkIndex:
    state = database.session.database.snapshot().state
    ((chunk,),) = (table.chunks for table in state.tables.values() if table.chunks)
    (found,) = chunk.indexes.values()
    return found


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_names_a_part_that_was_altered(damage: str, tmp_path: Path) -> None:
    alter, words = DAMAGES[damage]
    with filled(tmp_path / "a.hdb") as database:
        assert database.execute("VERIFY DATABASE").fetchall() == []
        part = part_of(database)
        assert isinstance(part._part, SortedRows)
        altered = alter(part._part)
        database.execute("CHECKPOINT")
        objects = database.session.database.objects
        assert objects is not None
        part.stored = write_pack(objects, KIND, altered.arrays())
        ((what, where, _, found),) = database.execute("VERIFY DATABASE").fetchall()
        assert (what, where) == ("index", 'table "t", index "ix"') and words in found


def refuse(*_: object) -> None:
    raise AssertionError("built again")


def test_reopening_reads_the_index_and_builds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled(tmp_path / "a.hdb") as database:
        database.execute("CHECKPOINT")

    monkeypatch.setattr(type(BTREE), "build", refuse)
    with hql.connect(tmp_path / "a.hdb") as database:
        ask = "SELECT s FROM t WHERE a = 1 AND s > 'a' OPTION (USE INDEX (ix))"
        assert database.execute(ask).fetchall() == [("b",)]


def test_the_order_of_a_key_is_kept_once_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = "SELECT s FROM t WHERE s > 'b' AND s < 'd' OPTION (USE INDEX (pk))"
    with hql.connect(tmp_path / "a.hdb") as database:
        database.execute("CREATE TABLE t (s NVARCHAR(20) CONSTRAINT pk PRIMARY KEY)")
        database.execute("INSERT INTO t VALUES ('c'), ('a'), ('e'), ('b')")
        assert database.execute(ask).fetchall() == [("c",)]
        database.execute("CHECKPOINT")
    with monkeypatch.context() as patch:
        patch.setattr(type(BTREE), "build", refuse)
        with hql.connect(tmp_path / "a.hdb") as database:
            assert database.execute(ask).fetchall() == [("c",)]
            database.execute("INSERT INTO t VALUES ('0'), ('1'), ('2'), ('3'), ('4'), ('5')")
    with hql.connect(tmp_path / "a.hdb") as database:
        database.execute("CHECKPOINT")
        assert database.execute(ask).fetchall() == [("c",)]
        assert database.execute("VERIFY DATABASE").fetchall() == []


def test_searches_are_counted_and_shown() -> None:
    with hql.connect(":memory:") as database:
        database.execute("CREATE TABLE t (a INT, s NVARCHAR(20))")
        database.execute("INSERT INTO t SELECT value % 1000, 'x' FROM GENERATE_SERIES(1, 5000)")
        database.execute("CREATE INDEX ix ON t (a)")
        lines = database.execute("EXPLAIN ANALYZE SELECT s FROM t WHERE a = 7").fetchall()
        assert "index ix (a)" in lines[-2][0] and "5 index entries" in lines[-2][0]
        database.execute("SELECT s FROM t WHERE a = 8").fetchall()
        ask = "SELECT searches, bytes FROM sys.indexes WHERE name = 'ix'"
        assert database.execute(ask).fetchall() == [(2, 5000 * 12)]
