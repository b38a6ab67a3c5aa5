"""What differs between any two moments of a table is what comparing all its rows finds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.store_tools import address_of, commit, content, entry, rows

from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.database import Database
from hartonomous.storage.differences import NOWHERE, Moment, differences
from hartonomous.storage.row_equality import equal_values

ids = st.integers(0, 5)
steps = st.lists(
    st.tuples(st.sampled_from(["put", "put", "delete"]), ids, st.sampled_from("xyz")),
    min_size=1,
    max_size=4,
)


def versions(database: Database, table_id: int) -> dict[int, tuple[object, ...]]:
    view = database.snapshot().view(table_id)
    found = view.scan(["id", "name"], row_id=True).table.to_pydict()
    return dict(zip(found["__row_id"], zip(found["id"], found["name"], strict=True), strict=True))


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, min_size=2, max_size=12), st.data())
def test_differences_are_what_comparing_all_rows_finds(
    history: list[list[tuple[str, int, str]]], data: st.DataObject
) -> None:
    database = Database.open(None)
    transaction = database.begin()
    table = transaction.create(entry())
    assert isinstance(table, TableEntry)
    commit(transaction)
    moments = []
    for statements in history:
        transaction = database.begin()
        for verb, number, letter in statements:
            there = {row[0] for row in content(transaction, table)}
            new = rows((number, f"{letter}{number}"))
            if verb == "delete" and number in there:
                transaction.delete(table.id, address_of(transaction, table, number))
            elif verb == "put" and number in there:
                transaction.update(table.id, address_of(transaction, table, number), new)
            elif verb == "put":
                transaction.insert(table.id, new)
        transaction.commit(statement="step", author="tester")
        moments.append((database.published.sequence, versions(database, table.id)))
    last = database.published.table(table.id)
    first, second = (data.draw(st.sampled_from(moments)) for _ in range(2))
    common = min(first[0], second[0])
    found = differences(Moment.of(last, first[0]), Moment.of(last, second[0]), common)
    found = found.really([(c, c) for c in table.stored])
    view = found.view(table)

    def shown(places: np.ndarray) -> dict[int, tuple[object, ...]]:
        there = places != NOWHERE
        columns = [view.gather(n, places[there]).to_pylist() for n in ("id", "name")]
        return dict(zip(found.row_ids[there].tolist(), zip(*columns, strict=True), strict=True))

    before, after = first[1], second[1]
    assert shown(found.before) == {i: r for i, r in before.items() if after.get(i) != r}
    assert shown(found.after) == {i: r for i, r in after.items() if before.get(i) != r}


def test_values_of_every_kind_are_compared() -> None:
    point = {"kind": 1, "radius": 0.0, "srid": 0, "rings": [], "coords": [[1.0, 2.0, 3.0]]}
    moved = {**point, "coords": [[1.0, 2.0, 4.0]]}
    longer = {**point, "coords": [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]}
    kinds = pa.struct(
        [
            ("kind", pa.int8()),
            ("radius", pa.float64()),
            ("srid", pa.int32()),
            ("rings", pa.list_(pa.int32())),
            ("coords", pa.list_(pa.list_(pa.float64(), 3))),
        ]
    )
    left = pa.array([point, point, point, None, None, longer], kinds)
    right = pa.array([point, moved, longer, None, point, longer], kinds)
    assert equal_values(left, right).tolist() == [True, False, False, True, False, True]
    vectors = pa.list_(pa.float32(), 2)
    nan = float("nan")
    left = pa.array([[1, 2], [1, nan], [0.0, 1], None], vectors)
    right = pa.array([[1, 2], [1, nan], [-0.0, 1], [1, 2]], vectors)
    assert equal_values(left, right).tolist() == [True, True, False, False]
    assert equal_values(left.slice(1, 2), right.slice(1, 2)).tolist() == [True, False]
    texts = pa.array(["a", None, "b"]), pa.array(["a", "", "c"])
    assert equal_values(*texts).tolist() == [True, False, False]
