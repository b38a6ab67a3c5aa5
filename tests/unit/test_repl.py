"""The shell's loop, without a terminal."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from servers import serving

from hartonomous import hql
from hartonomous.hql.advance import Advance
from hartonomous.hql.copying.progress import Waiting, describe
from hartonomous.hql.errors import BindFault
from hartonomous.hql.shell.faults import describe as describe_error
from hartonomous.hql.shell.repl import (
    connect_again,
    is_to_send,
    leave,
    prompt,
    run_startup,
    run_typed,
)
from hartonomous.hql.shell.running import Interrupted, interruptibly
from hartonomous.hql.shell.state import Shell
from hartonomous.hql.shell.toolbar import how_to_send, toolbar
from hartonomous.hql.text_width import width


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(hql.connect(tmp_path / "atlas.hdb"), out=io.BytesIO())


def test_commands_are_sent_with_their_line() -> None:
    assert is_to_send(r"\d")
    assert is_to_send("SELECT 1 \\g")
    assert is_to_send("SELECT 1 FROM\n\\dt")
    assert not is_to_send(r"SELECT '\d")
    assert not is_to_send("SELECT 1")


def test_prompt_and_toolbar(shell: Shell) -> None:
    assert prompt(shell.connection) == "atlas> "
    shell.enter("BEGIN TRAN;")
    assert prompt(shell.connection) == "atlas*> "
    line = "".join(part[1] for part in toolbar(shell.connection, ""))
    assert "atlas.hdb │ branch main │ in transaction" in line
    shell.enter("ROLLBACK;")
    line = "".join(part[1] for part in toolbar(shell.connection, "BEGIN SELECT 1;\n"))
    assert "no transaction" in line
    assert "END is missing" in line


def test_the_toolbar_of_a_narrow_screen_shortens_the_path(shell: Shell) -> None:
    line = "".join(part[1] for part in toolbar(shell.connection, "SELECT '", 58))
    assert line == " …las.hdb │ branch main │ no transaction │ a string is open "


def test_lines_of_errors_fit_the_terminal() -> None:
    error = BindFault("no", line=1, column=71)
    text = "SELECT 日本, " + "x" * 59 + "y, z FROM t"
    for columns in (30, 60, 90):
        _, _, line, caret, _ = describe_error(error, text, columns=columns).split("\n")
        assert max(width(line), width(caret)) < columns
        before = line[: line.index("y")] if "y" in line else None
        assert before is not None and width(before) == caret.index("^")


def test_syntax_errors_look_as_others_do(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert not shell.enter("SELECT 1;\nSELECT FROM t;")
    assert capsys.readouterr().err.split("\n")[1:4] == [
        "  at line 2, column 8",
        "  2 | SELECT FROM t;",
        "             ^",
    ]


def test_how_a_text_is_sent() -> None:
    assert how_to_send("SELECT 1;") == ""
    assert how_to_send("SELECT 1\n") == "; or an empty line sends"
    assert how_to_send("CREATE PROC p AS SELECT 1;") == "GO or an empty line ends the definition"
    assert how_to_send("SELECT '") == "a string is open"


def test_the_connection_is_made_again(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_typed(shell, "CREATE TABLE t (a INT);")
    shell.connection.session.close()
    run_typed(shell, "SELECT * FROM t;")
    assert "connected again" in capsys.readouterr().err
    assert run_typed(shell, "SELECT * FROM t;")


def test_another_connection_has_the_options_of_the_one_before(tmp_path: Path) -> None:
    shell = Shell(
        hql.connect(tmp_path / "a.hdb", timeout=50.0, memory=1 << 28, author="ada"),
        out=io.BytesIO(),
    )
    shell.connection.session.close()
    connect_again(shell)
    assert shell.enter(rf"\c {tmp_path / 'b.hdb'}")
    session = shell.connection.session
    assert (session.timeout, session.memory, session.author) == (50.0, 1 << 28, "ada")
    assert session.database.path == tmp_path / "b.hdb"


def test_ctrl_c_however_often_and_whenever_it_comes(shell: Shell) -> None:
    """Signals are sent from the statement's own thread, so each comes at a known moment."""

    def press() -> None:
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)

    class Slow:
        """A connection whose cancel() takes long enough to be interrupted."""

        cancelled = 0

        def cancel(self) -> None:
            self.cancelled += 1
            press()

    def work() -> int:
        os.kill(os.getpid(), signal.SIGINT)
        while not slow.cancelled:
            time.sleep(0.001)
        return 5

    slow: Any = Slow()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted) as caught:
        interruptibly(slow, work)
    assert caught.value.is_done
    assert signal.getsignal(signal.SIGINT) is before
    assert interruptibly(slow, lambda: 6) == 6


def test_data_in_messages_moves_no_cursor(
    shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not shell.enter("THROW 50001, '\x1b[2J\nsecond', 1;")
    shown = capsys.readouterr().err
    assert "\\e[2J\nsecond\n" in shown
    assert shown.endswith("| THROW 50001, '\\e[2J\n      ^\n")  # a caret, though a line ends in it
    shell.enter("PRINT '\x1b[2J';")
    assert capsys.readouterr().err == "\x1b[2J\n"  # no terminal: what was said
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shell.enter("PRINT N'\x1b[2J\nsecond é';")
    assert capsys.readouterr().err.endswith("\\e[2J\nsecond é\n")


def test_carets_stand_below_wide_characters() -> None:
    error = BindFault("no", line=1, column=12)
    assert describe_error(error, "SELECT N'日', x").endswith(f"{' ' * 18}^\n")
    with pytest.raises(hql.Error) as fault:
        hql.connect().execute("SELECT N'日本' FROM FROM")
    assert str(fault.value).split("\n")[2].startswith(" " * 22 + "^")


def test_leaving_where_there_is_no_connection_to_be_had(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.connection.session.close()
    shutil.rmtree(tmp_path / "atlas.hdb")
    (tmp_path / "atlas.hdb").write_text("no folder")
    connect_again(shell)
    assert shell.is_leaving
    assert "error[" in capsys.readouterr().err


def test_a_server_that_is_away_does_not_end_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as served:
        port = served.server.port
        shell = Shell(hql.connect(served.url), out=io.BytesIO())
        run_typed(shell, "BEGIN TRAN;")
    assert not run_typed(shell, "SELECT 1 AS a;")  # not outside its transaction
    said = capsys.readouterr().err
    assert "error[CONNECTION]" in said and r"\q leaves" in said and not shell.is_leaving
    assert prompt(shell.connection).endswith("!> ")
    assert not run_typed(shell, "SELECT 1 AS a;")
    with serving(port=port):
        assert run_typed(shell, "SELECT 1 AS a;")
        assert "connected again" in capsys.readouterr().err
        leave(shell)
    away = Shell(hql.connect(), out=io.BytesIO())
    away.connection.session.close()
    leave(away)


def test_the_startup_file(shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rc"
    run_startup(shell, path)  # there is none
    path.write_text("\\timing on\nCREATE TABLE t (a INT);\nINSERT INTO t\nVALUES (1)\n")
    run_startup(shell, path)
    assert shell.settings.timing
    assert "1 row affected" in capsys.readouterr().err
    path.write_text("SELECT nothing;\n")
    run_startup(shell, path)
    assert not shell.is_leaving
    assert "UNKNOWN_COLUMN" in capsys.readouterr().err


def test_progress_lines_fit_the_terminal() -> None:
    line = describe("COPY numbers.csv", 1_500_000, 30.0, 0.25, 100)
    assert line.startswith("COPY numbers.csv  1,500,000 rows  50,000 rows/s  ━━━━━───")
    assert line.endswith("25 %  1:30 left")
    assert describe("COPY n.csv", 1_500_000, 30.0, 0.5, 76).count("━") == 8  # of a shorter bar
    for columns in range(10, 120):
        assert len(describe("COPY a very long name.csv", 10**9, 9_999.0, 0.4, columns)) < columns
    assert "left" not in describe("INGEST", 5, 1.0, None, 80)
    assert describe("x", 1, 7_200.0, 0.5, 80).endswith("2:00:00 left")


class Watched(io.StringIO):
    """A terminal that a person looks at."""

    def isatty(self) -> bool:
        return True


def test_who_waits_sees_the_time_or_how_far_it_is() -> None:
    stream = Watched()
    waiting = Waiting("running", stream)
    advance = Advance(4_000)
    waiting.tick(advance)
    assert stream.getvalue() == ""  # not for what takes no second
    waiting._begun, waiting._drawn = waiting._begun - 12, 0.0
    waiting.tick(advance)
    assert stream.getvalue() == "\rrunning  12.0 s"
    advance.done, advance.begun, waiting._drawn = 1_000, advance.begun - 10, 0.0
    waiting.tick(advance)
    assert "1,000 rows" in stream.getvalue()
    assert stream.getvalue().endswith("25 %  0:30 left")
    waiting.close()


def test_how_far_a_query_is(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from hartonomous.hql.operators import scan

    seen: list[tuple[int, int]] = []

    def look(expr: Any, row: Any, parameters: Any) -> Any:
        advance = shell.connection.session.advance
        assert advance is not None
        seen.append((advance.done, advance.total))
        return evaluate(expr, row, parameters)

    evaluate = scan.evaluate
    shell.enter("CREATE TABLE t (v VECTOR(2)); INSERT INTO t VALUES ([1, 2]), ([3, 4]), ([5, 6]);")
    monkeypatch.setattr(scan, "evaluate", look)
    monkeypatch.setattr(scan, "rows_at_once", lambda expr: 2)
    assert shell.enter("SELECT VECTOR_NORM(v) AS n FROM t;")
    assert seen == [(0, 3), (2, 3)]
    assert shell.connection.session.advance is None
