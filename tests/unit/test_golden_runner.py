"""The golden runner sees what it should see: wrong answers, missing errors, twists that bite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from golden_format import comparable, is_ordered
from golden_hooks import one_row_batches
from golden_runner import Runner

from hartonomous import hql
from hartonomous.hql.syntax.printer import print_node
from hartonomous.storage.table import TableView

Run = Callable[..., str]

SCRIPT = """\
# rows, sorted where no order is promised
> CREATE TABLE t (id INT PRIMARY KEY, x FLOAT, s NVARCHAR(10));
> INSERT INTO t VALUES (2, 0.333333333333, ''), (1, NULL, 'one');
[types]> SELECT * FROM t;
> SELECT id FROM t ORDER BY id
  DESC;
----
2 rows
id INT, x FLOAT, s NVARCHAR(10)
1 | NULL | one
2 | 0.333333 | ''
2
1

b> BEGIN TRAN;
b> DELETE FROM t;
> SELECT COUNT(*) FROM t;
b> ROLLBACK;
!> SELECT y FROM t;
----
b: 2 rows
2
UNKNOWN_COLUMN: there is no column "y" (line 1, column 8)
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(script: str, twist: str = "none") -> str:
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        with Runner(folder, twist) as runner:
            return runner.script(script)

    return call


@pytest.mark.parametrize("twist", ["none", "reparse", "reopen", "batch1", "norules"])
def test_answers(run: Run, twist: str) -> None:
    assert comparable(run(SCRIPT, twist), twist) == comparable(SCRIPT, twist)


def test_an_error_must_be_announced(run: Run) -> None:
    with pytest.raises(AssertionError, match="unexpected UNKNOWN_TABLE"):
        run("> SELECT * FROM nowhere;\n----\n")
    with pytest.raises(AssertionError, match="no error from"):
        run("!> SELECT 1 AS a;\n----\n")


def test_an_unknown_line_is_refused(run: Run) -> None:
    for line in ("SELECT 1", "@frobnicate", "[colour]> SELECT 1"):
        with pytest.raises(AssertionError):
            run(f"{line}\n----\n")


def test_a_crash_keeps_what_was_acknowledged(run: Run) -> None:
    script = """\
> CREATE TABLE t (a INT);
> INSERT INTO t VALUES (1);
b> BEGIN TRAN;
b> INSERT INTO t VALUES (2);
@crash
> SELECT a FROM t;
----
"""
    assert run(script).endswith("----\n1 rows\nb: 1 rows\n1\n")


def test_rules_off_changes_plans(run: Run) -> None:
    make = "> CREATE TABLE t (a INT, b INT);\n> INSERT INTO t VALUES (1, 2);\n----\n\n"
    ask = "[plan]> SELECT a FROM t WHERE a > 5;\n----\n"
    usual, plain = run(make + ask), run(f"{make}@set rules=off\n----\n\n{ask}")
    assert "ranges" in usual and "ranges" not in plain


def test_batches_of_one_row(run: Run) -> None:
    sizes: set[int] = set()
    with one_row_batches():
        cut = TableView.scan

        def watched(self: TableView, *args: Any, **kwargs: Any) -> Any:
            result = cut(self, *args, **kwargs)
            sizes.update(batch.num_rows for batch in result.table.to_batches())
            return result

        with mock.patch.object(TableView, "scan", watched):
            run(SCRIPT)
    assert sizes == {1}


def test_reparse_finds_a_printer_that_changes_meaning(run: Run) -> None:
    def wrong(node: object) -> str:
        return print_node(node).replace("DESC", "ASC")

    with (
        mock.patch("hartonomous.hql.syntax.printer.print_node", wrong),
        pytest.raises(AssertionError, match="printing changes the meaning"),
    ):
        run(SCRIPT, "reparse")


def test_reopen_opens_for_every_statement(run: Run) -> None:
    with mock.patch.object(hql, "connect", wraps=hql.connect) as connect:
        run("> CREATE TABLE t (a INT);\n> SELECT a FROM t;\n> SELECT a FROM t;\n----\n", "reopen")
    assert connect.call_count == 3


def test_order_by_of_the_outermost_query() -> None:
    assert is_ordered("SELECT a FROM t ORDER  BY a")
    assert is_ordered("SELECT a FROM (SELECT 1 AS a) AS t ORDER BY a OFFSET 1 ROWS")
    assert not is_ordered("SELECT ROW_NUMBER() OVER (ORDER BY a) FROM t")
    assert not is_ordered("SELECT 'ORDER BY' AS [ORDER BY] FROM t -- ORDER BY a")
