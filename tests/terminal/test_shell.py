"""The shell behind a pseudo-terminal: what is typed, what is seen."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal_screen import ENTER, ESCAPE, TAB, UP, Screen, control

#: a query that takes longer than any test waits
SLOW = (
    "SELECT COUNT(*) FROM GENERATE_SERIES(1, 9000000) AS a"
    " CROSS JOIN GENERATE_SERIES(1, 9000000) AS b WHERE a.value + b.value < 0;"
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with Screen(tmp_path_factory.mktemp("shell"), "d.hdb") as screen:
        screen.wait_for_prompt("d>")
        screen.run("CREATE TABLE customers (number INT, surname NVARCHAR(9));")
        yield screen


@pytest.fixture
def screen(shared: Screen) -> Screen:
    """One shell for all tests that need no other; each finds an empty prompt."""
    shared.clear()
    return shared


def test_lines_until_a_statement_is_finished(screen: Screen) -> None:
    screen.type("SELECT COUNT(*)\r")
    screen.wait_for("^->")
    screen.type("AS n, 'x;\r")
    screen.wait_for("^'>")
    screen.type("y' AS s, (1 +\r")
    screen.wait_for(r"^\(>")
    screen.type("2) AS m;\r")
    screen.wait_for(r"\(1 row\)")
    screen.wait_for_prompt()
    # an empty line sends too
    screen.type("SELECT 6 * 7\r AS answer\r\r")
    screen.wait_for("42")


def test_blocks_are_sent_at_their_end(screen: Screen) -> None:
    screen.type("BEGIN\rPRINT 'one';\r\rPRINT 'two';\rEND;\r")
    screen.wait_for("^one\ntwo$")


def test_variables_last_until_go(screen: Screen) -> None:
    screen.run("DECLARE @v INT = 40;")
    screen.run("SELECT @v + 2 AS answer;", "42")
    screen.run("GO")
    screen.run("SELECT @v AS answer;", "UNKNOWN_VARIABLE")


def test_errors_have_a_caret_and_a_hint(screen: Screen) -> None:
    shown = screen.run("SELECT 1 AS a,\r  numbr FROM customers;", "hint: did you mean number?")
    assert "error[UNKNOWN_COLUMN]" in shown
    assert "  2 |   numbr FROM customers;\n        ^\n" in shown


def test_completion(screen: Screen) -> None:
    screen.type("SEL" + TAB)
    screen.wait_for("^d> SELECT")
    screen.type(" surname FROM cust" + TAB)
    screen.wait_for("FROM customers")
    screen.type(" AS c WHERE c.")
    screen.wait_for("number +INT")  # unasked, behind a dot
    screen.type("nu" + TAB)
    screen.wait_for(r"c\.number")
    screen.type(" = 1;\r")
    screen.wait_for(r"\(0 rows\)")


def test_enter_takes_a_candidate_and_sends_nothing(screen: Screen) -> None:
    screen.type("SELECT 1;SELECT 1 AS a O" + TAB + TAB)
    screen.wait_for("AS a ORDER BY")
    screen.type(ENTER)
    screen.type(" a;")
    screen.wait_for("^d> SELECT 1;SELECT 1 AS a ORDER BY a;")


def test_ctrl_c_cancels_the_statement_and_not_the_shell(screen: Screen) -> None:
    screen.type(SLOW + ENTER)
    screen.wait_for("running, Ctrl-C cancels")
    screen.type(control("c"))
    screen.wait_for("^cancelled$")
    screen.wait_for_prompt()
    assert "running" not in screen.text()
    screen.run("SELECT 6 * 7 AS answer;", "42")


def test_ctrl_c_clears_what_is_written(screen: Screen) -> None:
    screen.type("SELECT (1,\rWRONG")
    screen.wait_for("WRONG")
    screen.type(control("c"))
    screen.wait_for_prompt("d>")
    screen.type("SELECT 6 * 7 AS answer;\r")
    screen.wait_for("42")
    assert "error" not in screen.text()


def test_the_toolbar_and_the_prompt_tell_of_a_transaction(screen: Screen) -> None:
    screen.wait_for(r"d\.hdb │ branch main │ no transaction")
    screen.type("BEGIN TRAN;\r")
    screen.wait_for(r"d\.hdb │ branch main │ in transaction")
    screen.wait_for_prompt("d*>")
    screen.type("SELECT '\r")
    screen.wait_for("a string is open")
    screen.run("ROLLBACK;")
    screen.wait_for("no transaction")
    screen.wait_for_prompt("d>")


def test_pasted_text_is_sent_by_enter_alone(screen: Screen) -> None:
    screen.type(f"{ESCAPE}[200~SELECT 1 AS a;\nSELECT 2 AS b;{ESCAPE}[201~")
    screen.wait_for("SELECT 2 AS b;")
    assert "(1 row)" not in screen.text()
    screen.type(ENTER)
    screen.wait_for(r"\(1 row\)(.|\n)*\(1 row\)")


def test_alt_enter_sends_what_is_not_finished(screen: Screen) -> None:
    screen.type("SELECT (1" + ESCAPE + ENTER)
    screen.wait_for(r"error\[SYNTAX\]")


def test_what_is_typed_while_a_statement_runs_is_the_next_text(screen: Screen) -> None:
    screen.type("WAITFOR DELAY '00:00:01';\rSELECT 6 * 7 AS answer;\r")
    screen.wait_for("42")


# --- shells of their own -------------------------------------------------------------------------


def test_leaving_in_a_transaction_undoes_it_and_history_lasts(tmp_path: Path) -> None:
    with Screen(tmp_path, "d.hdb") as screen:
        screen.wait_for_prompt("d>")
        screen.run("SELECT 'needle' AS hay;", r"\(1 row\)")
        screen.run("CREATE TABLE\r  kept (a INT);")
        screen.run("BEGIN TRAN;")
        screen.run(" CREATE TABLE secret (a INT);")
        screen.type(control("d"))
        assert screen.wait_for_end() == 0
        assert b"the open transaction was rolled back" in screen.raw
    path = tmp_path / "state" / "hartonomous" / "history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "needle" in path.read_text()
    assert "secret" not in path.read_text()  # what begins with a space is not written
    with Screen(tmp_path, "d.hdb", "--read-only") as reader:
        reader.wait_for("read only")
        reader.wait_for_prompt()
        reader.type(UP * 4)  # comments of the driver are among them
        reader.wait_for("d> CREATE TABLE\n *-> +kept")
        reader.type(control("c"))
        reader.wait_for_prompt()
        reader.type(control("r") + "need")
        reader.wait_for("SELECT 'needle' AS hay;")
        reader.type(ENTER)
        reader.type(ENTER)
        reader.wait_for(r"\(1 row\)")
        reader.run("SELECT * FROM secret;", "UNKNOWN_TABLE")
        reader.run("DELETE FROM kept;", "READ_ONLY")


def test_the_startup_file_and_no_colours(tmp_path: Path) -> None:
    (tmp_path / ".hqlrc").write_text("PRINT 'begun';\nSELECT nothing;\n")
    with Screen(tmp_path, "--no-color") as screen:
        screen.wait_for("begun")
        screen.wait_for("UNKNOWN_COLUMN")
        screen.wait_for_prompt()
        assert not coloured(screen)
    with Screen(tmp_path, "-X", "--timeout", "100ms") as screen:
        screen.wait_for_prompt()
        assert "begun" not in screen.text()
        screen.run(SLOW, "TIMEOUT")
        assert coloured(screen)


def coloured(screen: Screen) -> bool:
    """Whether anything came in a colour."""
    return any(f"[{code}m".encode() in screen.raw for code in ("1;31", "36", "0;34;1", "0;32"))


def test_a_dumb_terminal(tmp_path: Path) -> None:
    with Screen(tmp_path, TERM="dumb") as screen:
        screen.wait_for_prompt("memory>")
        screen.type("SELECT 6 * 7\r")
        screen.wait_for_prompt("->")
        screen.type("AS answer;\r")
        screen.wait_for("42")
        screen.wait_for_prompt("memory>")
        screen.type("SELECT (\r")
        screen.wait_for_prompt("(>")
        screen.type(control("c"))
        screen.wait_for_prompt("memory>")
        screen.type(r"\q" + ENTER)
        assert screen.wait_for_end() == 0
        assert b"\x1b[" not in screen.raw
