"""Results that are still being read when something ends them: half a result never looks whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.storage.errors import Cancelled, Error

ROWS = 400_000
TEXT = f"SELECT value AS a FROM GENERATE_SERIES(1, {ROWS})"


def close_connection(db: Any, cursor: Any) -> None:
    db.close()


def close_cursor(db: Any, cursor: Any) -> None:
    cursor.close()


def run_again(db: Any, cursor: Any) -> None:
    cursor.execute("SELECT 1")


def next_set(db: Any, cursor: Any) -> None:
    cursor.nextset()


ENDS = [close_connection, close_cursor, run_again, next_set]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("taken", [0, 1])
def test_a_reader_whose_result_ends(end: Callable[[Any, Any], None], taken: int) -> None:
    db = hql.connect()
    cursor = db.execute(TEXT)
    reader = cursor.fetch_record_batches()
    for _ in range(taken):
        assert reader.read_next_batch().num_rows
    end(db, cursor)
    with pytest.raises(Error):
        while True:
            reader.read_next_batch()
    db.close()


def test_a_result_that_was_read_to_its_end_may_be_closed() -> None:
    with hql.connect() as db:
        cursor = db.execute(TEXT)
        reader = cursor.fetch_record_batches()
        assert reader.read_all().num_rows == ROWS
        cursor.close()
        with pytest.raises(StopIteration):
            reader.read_next_batch()
        empty = db.execute(TEXT + " WHERE value < 0").fetch_record_batches()
        assert empty.read_all().num_rows == 0


def test_a_stream_into_the_same_connection() -> None:
    """What a stream feeds sees the rows from before, all of them."""
    with hql.connect() as db:
        db.execute(f"CREATE TABLE t (a INT); INSERT INTO t {TEXT}")
        rows = db.execute("SELECT a FROM t").fetch_record_batches()
        assert db.execute("INSERT INTO t SELECT a FROM @rows", {"rows": rows}).rowcount == ROWS
        assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(2 * ROWS,)]


def test_the_error_says_what_happened() -> None:
    with hql.connect() as db:
        cursor = db.execute(TEXT)
        reader = cursor.fetch_record_batches()
        reader.read_next_batch()
        cursor.close()
        with pytest.raises(Cancelled, match="closed before all its rows were read"):
            reader.read_all()
