"""Backslash commands of the shell, without a terminal: what each does, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from shells import Errors, TestShell

from hartonomous.hql.shell.commands import BY_NAME, COMMANDS, split

# --- taking texts apart --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("SELECT 1", [(1, "SELECT 1", "")]),
        ("\\d t", [(1, "", "\\d t")]),
        ("SELECT 1;\n\\d t\nSELECT 2", [(1, "SELECT 1;\n", "\\d t"), (3, "SELECT 2", "")]),
        ("SELECT 1 \\x \\g f", [(1, "SELECT 1 ", "\\x"), (1, "", "\\g f")]),
        ("SELECT '\\x', \"\\y\", [\\z] -- \\a\n/* \\b */", None),
        ("\\! ls \\x \\y", [(1, "", "\\! ls \\x \\y")]),
        ("SELECT 'not closed \\x", None),
    ],
)
def test_commands_are_found(text: str, pieces: list[tuple[int, str, str]] | None) -> None:
    assert list(split(text)) == ([(1, text, "")] if pieces is None else pieces)


def test_every_command_has_one_file_and_is_listed(shell: TestShell) -> None:
    import hartonomous.hql.shell.commands as package

    folder = Path(str(package.__file__)).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "base"}
    helpers = {"listing", "including"}
    assert {c.run.__module__.rpartition(".")[2] for c in COMMANDS} == files - helpers
    assert len(BY_NAME) == sum(len(c.names) for c in COMMANDS)
    shown = shell.shown("\\?")
    assert all(f"  \\{c.names[0]}" in shown and c.about in shown for c in COMMANDS)


def test_the_list_of_commands_fits_narrow_screens(tmp_path: Path) -> None:
    shell = TestShell(columns=60)
    lines = shell.lines(r"\?")
    assert max(map(len, lines)) < 60
    assert lines[lines.index(r"  \q") + 1].startswith("      leave the shell")


def test_help_of_one_command(shell: TestShell) -> None:
    assert shell.lines(r"\? timing") == [
        *("Settings", "  \\timing [on|off]  show the time that each statement takes"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (r"\dtt", r"there is no command \dtt: did you mean \dt? \? lists them"),
        (r"\zzz", r"there is no command \zzz: \? lists them"),
        (r"\timing+", r"there is no command \timing+: did you mean \timing? \? lists them"),
        (r"\timing on off", r"\timing: 'off' is one word too many"),
        (r"\timing perhaps", r"\timing: 'perhaps' is none of on, off"),
        (r"\timing 'on", r"\timing: a quote is not closed"),
        (r"\set bordr 1", r"\set: there is no setting 'bordr'; did you mean border?"),
        (r"\set border 3", r"\set: '3' is no number from 0 to 2"),
        (r"\unset", r"\unset: which setting? \set lists them"),
        (r"\format xml", r"\format: 'xml' is none of table, csv, json, arrow, markdown"),
        (r"\i", r"\i: which file?"),
        (r"\g", r"\g: there is nothing to run yet"),
        (r"\watch", r"\watch: there is nothing to run yet"),
        (r"\watch often", r"\watch: 'often' is no number of seconds"),
        (r"\watch c=0.5", r"\watch: '0.5' is no number of runs"),
        (r"\watch c=0", r"\watch: '0' is no number of runs"),
        (r"\explain", r"\explain: there is nothing to explain yet"),
        (r"\copy t", r"\copy: write \copy TABLE FROM FILE, \copy TABLE TO FILE or \copy"),
        (r"\o /nowhere/at/all", r"\o: /nowhere/at/all: No such file or directory"),
        (r"\cd /nowhere/at/all", r"\cd: /nowhere/at/all: No such file or directory"),
        (r"\s /nowhere/at/all", r"\s: /nowhere/at/all cannot be written: No such file"),
        (r"\q now", r"\q: 'now' is one word too many"),
        (r"\? nope", r"\?: there is no command \nope"),
    ],
)
def test_what_is_refused(shell: TestShell, capsys: Errors, line: str, said: str) -> None:
    shell.shown(line, fails=True)
    assert capsys.readouterr().err.startswith(said)
    assert not shell.is_leaving


# --- general -------------------------------------------------------------------------------------


def test_quit_ends_a_text(shell: TestShell) -> None:
    assert "9" not in shell.shown("\\q\nSELECT 9 AS a")
    assert shell.is_leaving


@pytest.mark.embedded
def test_which_database(shell: TestShell, tmp_path: Path) -> None:
    lines = shell.lines(r"\conninfo")
    assert lines[0] == f"Database {tmp_path / 'd.hdb'}"
    assert "reading and writing" in lines[1]
    assert lines[2] == "branch main, no transaction is open"
    shell.enter("BEGIN TRAN")
    assert "a transaction is open" in shell.shown(r"\conninfo")


def test_connect(shell: TestShell, tmp_path: Path, capsys: Errors) -> None:
    shell.enter("DECLARE @x INT = 1")
    assert shell.enter(f"\\c {tmp_path / 'e.hdb'}")
    assert capsys.readouterr().err == f"You are connected to {tmp_path / 'e.hdb'}\n"
    assert not shell.enter("SELECT @x")
    assert shell.enter("CREATE TABLE t (a INT)")
    assert shell.enter(r"\c :memory:")
    assert "memory" in shell.lines(r"\conninfo")[0]
    # one that cannot be opened leaves the other open
    (tmp_path / "file").write_text("x")
    assert not shell.enter(f"\\c {tmp_path / 'file'}")
    assert shell.enter("SELECT 1")


@pytest.mark.embedded
def test_databases_and_branches(
    shell: TestShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Errors
) -> None:
    monkeypatch.chdir(tmp_path)
    TestShell(tmp_path / "e.hdb").connection.close()
    (tmp_path / "no database").mkdir()
    rows = shell.lines(r"\l")[3:-2]
    assert [row.split("│")[1].strip() for row in rows] == ["d.hdb", "e.hdb"]
    assert [row.split("│")[4].strip() for row in rows] == ["1", "0"]
    assert len(shell.lines(r"\l e*")) == 6
    assert shell.lines(r"\branch")[3] == "│ main   │ 1          │"
    shell.shown(r"\branch x*")
    assert "there are no branches like x*" in capsys.readouterr().err
    shell.shown("CREATE BRANCH trial;")
    shell.shown(r"\branch TRIAL")
    assert "on branch trial" in capsys.readouterr().err
    assert shell.lines(r"\branch t*")[3] == "│ trial  │ 1          │"
    assert "branch trial" in shell.shown(r"\conninfo")
    memory = TestShell()
    assert "main" in memory.shown(r"\branch")
    assert "e.hdb" in memory.shown(r"\l")


# --- running -------------------------------------------------------------------------------------


def test_go(shell: TestShell, tmp_path: Path) -> None:
    assert shell.lines("SELECT 7 AS a \\g")[3] == "│ 7 │"
    assert shell.lines("\\g")[3] == "│ 7 │"
    assert shell.lines("\\gx")[1] == "a │ 7"
    assert shell.settings.expanded == "off"
    file = tmp_path / "out file"
    assert shell.shown(f"\\g '{file}'") == ""
    assert file.read_text() == "a\n─\n7\n"
    assert shell.shown(f"\\g |tr 7 8 > {tmp_path}/piped") == ""
    assert (tmp_path / "piped").read_text() == "a\n─\n8\n"
    assert "│ 7 │" in shell.shown("\\g")
    shell.shown("SELECT 1/0 \\g", fails=True)


def test_half_a_statement_stays(shell: TestShell) -> None:
    shell.enter("SELECT 1 AS one,\n\\dt")
    assert shell.buffer == "SELECT 1 AS one,\n"
    assert "│   1 │   2 │" in shell.shown("2 AS two \\g")
    assert shell.buffer == ""
    # one that is finished runs before the command
    shell.enter("CREATE TABLE t (a INT);\n\\d t")
    assert "Table dbo.t" in shell.written.getvalue().decode()


def test_print_and_reset(shell: TestShell) -> None:
    assert shell.shown("SELECT 1 AS\none \\p") == "SELECT 1 AS\none \n"
    shell.enter(r"\r")
    assert shell.buffer == ""
    shell.enter("SELECT 2;")
    assert shell.shown(r"\p") == "SELECT 2;\n"


def test_variables_live_until_go(shell: TestShell) -> None:
    assert shell.enter("DECLARE @x INT = 4;")
    assert shell.enter("\\dt\nSET @x = @x + 1;")
    assert "│ 5 │" in shell.shown("SELECT @x AS x;")
    assert not shell.enter("GO\nSELECT @x AS x;")


def test_a_declare_that_is_typed_again_is_refused(shell: TestShell, capsys: Errors) -> None:
    assert shell.enter("DECLARE @x INT = 4;")
    assert shell.enter("SET @x = 5;")
    assert not shell.enter("DECLARE @x INT = 4;")
    assert "@x is declared already" in capsys.readouterr().err
    assert "│ 5 │" in shell.shown("SELECT @x AS x;")
    assert shell.enter("WHILE @x < 9 BEGIN DECLARE @y INT = @x; SET @x = @y + 1; END;")


def test_places_of_errors_are_those_of_the_whole_text(shell: TestShell, capsys: Errors) -> None:
    shell.shown("SELECT 1 AS a;\n\\echo x\n\nSELECT 2 AS b;\nSELECT nope;", fails=True)
    assert "line 5, column 8" in capsys.readouterr().err


def test_watch(shell: TestShell, capsys: Errors) -> None:
    shown = shell.shown("SELECT 5 AS a \\watch 0.01 c=3")
    assert shown.count("│ 5 │") == 3
    assert capsys.readouterr().err.count("(every 0.01 s)") == 3
    assert shell.shown("SELECT 1/0 \\watch i=0.01", fails=True) == ""
    assert shell.settings.pager == "off"


def test_explain(full: TestShell) -> None:
    assert "scan people" in full.shown(r"\explain SELECT * FROM people WHERE age > 3")
    full.enter("SELECT 1; SELECT name FROM people;")
    assert "scan people" in full.shown(r"\explain")
    assert "rows, " in full.shown(r"\explain analyze")
    assert full.last_text == "SELECT 1; SELECT name FROM people;"
    full.shown(r"\explain SELECT nope", fails=True)


def test_copy(full: TestShell, tmp_path: Path, capsys: Errors) -> None:
    file = tmp_path / "it's.csv"
    assert full.enter(f'\\copy people (name, age) to "{file}"')
    assert file.read_text() == "name,age\nAda,36\nBob,1\n"
    assert full.enter(f'\\copy people(name, age) FROM "{file}"')
    assert capsys.readouterr().err.endswith("(2 rows affected)\n")
    plain = tmp_path / "plain.csv"
    assert full.enter(f"\\copy (SELECT name FROM people ORDER BY id) to {plain} (header = false);")
    assert plain.read_text() == "Ada\nBob\nAda\nBob\n"
    assert full.shown(r"\copy (SELECT TOP (1) name FROM people) to stdout") == "name\nAda\n"
    assert full.shown(r"\copy people (age) to STDOUT").startswith("age\n36\n")
    assert full.shown(r"\copy people to stdout").startswith("id,name,age,twice\n1,Ada,36,72\n")
    assert full.settings.format == "table"
    full.shown(r"\copy people to stdout (header = false)", fails=True)
    full.shown(r"\copy people from /nowhere.csv", fails=True)


# --- text ----------------------------------------------------------------------------------------


def editor(folder: Path, script: str) -> str:
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_edit(shell: TestShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HQL_EDITOR", raising=False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, 'sed -i s/1/8/ "$1"'))
    shell.enter("SELECT 1 AS a;")
    assert "│ 8 │" in shell.shown(r"\e")
    assert shell.last_text == "SELECT 8 AS a;"
    # what is not finished is not run: the next prompt shows it
    assert shell.shown("SELECT 1 AS b \\e") == ""
    assert shell.buffer == "SELECT 8 AS b"
    shell.enter(r"\r")
    file = tmp_path / "mine.hql"
    file.write_text("SELECT 10 AS c;\n")
    assert "│ 80 │" in shell.shown(f"\\e {file}")


def test_editors_that_fail(
    shell: TestShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Errors
) -> None:
    monkeypatch.delenv("HQL_EDITOR", raising=False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, "exit 3"))
    shell.shown(r"\e", fails=True)
    assert "ended with 3" in capsys.readouterr().err
    monkeypatch.setenv("EDITOR", "/nowhere/at/all")
    shell.shown(r"\e", fails=True)
    assert "/nowhere/at/all cannot be run" in capsys.readouterr().err
    monkeypatch.setenv("EDITOR", editor(tmp_path, "exit 0"))
    shell.shown(f"\\e {tmp_path / 'nothing.hql'}", fails=True)
    assert "cannot be read" in capsys.readouterr().err


def test_history(shell: TestShell, tmp_path: Path) -> None:
    shell.history = ["SELECT 1;", "SELECT\n2;"]
    assert shell.shown(r"\s") == "SELECT 1;\nSELECT\n2;\n"
    assert shell.enter(f"\\s {tmp_path / 'h'}")
    assert (tmp_path / "h").read_text() == "SELECT 1;\nSELECT\n2;\n"


# --- files ---------------------------------------------------------------------------------------


def test_include(shell: TestShell, tmp_path: Path, capsys: Errors) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "a.hql").write_text("SELECT 1 AS a;\n\\ir inner/b.hql\n\\ir c.hql\n")
    (inner / "b.hql").write_text("\\ir ../c.hql\nSELECT 2 AS b")
    (tmp_path / "c.hql").write_text("\\echo here\n")
    shown = shell.shown(f"\\i {tmp_path / 'a.hql'}")
    assert shown.count("here\n") == 2
    assert shown.index("│ 1 │") < shown.index("here") < shown.index("│ 2 │")
    (tmp_path / "bad.hql").write_text("SELECT 1/0;\n\\echo never\n")
    assert "never" not in shell.shown(f"\\i {tmp_path / 'bad.hql'}", fails=True)
    assert "DIVISION_BY_ZERO" in capsys.readouterr().err
    (tmp_path / "self.hql").write_text("\\ir self.hql\n")
    shell.shown(f"\\i {tmp_path / 'self.hql'}", fails=True)
    assert "files run files more than 16 deep" in capsys.readouterr().err
    assert (shell.depth, shell.folder) == (0, None)
    shell.shown(r"\i /nowhere", fails=True)
    # half a statement waits until the file is done
    assert "│ 3 │" in shell.shown(f"SELECT 3 AS\n\\i {tmp_path / 'c.hql'}\nthree \\g").replace(
        "│     3 │", "│ 3 │"
    )


def test_output(shell: TestShell, tmp_path: Path) -> None:
    file = tmp_path / "out"
    assert shell.shown(f"\\o {file}\nSELECT 1 AS a;\n\\dt\n\\echo hello") == ""
    assert "│ 2 │" in shell.shown("\\o\nSELECT 2 AS a")
    assert file.read_text() == "a\n─\n1\nhello\n"
    assert shell.shown(f"\\o |cat > {file}\n\\format csv\nSELECT 3 AS a;\n\\o") == ""
    assert file.read_text() == "a\n3\n"


def test_a_command_that_reads_no_further(shell: TestShell, capsys: Errors) -> None:
    shell.shown("\\o |true\nSELECT value FROM GENERATE_SERIES(1, 200000);", fails=True)
    assert "the output cannot be written: Broken pipe" in capsys.readouterr().err
    assert "│ 1 │" in shell.shown("\\o\nSELECT 1 AS a")


def test_system_and_folder(
    shell: TestShell, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = os.getcwd()
    try:
        assert shell.enter(f"\\cd '{tmp_path}'\n\\! pwd; exit 3")
    finally:
        os.chdir(before)
    heard = capfd.readouterr()
    assert heard.out == f"{tmp_path}\n"
    assert heard.err == f"{tmp_path}\nended with 3\n"


def test_echo(shell: TestShell) -> None:
    assert shell.shown("\\echo 'two words'\n\\echo") == "two words\n\n"


# --- settings ------------------------------------------------------------------------------------


def test_timing(shell: TestShell, capsys: Errors) -> None:
    shell.enter("\\timing\nSELECT 1 AS a; CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "timing is on"
    assert sum(line.startswith("Time: ") for line in said) == 3
    shell.enter(r"\timing off")
    capsys.readouterr()
    shell.enter("SELECT 1 AS a")
    assert "Time" not in capsys.readouterr().err


def test_expanded_and_format(shell: TestShell, capsys: Errors) -> None:
    assert shell.shown("\\x\nSELECT 1 AS a").startswith("─[ 1 ]")
    assert shell.shown("\\x\nSELECT 1 AS a").startswith("┌")
    shell.enter("\\x auto")
    assert shell.settings.expanded == "auto"
    assert shell.shown("\\format csv\nSELECT 1 AS a") == "a\n1\n"
    shell.enter("\\format\n\\x off")
    assert capsys.readouterr().err.endswith("format is csv\nexpanded view is off\n")


def test_set_and_unset(shell: TestShell, capsys: Errors) -> None:
    assert "│ null     │ NULL  │" in shell.shown(r"\set")
    assert "∅" in shell.shown("\\pset null ∅\nSELECT NULL AS a")
    assert shell.shown(r"\set null") == "null is ∅\n"
    shell.enter(r"\unset null")
    assert shell.settings.null == "NULL"
    assert shell.shown("\\set footer off\nSELECT 1 AS a").endswith("┘\n")
    assert capsys.readouterr().err == "null is ∅\nnull is NULL\nfooter is off\n"
