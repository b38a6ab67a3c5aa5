"""executemany with values that are not of their columns' types: at once, and as one by one."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.hql.changes import converted_rows
from hartonomous.storage.errors import Error

COLUMNS = (
    "b DATETIME2", "c TIME", "d DECIMAL(9, 2)", "e NVARCHAR(3)", "f INT", "g FLOAT", "h JSON",
    "i DATETIMEOFFSET", "j UNIQUEIDENTIFIER",
)  # fmt: skip
MOMENT = datetime.datetime(2024, 1, 2, 3, 4, 5)
VALUES: dict[str, list[Any]] = {
    "integers": [7, None, 2**40],
    "floats": [1.5, None, -2.25],
    "texts of numbers": ["1", " 7 ", None],
    "texts of moments": ["2024-01-02", "2024-01-02 03:04:05", None],
    "long texts": ["abcd", "x", ""],
    "decimals": [Decimal("1.5"), None, Decimal("1.234")],
    "moments": [MOMENT, None, MOMENT],
    "moments of zones": [MOMENT.replace(tzinfo=datetime.UTC), None, None],
    "times": [datetime.time(1, 2, 3), None, datetime.time(0)],
    "uuids": [uuid.UUID(int=1), None, uuid.UUID(int=2)],
    "objects": [{"a": 1}, None, {"b": [True]}],
    "several": [1, "2", 3.0],
}


def outcome(run: Any) -> str | None:
    try:
        run()
    except Error as error:
        return error.code
    return None


def test_at_once_is_as_one_by_one() -> None:
    with hql.connect() as db:
        db.execute(f"CREATE TABLE t (a INT PRIMARY KEY, {', '.join(COLUMNS)})")
        for column in COLUMNS:
            text = f"INSERT INTO t (a, {column[0]}) VALUES (?, ?)"
            for name, values in VALUES.items():
                sets = list(enumerate(values))

                def one_by_one(text: str = text, sets: Any = sets) -> None:
                    with db.transaction():
                        for given in sets:
                            db.execute(text, given)

                found = []
                for run in (lambda t=text, s=sets: db.executemany(t, s), one_by_one):
                    code = outcome(run)
                    rows = db.execute("SELECT * FROM t ORDER BY a").fetchall()
                    found.append((code, rows))
                    db.execute("DELETE FROM t")
                assert found[0] == found[1], (column, name)


def test_conversions_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int | None] = []
    insert = converted_rows.insert_converted

    def noting(*given: Any) -> int | None:
        counts.append(insert(*given))
        return counts[-1]

    monkeypatch.setattr(converted_rows, "insert_converted", noting)
    with hql.connect() as db:
        db.execute("CREATE TABLE t (id INT IDENTITY, b DATETIME2, d DECIMAL(9, 2), k INT UNIQUE)")
        rows = [("2024-01-02", i / 4, i) for i in range(2000)]
        text = "INSERT INTO t (b, d, k) VALUES (?, ?, ?)"
        cursor = db.executemany(text, rows)
        assert (cursor.rowcount, cursor.lastrowid, counts) == (2000, 2000, [2000])
        assert db.execute("SELECT SUM(d), MAX(id) FROM t").fetchone() == (
            Decimal("499750.00"),
            2000,
        )
        with pytest.raises(hql.IntegrityError):
            db.executemany(text, [("2024-01-02", 0.5, 5000), ("2024-01-02", 0.5, 7)])
        with pytest.raises(hql.DataError) as caught:
            db.executemany(text, [("2024-01-02", 0.5, 5000), ("tomorrow", 0.5, 5001)])
        assert caught.value.code == "BAD_CAST" and "tomorrow" in caught.value.message
        assert db.execute("SELECT COUNT(*) FROM t").fetchone() == (2000,)
