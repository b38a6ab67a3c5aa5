"""What stops a statement stops the query of a cursor, wherever its rows are computed."""

from __future__ import annotations

import threading

import pytest

from hartonomous import hql
from hartonomous.storage.errors import Error

#: rows that come at once, and one that never comes
LONG = (
    "SELECT SUM(a.value * b.value % 7) AS n FROM GENERATE_SERIES(1, 10000000) AS a "
    "CROSS JOIN GENERATE_SERIES(1, 100000) AS b"
)


@pytest.mark.parametrize("options", ["LOCAL STATIC", "LOCAL"])
def test_a_time_limit_ends_a_cursor(options: str) -> None:
    connection = hql.connect(":memory:", timeout=0.3)
    text = f"DECLARE c CURSOR {options} FOR {LONG}; OPEN c; FETCH NEXT FROM c"
    with pytest.raises(Error) as caught:
        connection.execute(text)
    assert caught.value.code == "TIMEOUT"
    connection.session.timeout = None
    assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_cancel_ends_a_cursor_in_a_loop() -> None:
    connection = hql.connect(":memory:")
    text = f"WHILE 1 = 1 BEGIN DECLARE c CURSOR FOR {LONG}; OPEN c; FETCH NEXT FROM c END"
    timer = threading.Timer(0.3, connection.session.cancel)
    timer.start()
    with pytest.raises(Error) as caught:
        connection.execute(text)
    timer.join()
    assert caught.value.code == "CANCELLED"
    connection.execute("DEALLOCATE c")


def test_a_cursor_outlives_the_time_limit_of_its_open() -> None:
    connection = hql.connect(":memory:", timeout=60)
    connection.execute("DECLARE c CURSOR FOR SELECT value FROM GENERATE_SERIES(1, 200000); OPEN c")
    opened = connection.session.cursors["c"].opened
    assert opened is not None and opened.limits.timeout is None
    assert connection.execute("FETCH NEXT FROM c").fetchall() == [(1,)]
    connection.close()
