"""BTREE indexes and keys: what they find is what a scan finds, whatever happened to the rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from indexed_table import IndexedTable

from hartonomous import hql
from hartonomous.storage.access.ordered import (
    KeyRange,
    count_range,
    in_order,
    look_up,
    search_range,
)
from hartonomous.storage.catalog import IndexEntry

#: of each type values that are alike in their first bytes, at the ends of what there is, and equal
#: in ways that a word does not show
VALUES = {
    "a": ("INT", ["0", "1", "-1", "7", "2147483647", "-2147483648"]),
    "b": (
        "BIGINT",
        ["0", "5", "9223372036854775807", "9223372036854775806", "-9223372036854775808"]
        + ["-9223372036854775807"],
    ),
    "f": (
        "FLOAT",
        ["0e0", "-0e0", "1.5e0", "-1e300", "5e-324", "CAST('NaN' AS FLOAT)"]
        + ["CAST('Infinity' AS FLOAT)", "CAST('-Infinity' AS FLOAT)"],
    ),
    "r": ("REAL", ["0.1", "0.3", "-0.1", "16777215"]),
    "d": ("DECIMAL(12, 2)", ["1.25", "-1.25", "0", "9999999999.99"]),
    "e": (
        "DECIMAL(38, 4)",
        ["1.5", "-9223372036854775809", "9999999999999999999999999999.0001"]
        + ["9999999999999999999999999999.0002", "-9999999999999999999999999999"],
    ),
    "s": (
        "NVARCHAR(60)",
        ["''", "'a'", "'abcdefgh'", "'abcdefghi'", "'abcdefghj'", "'abcdefg'", "'äöü'", "'%_!'"]
        + ["'customer number 1'", "'customer number 2'", "'customer number'", "'😀'", "'\uffff'"],
    ),
    "n": (
        "NVARCHAR(30) COLLATE NOCASE",
        ["'Abc'", "'aBC'", "'b'", "'B'", "'ÄÖ'", "'äö'", "'Customer 1'", "'customer 2'", "'z'"],
    ),
    "x": ("VARBINARY(20)", ["0x", "0x00", "0x0000", "0xFF", "0xFFFFFFFFFFFFFFFFFF", "0x61"]),
    "t": ("BIT", ["0", "1"]),
    "u": (
        "UNIQUEIDENTIFIER",
        [f"'{i:08x}-0000-0000-0000-00000000000{j}'" for i in (0, 4294967295) for j in (1, 2)],
    ),
    "w": ("DATETIME2", ["'2020-01-01'", "'1969-12-31 23:59:59.999999'", "'9999-12-31'"]),
    "y": ("DATE", ["'2020-01-01'", "'0001-01-01'"]),
    "z": ("TIME", ["'00:00'", "'23:59:59.999999'"]),
}  # fmt: skip
INDEXES = [*([c] for c in VALUES), ["a", "s"], ["n", "b", "f"], ["t", "e"], ["y", "w", "z"]]
#: in conditions; a cast of a text is no value that an index could be asked for
PARAMETERS = {"nan": math.nan, "inf": math.inf, "less": -math.inf}
_CASTS = {"'NaN'": "@nan", "'Infinity'": "@inf", "'-Infinity'": "@less"}
#: a seed does not get smaller
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
OPERATORS = ("=", "<", "<=", ">", ">=")


def literal(random: np.random.Generator, column: str, nulls: float = 0.15) -> str:
    return "NULL" if random.random() < nulls else str(random.choice(VALUES[column][1]))


def known(random: np.random.Generator, column: str) -> str:
    value = literal(random, column, 0.05)
    return _CASTS[value[5:].split(" AS ")[0]] if value.startswith("CAST") else value


def rows(random: np.random.Generator, first: int, count: int) -> str:
    made = ([literal(random, c) for c in VALUES] for _ in range(count))
    return ", ".join(f"({first + i}, {', '.join(r)})" for i, r in enumerate(made))


def condition(random: np.random.Generator, column: str, equality: bool) -> str:
    """A condition on a column; with `equality` one that an index goes on behind."""
    value = known(random, column)
    kinds = ["=", "IN", "NULL"] if equality else ["=", "IN", "NULL", "OP", "OP", "BETWEEN", "LIKE"]
    match random.choice(kinds):
        case "=":
            return f"{column} = {value}"
        case "IN":
            others = ", ".join(known(random, column) for _ in range(int(random.integers(1, 4))))
            return f"{column} IN ({value}, {others})"
        case "NULL":
            return f"{column} IS NULL"
        case "LIKE" if column in "sn":
            start = str(random.choice(["a", "AB", "abcdefgh", "customer", "!%!_", "", "z", "ä"]))
            end = str(random.choice(["%", "", "_%", "%1"]))
            return f"{column} LIKE '{start}{end}' ESCAPE '!'"
        case "BETWEEN":
            return f"{column} BETWEEN {value} AND {known(random, column)}"
    if random.random() < 0.3:
        return f"{value} {random.choice(OPERATORS)} {column}"
    return f"{column} {random.choice(OPERATORS)} {value}"


def compare(database: hql.Connection, random: np.random.Generator, count: int) -> None:
    """Conditions through each of some indexes and without any."""
    for place in random.choice(len(INDEXES), count, replace=False).tolist():
        columns = INDEXES[place]
        deep = int(random.integers(1, len(columns) + 1))
        tests = [condition(random, c, i + 1 < deep) for i, c in enumerate(columns[:deep])]
        ask = f"SELECT id FROM t WHERE {' AND '.join(tests)} ORDER BY id"
        through = database.execute(f"{ask} OPTION (USE INDEX (ix_{place}))", PARAMETERS).fetchall()
        assert through == database.execute(f"{ask} OPTION (NO INDEX)", PARAMETERS).fetchall(), ask
    low = int(random.integers(-5, 100))
    ask = f"SELECT id FROM t WHERE id >= {low} AND id < {low + 20} ORDER BY id"
    through = database.execute(f"{ask} OPTION (USE INDEX (pk))").fetchall()
    assert through == database.execute(f"{ask} OPTION (NO INDEX)").fetchall(), ask


def compare_past(database: hql.Connection, random: np.random.Generator) -> None:
    """As compare, of the table as a commit left it, perhaps one from before there was an index."""
    hashes = [row[0].hex() for row in database.execute("SELECT Hash FROM Commits").fetchall()]
    moment = str(random.choice(hashes))
    place = int(random.integers(0, len(INDEXES)))
    test = condition(random, INDEXES[place][0], False)
    ask = f"SELECT id FROM t FOR SYSTEM_TIME AS OF COMMIT '{moment}' WHERE {test} ORDER BY id"
    through = database.execute(f"{ask} OPTION (USE INDEX (ix_{place}))", PARAMETERS).fetchall()
    assert through == database.execute(f"{ask} OPTION (NO INDEX)", PARAMETERS).fetchall(), ask


def compare_order(database: hql.Connection, random: np.random.Generator, count: int) -> None:
    """Rows by index, both ways and from a value on, against ORDER BY."""
    snapshot = database.session.database.snapshot()
    table = next(t for t in snapshot.catalog.tables() if t.name == "t")
    view = snapshot.view(table.id)
    ids = view.scan(["id"], address=True).table
    id_of = dict(zip(ids.column(1).to_pylist(), ids.column(0).to_pylist(), strict=True))
    for place in random.choice(len(INDEXES), count, replace=False).tolist():
        columns = INDEXES[place]
        entry = next(i for i in table.indexes if i.name == f"ix_{place}")
        down = bool(random.integers(0, 2))
        found = list(in_order(view, entry, descending=down, block=int(random.integers(1, 9))))
        addresses = np.concatenate([np.empty(0, np.int64), *found])
        assert len(np.unique(addresses)) == len(addresses)
        rank = ", ".join(f"{c} DESC" if down else c for c in columns)
        ask = f"SELECT id, DENSE_RANK() OVER (ORDER BY {rank}) FROM t OPTION (NO INDEX)"
        ranks = dict(database.execute(ask).fetchall())
        keys = [ranks[id_of[a]] for a in addresses.tolist()]
        assert keys == sorted(ranks.values()), (columns, down)


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(seed=st.integers(0, 1 << 32))
def test_an_index_finds_what_a_scan_finds(tmp_path_factory: Any, seed: int) -> None:
    _table(5).run(tmp_path_factory.mktemp("btree") / "a.hdb", seed, 4)


@pytest.mark.slow
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(seed=st.integers(0, 1 << 32))
def test_an_index_finds_what_a_scan_finds_for_long(tmp_path_factory: Any, seed: int) -> None:
    _table(len(INDEXES)).run(tmp_path_factory.mktemp("btree") / "a.hdb", seed, 25)


def _table(count: int) -> IndexedTable:
    """Compared through so many of the indexes."""

    def begin(database: hql.Connection, random: np.random.Generator) -> None:
        columns = ", ".join(f"{name} {type_}" for name, (type_, _) in VALUES.items())
        database.execute(f"CREATE TABLE t (id INT CONSTRAINT pk PRIMARY KEY, {columns})")
        database.execute(f"INSERT INTO t VALUES {rows(random, 0, 30)}")
        for place, names in enumerate(INDEXES):
            database.execute(f"CREATE INDEX ix_{place} ON t ({', '.join(names)})")

    def update(random: np.random.Generator) -> str:
        column = str(random.choice(list(VALUES)))
        return f"{column} = {literal(random, column)}"

    def compare_all(database: hql.Connection, random: np.random.Generator) -> None:
        compare(database, random, count)
        compare_order(database, random, min(count, 4))
        compare_past(database, random)

    def roll_back(database: hql.Connection, random: np.random.Generator) -> None:
        """Own changes are seen through the index, and gone after ROLLBACK, to a savepoint too."""
        database.execute("BEGIN TRAN")
        database.execute(f"INSERT INTO t VALUES {rows(random, 1_000_000, 5)}")
        database.execute("SAVE TRAN here")
        database.execute("DELETE FROM t WHERE id % 4 = 0")
        database.execute(f"INSERT INTO t VALUES {rows(random, 2_000_000, 3)}")
        compare(database, random, count)
        database.execute("ROLLBACK TRAN here")
        compare(database, random, count)
        database.execute("ROLLBACK")

    return IndexedTable(30, begin, rows, update, compare_all, roll_back)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_look_up_finds_all_pairs(data: st.DataObject) -> None:
    texts = st.sampled_from([None, "", "a", "ab", "shared start 1", "shared start 2", "shared"])
    keys = st.tuples(texts, st.sampled_from([None, 0, 1, -(2**63)]))
    own = data.draw(st.lists(keys, max_size=30))
    probes = data.draw(st.lists(keys, min_size=1, max_size=12))
    with hql.connect(":memory:") as database:
        database.execute("CREATE TABLE t (s NVARCHAR, b BIGINT)")
        for part in (own[: len(own) // 2], own[len(own) // 2 :]):
            if part:
                database.executemany("INSERT INTO t VALUES (?, ?)", part)
        snapshot = database.session.database.snapshot()
        table = next(t for t in snapshot.catalog.tables() if t.name == "t")
        view = snapshot.view(table.id)
        entry = IndexEntry(99, "ix", (1, 2), "BTREE")
        columns = [pa.array([p[0] for p in probes]), pa.array([p[1] for p in probes], pa.int64())]
        stored = view.scan(["s", "b"], address=True).table.to_pylist()
        for depth in (1, 2):
            which, addresses = look_up(view, entry, columns[:depth])
            found = sorted(zip(which.tolist(), addresses.tolist(), strict=True))
            assert found == sorted(
                (i, r["__address"])
                for i, p in enumerate(probes)
                for r in stored
                if None not in p[:depth] and p[:depth] == (r["s"], r["b"])[:depth]
            )
        for p in probes:
            found = search_range(view, entry, [KeyRange(p)]).tolist()
            assert found == [r["__address"] for r in stored if (r["s"], r["b"]) == p]
        low, high = (data.draw(st.sampled_from([None, 0, 1, -(2**63)])) for _ in range(2))
        opens = data.draw(st.tuples(st.booleans(), st.booleans()))
        for text in {p[0] for p in probes}:
            stretch = KeyRange((text,), low, high, *opens)
            found = search_range(view, entry, [stretch]).tolist()
            within = [r for r in stored if r["s"] == text and lies(r["b"], low, high, *opens)]
            assert found == [r["__address"] for r in within]
            assert count_range(view, entry, [stretch]) == len(found)


def lies(
    value: int | None, low: int | None, high: int | None, low_open: bool, high_open: bool
) -> bool:
    if value is None:
        return low is None and high is None
    above = low is None or value > low or (value == low and not low_open)
    return above and (high is None or value < high or (value == high and not high_open))
