"""Tables on a terminal: boxes, widths, expanded view; and the other formats."""

from __future__ import annotations

import pyarrow as pa
import pytest
from shells import TestShell

WIDE = "SELECT 123456 AS number, REPLICATE('ab ', 30) AS one, REPLICATE('xyz', 40) AS two"


def test_a_box() -> None:
    shell = TestShell()
    assert shell.lines("SELECT 1 AS id, 'Ada' AS name UNION ALL SELECT 22, NULL ORDER BY id") == [
        "┌────┬──────┐",
        "│ id │ name │",
        "├────┼──────┤",
        "│  1 │ Ada  │",
        "│ 22 │ NULL │",
        "└────┴──────┘",
        "(2 rows)",
    ]
    assert shell.lines("SELECT 1 AS a WHERE 1 = 0") == [
        *("┌───┐", "│ a │", "├───┤", "└───┘", "(0 rows)"),
    ]


def test_borders_and_ascii() -> None:
    shell = TestShell(has_unicode=False)
    shell.settings.border = 1
    assert shell.lines("SELECT 1 AS a, 2 AS b") == [" a | b", "---+---", " 1 | 2", "(1 row)"]
    shell.settings.border = 0
    assert shell.lines("SELECT 1 AS a, 2 AS b") == ["a  b", "-  -", "1  2", "(1 row)"]
    shell.settings.border = 2
    assert shell.lines("SELECT 1 AS a")[0] == "+---+"


@pytest.mark.parametrize("overflow", ["cut", "wrap"])
@pytest.mark.parametrize("columns", [40, 60, 100])
def test_tables_fit_and_numbers_are_whole(overflow: str, columns: int) -> None:
    shell = TestShell(columns=columns)
    shell.settings.overflow = overflow
    lines = shell.lines(WIDE)
    assert max(map(len, lines)) == columns
    assert any("│ 123456 │" in line for line in lines)
    whole = "".join(line.split("│")[-2].strip() for line in lines[3:-2])
    assert (whole == "xyz" * 40) == (overflow == "wrap")
    assert ("…" in whole) == (overflow == "cut")


def test_what_is_to_be_scrolled_stays_wide() -> None:
    shell = TestShell(columns=40)
    shell.settings.overflow = "scroll"
    assert "xyz" * 40 in shell.shown(WIDE)
    # nothing stands beside a column on its own
    shell.settings.overflow = "cut"
    assert "xyz" * 40 in shell.shown("SELECT REPLICATE('xyz', 40) AS one")


def test_what_does_not_fit_however_narrow_is_not_cut_more_than_elsewhere() -> None:
    shell = TestShell(columns=30)
    text = "SELECT CAST('2001-02-03' AS DATE) AS a, REPLICATE('x', 20) AS b, 'cccccccccccc' AS c"
    assert "│ 2001-02-03 │ xxxxxxxxxxxxxxxxxxxx │ cccccccccccc │" in shell.lines(text)
    shell.settings.overflow = "wrap"
    assert "│ 2001-02- │ xxxxxxxx │ cccccccc │" in shell.lines(text)


def test_numbers_that_come_later_are_never_cut() -> None:
    shell = TestShell(columns=40)
    text = shell.shown(
        "SELECT CASE WHEN value < 250000 THEN 1 ELSE 123456789 END AS n, 'x' AS x"
        " FROM GENERATE_SERIES(1, 250001) WHERE value < 5 OR value > 250000"
    )
    assert "123456789" in text


def test_expanded() -> None:
    shell = TestShell(columns=30)
    shell.settings.expanded = "on"
    assert shell.lines("SELECT 1 AS id, REPLICATE('0123456789', 4) AS text, NULL AS nothing") == [
        "─[ 1 ]──┬────────────",
        "id      │ 1",
        "text    │ 01234567890123456789",
        "        │ 01234567890123456789",
        "nothing │ NULL",
        "(1 row)",
    ]
    shell.settings.expanded = "auto"
    assert shell.lines("SELECT 1 AS id")[0] == "┌────┐"
    assert shell.lines(WIDE)[0].startswith("─[ 1 ]")


def test_vectors_and_geometries_are_short() -> None:
    shell = TestShell()
    row = shell.lines("SELECT [1.5, 2, 3, 4, 5, 6] AS v, geometry::Point(1, 2, 0) AS g")[3]
    assert row == "│ [1.5, 2, 3, 4, … 6 numbers] │ POINT Z (1 2 0) │"
    shell.settings.vector = 2
    assert "[1.5, 2, … 6 numbers]" in shell.shown("SELECT [1.5, 2, 3, 4, 5, 6] AS v, 1 AS a")


def test_nothing_that_a_terminal_obeys_is_written() -> None:
    shell = TestShell(has_colours=True)
    query = (
        "SELECT CONCAT('a', CHAR(27), '[31m', CHAR(10), CHAR(7), NCHAR(8238), NCHAR(155)) AS"
        " [x\x1b[2J], NULL AS n"
    )
    for name in ("cut", "wrap", "scroll"):
        shell.settings.overflow = name
        text = shell.shown(query).replace("\x1b[1m", "").replace("\x1b[2m", "")
        assert not set("\x1b\x07\u202e\x9b") & set(text.replace("\x1b[0m", ""))
        assert "\\e[31m" in text
    shell.settings.expanded = "on"
    assert "\x07" not in shell.shown(query)
    shell.settings.expanded, shell.settings.format = "off", "markdown"
    assert "\x1b" not in shell.shown(query)


def test_null_and_headings_in_colours() -> None:
    shell = TestShell(has_colours=True)
    shell.settings.null = "∅"
    lines = shell.lines("SELECT NULL AS a, 'NULL' AS b")
    assert lines[1] == "│ \x1b[1ma\x1b[0m │ \x1b[1mb   \x1b[0m │"
    assert lines[3] == "│ \x1b[2m∅\x1b[0m │ NULL │"


def test_wide_characters_are_aligned() -> None:
    shell = TestShell(columns=20)
    lines = shell.lines("SELECT N'日本' AS a, 1 AS b UNION ALL SELECT 'x', 22 ORDER BY b")
    assert lines[3:5] == ["│ 日本 │  1 │", "│ x    │ 22 │"]
    cut = shell.lines("SELECT N'日本日本日本日本日本日本' AS a, 1 AS b")[3]
    assert cut == "│ 日本日本日…  │ 1 │"


def test_markdown() -> None:
    shell = TestShell(columns=None)
    shell.settings.format = "markdown"
    query = "SELECT 1 AS a, CONCAT('x|y', CHAR(10), '<b>') AS b UNION ALL SELECT 2, NULL ORDER BY a"
    assert shell.lines(query) == [
        *("| a | b |", "| ---: | --- |", r"| 1 | x\|y<br>&lt;b> |", "| 2 | NULL |"),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("csv", "a,b\n1,\n"),
        ("json", '{"a":1,"b":null}\n'),
        ("table", "a  b\n─  ────\n1  NULL\n"),
    ],
)
def test_formats(name: str, expected: str) -> None:
    shell = TestShell(columns=None)
    shell.settings.format = name
    assert shell.shown("SELECT 1 AS a, NULL AS b") == expected


def test_arrow() -> None:
    shell = TestShell(columns=None)
    shell.settings.format = "arrow"
    assert shell.enter("SELECT 1 AS a")
    assert pa.ipc.open_stream(shell.written.getvalue()).read_all().to_pydict() == {"a": [1]}


def test_arrow_is_not_for_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    shell = TestShell()
    shell.settings.format = "arrow"
    assert shell.shown("SELECT 1 AS a") == ""
    assert "not for a terminal" in capsys.readouterr().err


def test_every_row_of_many_batches_is_there() -> None:
    shell = TestShell()
    shell.settings.expanded = "off"
    lines = shell.lines("SELECT value, 'x' AS x FROM GENERATE_SERIES(1, 150000)")
    assert len(lines) == 3 + 150_000 + 2
    assert lines[-1] == "(150,000 rows)"
