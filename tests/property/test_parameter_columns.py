"""Columns of parameters at once: never another array than value by value gives, and no value let
in that would be refused there."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hartonomous.hql.changes.arrays import array_maker
from hartonomous.hql.changes.columns import bulk, columns_of
from hartonomous.hql.changes.plain_values import plain
from hartonomous.hql.parameters import named
from hartonomous.hql.types import Type, parse_type

TYPES = [
    parse_type(text)
    for text in (
        "BIT", "TINYINT", "SMALLINT", "INT", "BIGINT", "DECIMAL(9, 2)", "DECIMAL(38, 0)", "REAL",
        "FLOAT", "NVARCHAR(3)", "NVARCHAR(MAX)", "VARBINARY(3)", "VARBINARY(MAX)", "DATE",
        "DATETIME2", "UNIQUEIDENTIFIER", "VECTOR(2)", "JSON", "TIME", "GEOMETRY",
    )
]  # fmt: skip

EDGES = [0, 127, 128, -(2**15), 2**31, 2**53, 2**53 + 1, 2**63, -(2**63), 10**38, 3.5e38, -0.0]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(EDGES),
    st.floats(),
    st.decimals(),
    st.decimals(-100, 100, places=2),
    st.text(max_size=4),
    st.sampled_from(["\0", "a\0b", "\ud800", "äöüß"]),
    st.binary(max_size=4),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(datetime.UTC)),
    st.times(),
    st.uuids(),
    st.lists(st.floats(width=32), min_size=1, max_size=3).map(lambda v: np.array(v, np.float32)),
    st.lists(st.floats(), min_size=2, max_size=2).map(np.array),
)
#: mostly of one kind, as columns are
COLUMNS = st.one_of(
    st.lists(VALUES, min_size=1, max_size=4),
    st.lists(st.integers(-130, 130) | st.none(), min_size=1, max_size=4),
    st.lists(st.integers(-(2**64), 2**64) | st.none(), min_size=1, max_size=4),
    st.lists(st.floats() | st.integers() | st.sampled_from(EDGES), min_size=1, max_size=4),
    st.lists(st.decimals() | st.integers() | st.none(), min_size=1, max_size=4),
    st.lists(st.text(max_size=4) | st.none(), min_size=1, max_size=4),
    st.lists(st.binary(max_size=4) | st.none(), min_size=1, max_size=4),
    st.lists(st.dates() | st.none(), min_size=1, max_size=4),
    st.lists(st.datetimes() | st.none(), min_size=1, max_size=4),
    st.lists(st.uuids() | st.none(), min_size=1, max_size=4),
    st.lists(st.lists(st.floats(), min_size=2, max_size=2).map(np.array), min_size=1, max_size=4),
)


@given(type_=st.sampled_from(TYPES), values=COLUMNS)
def test_at_once_is_as_one_by_one(type_: Type, values: list[Any]) -> None:
    array = bulk(type_)(values)
    if array is None:
        return
    convert = plain(type_)
    one_by_one = array_maker(type_.arrow)([convert(v) for v in values])  # Unusual would be a fault
    assert array.type == one_by_one.type
    # as texts, in which NaN is NaN and -0.0 is not 0.0
    assert str(array.to_pylist()) == str(one_by_one.to_pylist())


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("INT", [1, None, 3]),
        ("FLOAT", [1, 2.5, None]),
        ("REAL", [1.5, None]),
        ("BIT", [True, None]),
        ("DECIMAL(9, 2)", [Decimal("1.5"), 2, None]),
        ("NVARCHAR(3)", ["abc", None]),
        ("VARBINARY(3)", [b"abc", None]),
        ("DATE", [datetime.date(2024, 2, 29), None]),
        ("DATETIME2", [datetime.datetime(2024, 2, 29, 1), None]),
        ("UNIQUEIDENTIFIER", [uuid.UUID(int=1), None]),
        ("VECTOR(2)", [np.zeros(2), np.ones(2)]),
    ],
)
def test_what_columns_hold_goes_at_once(type_: str, values: list[Any]) -> None:
    array = bulk(parse_type(type_))(values)
    assert array is not None
    assert array.null_count == values.count(None) if not type_.startswith("VECTOR") else True


NAMES = st.sampled_from(["a", "b", "@a", ":B", "A"])
SETS = st.one_of(
    st.lists(st.dictionaries(NAMES, st.integers(), max_size=3), min_size=1, max_size=3),
    st.lists(
        st.lists(st.integers(), max_size=2) | st.tuples(st.integers()), min_size=1, max_size=3
    ),
)


@given(names=st.lists(st.sampled_from(["a", "b", "?0", "?1"]), max_size=3), sets=SETS)
def test_values_by_parameter(names: list[str], sets: list[Any]) -> None:
    if isinstance(sets[0], dict) and len({n.lstrip("@:").lower() for n in sets[0]}) < len(sets[0]):
        return  # refused by name when it is taken apart
    columns = columns_of(names, sets)
    if columns is not None:
        for i, given_set in enumerate(sets):
            assert [column[i] for column in columns] == [named(given_set)[name] for name in names]
