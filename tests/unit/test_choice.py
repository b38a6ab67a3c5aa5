"""Which way a scan takes when it runs: what indexes count, what statistics say, what it costs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from query_world import World

from hartonomous.hql.explain import explain
from hartonomous.hql.limits import Limits
from hartonomous.hql.statistics.kept import statistics_of
from hartonomous.hql.statistics.selectivity import share_within
from hartonomous.hql.types import INT
from hartonomous.storage.catalog import IndexEntry, TableEntry
from hartonomous.storage.ranges import ColumnRange

ROWS = 300_000


@pytest.fixture(scope="module")
def world() -> World:
    """`big` (id; a: 1000 values, b: 10, late: 1 in the last rows alone, name) with indexes on a, b
    and (b, a), and `small` (id, ref, kind) of 3,000 rows."""
    made = World()
    ids = np.arange(ROWS, dtype=np.int32)
    random = np.random.default_rng(1)
    a, b = random.integers(0, 1000, ROWS), random.integers(0, 10, ROWS)
    late = (ids >= ROWS - 3000).astype(np.int32)
    columns = {"id": "INT", "a": "INT", "b": "INT", "late": "INT"}
    big = made.create("big", columns, [ids, a.astype(np.int32), b.astype(np.int32), late], "id")
    on = {"ix_a": (2,), "ix_b": (3,), "ix_ba": (3, 2)}
    indexes = [IndexEntry(91 + n, name, on[name], "BTREE") for n, name in enumerate(on)]
    made.source.replace(replace(find(made, big), indexes=tuple(indexes), next_id=99))
    small = [list(range(3000)), [i * 97 for i in range(3000)], [i % 300 for i in range(3000)]]
    made.create("small", {"id": "INT", "ref": "BIGINT", "kind": "INT"}, small, "id")
    return made


def find(world: World, table: TableEntry) -> TableEntry:
    found = world.source.catalog.find(table.schema, table.name)
    assert isinstance(found, TableEntry)
    return found


def entries(
    world: World, text: str, table: str = "big", parameters: Mapping[str, Any] | None = None
) -> int | None:
    """How many entries of an index the scan of a table read when the query ran; None if none."""
    types = {name: INT for name in parameters or {}}
    prepared = world.prepare(text, types=types)
    lines = explain(prepared, world.source, parameters or {}, Limits(), analyze=True)
    line = next(x for x in lines if f"scan {table}" in x)
    match = re.search(r"([\d,]+) index entries", line)
    return None if match is None else int(match[1].replace(",", ""))


def test_an_index_is_used_as_long_as_it_finds_few(world: World) -> None:
    query = "SELECT SUM(late) FROM big WHERE a BETWEEN 5 AND @n"
    for last in (5, 6, 20):
        found = entries(world, query, parameters={"n": last})
        assert found is not None and abs(found / (ROWS / 1000 * (last - 4)) - 1) < 0.3
    assert entries(world, query, parameters={"n": 900}) is None


def test_of_two_indexes_the_one_with_fewer_rows(world: World) -> None:
    query = "SELECT COUNT(late) FROM big WHERE a >= @a AND b >= @b"
    assert (entries(world, query, parameters={"a": 995, "b": 0}) or 0) < 2000
    assert (entries(world, query, parameters={"a": 0, "b": 10}) or 0) == 0
    found = entries(world, "SELECT COUNT(late) FROM big WHERE a = 7 AND b = 3")
    assert found is not None and found < 60  # both columns at once


def test_rows_that_match_few_rows_are_looked_up(world: World) -> None:
    by_key = "SELECT SUM(g.late) FROM small s JOIN big g ON g.id = s.ref WHERE {}"
    assert entries(world, by_key.format("s.id = 5")) == 1
    assert entries(world, by_key.format("s.kind = 7")) == 10
    many = "SELECT SUM(g.late) FROM big s JOIN big g ON g.id = s.a WHERE s.late = 0"
    assert entries(world, many, "big as g") is None
    by_index = "SELECT SUM(g.late) FROM small s JOIN big g ON g.a = s.kind WHERE {}"
    found = entries(world, by_index.format("s.id = 5"))
    assert found is not None and 200 < found < 420  # one value of a thousand
    assert entries(world, by_index.format("s.id < 2000")) is None


def test_a_chain_begins_at_its_few_rows(world: World) -> None:
    text = (
        "SELECT SUM(h.late) FROM small s JOIN big g ON g.id = s.ref JOIN big h ON h.id = g.a"
        " WHERE s.id = 9"
    )
    assert entries(world, text, "big as g") == 1 and entries(world, text, "big as h") == 1


def test_first_rows_are_read_off_an_index(world: World) -> None:
    assert entries(world, "SELECT TOP (3) id, b FROM big ORDER BY id DESC") == 16
    assert (entries(world, "SELECT TOP (3) id FROM big WHERE late = 0 ORDER BY a, id") or 0) < 1000
    # every row would have to be seen, as none passes
    assert entries(world, "SELECT TOP (3) id FROM big WHERE late = 5 ORDER BY a, id") is None
    # more rows than sorting costs
    assert entries(world, "SELECT TOP (200000) id, b, late FROM big ORDER BY a, id") is None


def test_a_walk_that_finds_nothing_is_given_up(world: World) -> None:
    """One in a hundred rows passes, but those lie at the far end of the order."""
    text = "SELECT TOP (3) id FROM big WHERE late = 1 ORDER BY id"
    assert entries(world, text) is None
    backwards = entries(world, text + " DESC")
    assert backwards is not None and backwards < 100
    assert world.rows(text) == [(ROWS - 3000,), (ROWS - 2999,), (ROWS - 2998,)]


def test_a_walk_along_many_rows_that_tie_is_not_begun(world: World) -> None:
    """A tenth of all rows has the first b: what the ties cost counts, too."""

    def searches() -> int:
        return sum(i.searches[0] for i in find_table(world, "big").indexes)

    before = searches()
    assert entries(world, "SELECT TOP (5) id FROM big ORDER BY b, late") is None
    assert searches() == before
    found = entries(world, "SELECT TOP (5) id FROM big ORDER BY a, late")
    assert found is not None and found < ROWS / 100
    assert searches() == before + 1


def test_a_walk_along_rows_that_tie_against_expectation_is_given_up() -> None:
    """Half of all rows have the first value, the others differ: on average two tie."""
    world, half = World(), ROWS // 2
    values = np.maximum(np.arange(ROWS, dtype=np.int32) - half, 0)
    ids = np.arange(ROWS, dtype=np.int32)
    table = world.create("skewed", {"id": "INT", "v": "INT"}, [ids, values], "id")
    index = IndexEntry(91, "ix_v", (2,), "BTREE")
    world.source.replace(replace(find(world, table), indexes=(index,), next_id=99))
    assert entries(world, "SELECT TOP (5) id FROM skewed ORDER BY v, id DESC", "skewed") is None
    assert index.searches[0] == 1, "it was tried"
    found = entries(world, "SELECT TOP (5) id FROM skewed ORDER BY v DESC, id", "skewed")
    assert found is not None and found < 100


def test_shares_of_several_columns_are_combined_with_care(world: World) -> None:
    view = world.source.view(find_table(world, "big").id)
    known = statistics_of(view, world.database)
    one, ten = ColumnRange("a", 3, 3), ColumnRange("b", 1, 1)
    assert share_within([one], view, known) == pytest.approx(0.001, rel=0.5)
    assert share_within([ten], view, known) == pytest.approx(0.1, rel=0.1)
    assert share_within([one, ten], view, known) == pytest.approx(0.001 * 0.1**0.5, rel=0.5)
    ends = [ColumnRange("a", low=100), ColumnRange("a", high=199), ColumnRange("a", high=500)]
    assert share_within(ends, view, known) == pytest.approx(0.1, rel=0.1)
    some = ColumnRange("b", values=(1, 2, 77))
    assert share_within([some], view, known) == pytest.approx(0.2, rel=0.1)
    assert share_within([ColumnRange("b", is_null=True)], view, known) < 0.001
    assert share_within([one, ten], view, None) < 0.01 and share_within([], view, None) == 1.0


def find_table(world: World, name: str) -> TableEntry:
    found = world.source.catalog.find("dbo", name)
    assert isinstance(found, TableEntry)
    return found
