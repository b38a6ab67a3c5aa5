r"""Backslash commands behind a pseudo-terminal: pager, editor, \watch, and screens as people see
them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal_screen import ENTER, Screen, control

LONG = "SELECT value AS n FROM GENERATE_SERIES(1, 500);"
WIDE = "SELECT " + ", ".join(f"'{c}' AS column_of_some_width_{c}" for c in "abcdefgh") + ";"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def shared(home: Path) -> Iterator[Screen]:
    with Screen(home, "d.hdb") as screen:
        screen.wait_for_prompt("d>")
        yield screen


@pytest.fixture
def screen(shared: Screen) -> Screen:
    shared.clear()
    return shared


def test_lists_and_descriptions(screen: Screen) -> None:
    screen.type("CREATE TABLE t (id INT PRIMARY KEY, name NVARCHAR(9));\r")
    screen.wait_for_prompt()
    shown = screen.run(r"\dt", "(1 row)")
    assert "│ dbo    │ t    │    0 │ 0            │" in shown
    assert '"PK_t" PRIMARY KEY (id)' in screen.run(r"\d t", "PK_t")
    assert "branch main" in screen.run(r"\conninfo", "branch main,")


def test_results_and_errors(screen: Screen) -> None:
    shown = screen.run("SELECT 1 AS a, NULL AS b;", "(1 row)")
    assert "│ 1 │ NULL │" in shown
    assert "\x1b[2mNULL" in screen.raw.decode(errors="replace")
    assert "─[ 1 ]" in screen.run("SELECT 1 AS a \\gx", "(1 row)")
    assert "did you mean \\timing?" in screen.run("\\tming", "did you mean")


def test_what_is_longer_than_the_screen_is_paged(screen: Screen) -> None:
    screen.type(LONG + "\r")
    screen.wait_for("^│  25 │$")
    screen.wait_for(":$")
    screen.type("G")
    screen.wait_for("(500 rows)")
    screen.type("q")
    screen.wait_for_prompt("d>")


def test_what_is_wider_than_the_screen_is_paged(screen: Screen) -> None:
    screen.run(r"\set overflow scroll", "overflow is scroll")
    screen.clear()
    screen.type(WIDE + "\r")
    screen.wait_for("column_of_some_width_a")
    screen.wait_for(r"\(END\)")
    screen.type("\x1b[C\x1b[C\x1b[C")
    screen.wait_for("column_of_some_width_h")
    screen.type("q")
    screen.wait_for_prompt("d>")


def test_leaving_the_pager_stops_the_statement(screen: Screen) -> None:
    screen.type("SELECT a.value FROM GENERATE_SERIES(1, 900000000) AS a;\r")
    screen.wait_for(":$")
    screen.type("q")
    screen.wait_for_prompt("d>")
    assert "│ 7 │" in screen.run("SELECT 7 AS a;", "(1 row)")


def test_ctrl_c_in_the_pager_stops_what_feeds_it(screen: Screen) -> None:
    screen.type("SELECT a.value FROM GENERATE_SERIES(1, 900000000) AS a;\r")
    screen.wait_for(":$")
    screen.type(control("c"))
    for _ in range(3):  # less drops what is typed while it deals with Ctrl-C
        time.sleep(0.5)
        screen.type("q")
    screen.wait_until(lambda: screen.lines()[-1].startswith("d> "), "the pager to end")
    assert "│ 7 │" in screen.run("SELECT 7 AS a;", "(1 row)")


def test_a_pager_of_ones_own(tmp_path: Path) -> None:
    with Screen(tmp_path, "d.hdb", PAGER=f"cat > {tmp_path}/paged") as screen:
        screen.wait_for_prompt("d>")
        paged = tmp_path / "paged"
        screen.type(LONG + "\r")
        screen.wait_until(paged.exists, "the pager")
        screen.wait_for_prompt("d>")
        assert "(500 rows)" in paged.read_text()
        screen.run(r"\set pager off", "pager is off")
        screen.run(LONG, "(500 rows)")
        screen.clear()
        screen.type("\\q\r")
        assert screen.wait_for_end() == 0


def test_watch_ends_at_ctrl_c(screen: Screen) -> None:
    screen.type("SELECT 5 AS a \\watch 0.1\r")
    screen.wait_until(lambda: screen.raw.count("│ 5 │".encode()) > 2, "three runs")
    screen.type(control("c"))
    screen.wait_for_prompt("d>")
    assert "│ 7 │" in screen.run("SELECT 7 AS a;", "(1 row)")


def test_edit(tmp_path: Path) -> None:
    path = tmp_path / "editor"
    path.write_text('#!/bin/sh\nsed -i s/1/8/ "$1"\n')
    path.chmod(0o755)
    with Screen(tmp_path, "d.hdb", EDITOR=str(path)) as screen:
        screen.wait_for_prompt("d>")
        screen.run("SELECT 1 AS a;", "(1 row)")
        assert "│ 8 │" in screen.run(r"\e", "(1 row)")
        # half a statement stands in the next prompt
        screen.clear()
        screen.type("SELECT 1 AS b\\e\r")
        screen.wait_for("d> SELECT 8 AS b$")
        screen.type(";\r")
        screen.wait_for("│ 8 │")


def test_files_and_history(screen: Screen, home: Path) -> None:
    (home / "a.hql").write_text("SELECT 'from a file' AS said;\n\\echo 'and a command'\n")
    shown = screen.run(r"\i a.hql", "and a command")
    assert "from a file" in shown
    screen.run(r"\timing", "timing is on")
    screen.run(r"\o out.csv", "results go to out.csv")
    screen.run(r"\format csv", "format is csv")
    screen.run("SELECT 1 AS a;", r"Time: \d")
    screen.run(r"\o", "results go to the screen")
    screen.run(r"\unset format", "format is table")
    screen.run(r"\timing", "timing is off")
    assert (home / "out.csv").read_text() == "a\n1\n"
    screen.run(r"\s saved \! echo done", "^done$")
    assert "\\i a.hql\n" in (home / "saved").read_text()
    assert "out.csv" in screen.run(r"\! ls *.csv", "out.csv")


def test_settings(screen: Screen) -> None:
    screen.run(r"\timing", "timing is on")
    assert "Time: " in screen.run("SELECT 1 AS a;", r"Time: \d")
    assert "expanded view is on" in screen.run(r"\x", "expanded view is on")
    assert "─[ 1 ]" in screen.run("SELECT 1 AS a;", r"Time: \d")
    screen.run(r"\x off", "expanded view is off")
    screen.run(r"\timing off", "timing is off")


def test_a_statement_on_the_command_line_of_a_terminal(tmp_path: Path) -> None:
    with Screen(tmp_path, "-c", "SELECT 1 AS a; \\conninfo") as screen:
        assert screen.wait_for_end() == 0
        assert "│ 1 │" in screen.text() and "branch main" in screen.text()


def test_rows_are_typed(screen: Screen) -> None:
    screen.run("CREATE TABLE typed (a INT, b NVARCHAR(9));")
    screen.type("\\copy typed FROM stdin" + ENTER)
    screen.wait_for("ends them")
    screen.type("a,b\r1,x\r2,y\r\\.\r")
    screen.wait_for("2 rows affected")
    screen.wait_for_prompt()
    # Ctrl-C while typing leaves the command and stores nothing
    screen.type("\\copy typed FROM stdin" + ENTER)
    screen.wait_until(lambda: screen.text().count("ends them") == 2)
    screen.type("a,b\r3,z\r" + control("c"))
    screen.wait_for("cancelled")
    screen.wait_for_prompt()
    assert "2" in screen.run("SELECT COUNT(*) AS n FROM typed;", r"\(1 row\)")
