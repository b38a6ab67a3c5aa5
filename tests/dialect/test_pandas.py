"""pandas through the dialect: to_sql, read_sql."""

from __future__ import annotations

import datetime

import pytest
import sqlalchemy as sa

pandas = pytest.importorskip("pandas")


def test_round_trip() -> None:
    frame = pandas.DataFrame(
        {
            "name": ["a", "b", None],
            "number": [1, 2, 3],
            "ratio": [0.5, None, 2.5],
            "is_new": [True, False, True],
            "at": pandas.to_datetime(["2026-01-01 10:00", "2026-01-02 00:00", None]),
            "day": [datetime.date(2026, 1, 1)] * 3,
        }
    )
    engine = sa.create_engine("hql://")
    assert frame.to_sql("t", engine, index=False) == 3
    back = pandas.read_sql("SELECT * FROM t ORDER BY number", engine)
    pandas.testing.assert_frame_equal(back, frame, check_dtype=False)
    frame.to_sql("t", engine, index=False, if_exists="append")
    frame.to_sql("u", engine, index_label="place", if_exists="replace", method="multi")
    assert pandas.read_sql_table("u", engine, index_col="place").index.tolist() == [0, 1, 2]
    wanted = sa.text("SELECT COUNT(*) AS n FROM t WHERE number > :least")
    assert pandas.read_sql(wanted, engine, params={"least": 1})["n"].tolist() == [4]
    with pytest.raises(ValueError, match="already exists"):
        frame.to_sql("t", engine)
    parts = pandas.read_sql("SELECT number FROM t", engine, chunksize=4)
    assert [len(part) for part in parts] == [4, 2]


def test_many_rows() -> None:
    engine = sa.create_engine("hql://")
    frame = pandas.DataFrame({"id": range(20_000), "text": [f"row {n}" for n in range(20_000)]})
    frame.to_sql("t", engine, index=False)
    back = pandas.read_sql("SELECT COUNT(*) AS n, MAX(text) AS last FROM t", engine)
    assert back.iloc[0].tolist() == [20_000, "row 9999"]
