"""COPY of files longer than one read: no block's end may cut a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from hartonomous import hql

ROWS = 250_000
LINES = {
    "csv": ("a,b,c,d,e\n", '{0},"text {0}, with a comma",{0},{0},{0}\n'),
    "json": ("", '{{"a": {0}, "b": "text {0}, with a comma", "c": 1, "d": 2, "e": 3}}\n'),
}


@pytest.mark.parametrize("form", LINES)
def test_every_record_arrives(form: str, tmp_path: Path) -> None:
    header, line = LINES[form]
    path = tmp_path / f"large.{form}"
    path.write_text(header + "".join(line.format(n) for n in range(ROWS)), encoding="utf-8")
    assert path.stat().st_size > 10 << 20
    with hql.connect(":memory:") as database:
        database.execute("CREATE TABLE t (a INT, b TEXT, c INT, d INT, e INT)")
        assert database.execute(f"COPY t FROM '{path}'").rowcount == ROWS
        answer = database.execute("SELECT COUNT(*), SUM(a), MIN(b), MAX(b) FROM t").fetchall()
    first, last = "text 0, with a comma", "text 99999, with a comma"
    assert answer == [(ROWS, ROWS * (ROWS - 1) // 2, first, last)]
