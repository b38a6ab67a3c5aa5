"""The command line: what goes to stdout and stderr, and the exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from signals import heed_interrupt

#: a query that takes longer than any test waits
SLOW = (
    "SELECT COUNT(*) FROM GENERATE_SERIES(1, 9000000) AS a"
    " CROSS JOIN GENERATE_SERIES(1, 9000000) AS b WHERE a.value + b.value < 0"
)
HQL = [sys.executable, "-m", "hartonomous.hql.shell.main"]


def run(*words: Any, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HQL, *map(str, words)], input=text, capture_output=True, text=True, timeout=60
    )


def test_rows_go_to_stdout_and_counts_to_stderr() -> None:
    done = run("-c", "PRINT 'hello'; SELECT 1 AS a, N'ä' AS name, NULL AS n")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["a  name  n", "─  ────  ────", "1  ä     NULL"]
    assert done.stderr.splitlines() == ["hello", "(1 row)"]


def test_pandas_is_not_loaded() -> None:
    """pyarrow imports it where it is installed, which takes longer than all else."""
    code = (
        "import sys; sys.argv[1:] = ['-c', 'SELECT 1']\n"
        "from hartonomous.hql.shell.main import main\n"
        "main(); print(sys.modules.get('pandas'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("None\n"), done.stdout + done.stderr


def test_a_folder_keeps_what_was_done(tmp_path: Path) -> None:
    database = tmp_path / "d.hdb"
    run("-c", "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2)", database)
    done = run("-c", "SELECT SUM(a) AS total FROM t", database, "--format", "csv")
    assert (done.stdout, done.stderr) == ("total\n3\n", "")
    refused = run("-c", "DELETE FROM t", database, "--read-only")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error[READ_ONLY]")


def test_formats() -> None:
    query = "SELECT 1 AS a, 'x\"y' AS b UNION ALL SELECT NULL, NULL ORDER BY a DESC"
    assert run("-c", query, "--format", "csv").stdout == 'a,b\n1,"x""y"\n,\n'
    lines = run("-c", query, "--format", "json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"a": 1, "b": 'x"y'}, {"a": None, "b": None}]
    done = subprocess.run(
        [*HQL, "-c", query, "--format", "arrow"], capture_output=True, timeout=60, check=True
    )
    assert pa.ipc.open_stream(done.stdout).read_all().column("a").to_pylist() == [1, None]


def test_a_failed_statement_exits_1_and_shows_its_place() -> None:
    done = run("-c", "SELECT 1 AS a;\nSELECT nothing FROM x")
    assert done.returncode == 1
    assert done.stdout.startswith("a\n")
    assert "error[UNKNOWN_TABLE]" in done.stderr
    assert "line 2" in done.stderr
    assert "  2 | SELECT nothing FROM x" in done.stderr


def test_several_texts_run_one_after_the_other() -> None:
    done = run(
        "-c", "SELECT @n AS a", "-c", "\\echo between", "-c", "SELECT 2 AS a", "--param", "n=1"
    )
    assert (done.returncode, done.stdout.split()) == (0, ["a", "─", "1", "between", "a", "─", "2"])
    assert run("-c", "SELECT nothing", "-c", "SELECT 2").stdout == ""


def test_a_url_of_another_kind_makes_no_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [*HQL, "-c", "SELECT 1", "http://anna:secret@127.0.0.1:7433/"],
        capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1 and "hql://host:7433/" in done.stderr
    assert "secret" not in done.stderr and not list(tmp_path.iterdir())


def test_a_token_is_shown_whole() -> None:
    """It is shown once."""
    done = run("-c", "CREATE USER anna; CREATE TOKEN t FOR anna")
    assert "hqlt_" in done.stdout and "…" not in done.stdout


def test_scripts(tmp_path: Path) -> None:
    script = tmp_path / "s.hql"
    script.write_text(
        "CREATE TABLE t (a INT, s NVARCHAR(9));\nGO\n"
        "INSERT INTO t VALUES (@n, @s);\ngo\nSELECT a + @n AS a, s FROM t\n",
        encoding="utf-8",
    )
    done = run("run", script, "--param", "n=5", "--param", "s='it''s'", "--format", "csv")
    assert (done.returncode, done.stdout) == (0, "a,s\n10,it's\n"), done.stderr
    script.write_text("SELECT 1 AS a\nGO\nSELECT 2 AS\nGO\nSELECT 3 AS a\n", encoding="utf-8")
    done = run("run", script)
    assert done.returncode == 1
    assert "error[SYNTAX]" in done.stderr
    assert "line 4" in done.stderr or "line 3" in done.stderr
    assert run("run", tmp_path / "nothing.hql").returncode == 1


def test_standard_input_is_a_script() -> None:
    done = run("--format", "csv", text="SELECT 1 AS a;\nGO\nSELECT 2 AS a")
    assert done.stdout == "a\n1\na\n2\n"


def test_verify(tmp_path: Path) -> None:
    database = tmp_path / "d.hdb"
    run("-c", "CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", database)
    whole = run("verify", database)
    assert (whole.returncode, whole.stdout) == (0, ""), whole.stderr
    victim = max((database / "objects").rglob("*"), key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.chmod(0o600)
    victim.write_bytes(data)
    broken = run("verify", database)
    assert broken.returncode == 1
    assert victim.name in broken.stdout + broken.stderr
    assert run("verify", tmp_path / "nothing").returncode == 1
    assert "VERIFY DATABASE" in run("verify", "hql://127.0.0.1:1/").stderr


def test_wrong_use_exits_2() -> None:
    for words in (["--nothing"], ["-c"], ["--format", "xml", "-c", "SELECT 1"], ["verify"]):
        done = run(*words)
        assert done.returncode == 2, words
        assert "usage" in done.stderr
    assert run("-c", "SELECT 1", "--timeout", "soon").returncode == 2


def test_help_and_version() -> None:
    assert run("--version").stdout.startswith("hql 0.")
    assert "hql verify DB" in run("--help").stdout


def test_ingest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A cat sleeps.")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.md").write_text("# Dogs\n\nA dog barks.")
    database = tmp_path / "atoms.hdb"
    done = run(
        "ingest", str(tmp_path / "a.txt"), str(tmp_path / "more"), str(database), "--format", "csv"
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.rpartition(",")[0] for line in lines] == [
        *("Files,Chunks,NewAtoms,Skipped,Errors,Bytes", "1,1,1,0,0,13"),
        *("Files,Chunks,NewAtoms,Skipped,Errors,Bytes", "1,1,1,0,0,20"),
    ]
    count = run("-c", "SELECT COUNT(*) AS n FROM Atoms", str(database), "--format", "csv")
    assert count.stdout == "n\n2\n"
    missing = run("ingest", str(tmp_path / "nope"), str(database))
    assert (missing.returncode, missing.stderr[:12]) == (1, "error[FILE]:")
    assert run("ingest", str(tmp_path / "a.txt"), str(database), "--as", "smell").returncode == 2


def test_time_limit() -> None:
    done = run("-c", SLOW, "--timeout", "200ms")
    assert done.returncode == 1
    assert "error[TIMEOUT]" in done.stderr


def test_control_c_exits_130() -> None:
    process = subprocess.Popen(
        [*HQL, "-c", f"PRINT 'begun'; {SLOW}"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupt,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "begun\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest


#: work that needs some time to stop when it is cancelled, and what is known when Ctrl-C comes out
SLOW_TO_STOP = """
import threading, time
from hartonomous.hql.shell.running import interruptibly

class Connection:
    is_cancelled = threading.Event()
    cancel = is_cancelled.set

def work():
    print("begun", flush=True)
    Connection.is_cancelled.wait()
    time.sleep(0.3)
    print("stopped", flush=True)

try:
    interruptibly(Connection, work)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_control_c_waits_for_the_work_to_stop() -> None:
    """What it uses is closed then: a generator that still runs cannot be."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_TO_STOP],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupt,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert rest.splitlines() == ["stopped", "interrupted"]


def test_a_closed_pipe_is_quiet() -> None:
    many = "SELECT value FROM GENERATE_SERIES(1, 500000)"
    process = subprocess.Popen(
        [*HQL, "-c", many, "--format", "csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.wait(timeout=30)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("5", 5), ("-1.5", "-1.5"), ("1e3", 1000.0), ("NULL", None), ("'5'", "5")),
        *(("abc", "abc"), ("1_000", "1_000"), ("1_0.5", "1_0.5"), ("٣", "٣"), ("nan", "nan")),
    ],
)
def test_constants_of_param(text: str, value: Any) -> None:
    from hartonomous.hql.shell.main import _constant

    found = _constant(text)
    assert (str(found) if isinstance(value, str) else found) == value


def test_wide_characters_are_aligned() -> None:
    done = run("-c", "SELECT N'日本' AS a, 1 AS b UNION ALL SELECT 'x', 22 ORDER BY b")
    assert done.stdout.splitlines()[2:] == ["日本   1", "x     22"]


def test_rows_that_are_piped_into_a_copy(tmp_path: Path) -> None:
    run("-c", "CREATE TABLE t (a INT, b NVARCHAR(9))", tmp_path / "d")
    done = run("-c", r"\copy t FROM stdin", tmp_path / "d", text="b,a\nx,1\n'y',2\n")
    assert (done.returncode, done.stderr) == (0, "(2 rows affected)\n")
    done = run("-c", r"\copy t(a) FROM stdin (header = false)", tmp_path / "d", text="3\n")
    assert done.returncode == 0
    done = run("-c", "SELECT * FROM t ORDER BY a", tmp_path / "d", "--format", "csv")
    assert done.stdout == "a,b\n1,x\n2,'y'\n3,\n"
    done = run(tmp_path / "d", text="\\copy t FROM stdin\na,b\n")
    assert done.returncode == 1
    assert "stdin is where this text comes from" in done.stderr


def test_texts_that_are_no_texts(tmp_path: Path) -> None:
    script = tmp_path / "s.hql"
    script.write_bytes(b"SELECT 1;\n-- caf\xe9\n")
    done = run("run", script)
    said = (
        f'error[FILE]: "{script}" is not UTF-8: line 2 has the byte 0xe9\nhint: save it as UTF-8\n'
    )
    assert (done.returncode, done.stderr) == (1, said)
    piped = subprocess.run(HQL, input=script.read_bytes(), capture_output=True, timeout=60)
    assert piped.returncode == 1
    assert piped.stderr.startswith(b"error[FILE]: standard input is not UTF-8: line 2")
    done = run("run", tmp_path)
    assert done.stderr == f'error[FILE]: "{tmp_path}" cannot be read: Is a directory\n'


def test_parameters_of_a_text(tmp_path: Path) -> None:
    done = run("-c", "SELECT @n + 1 AS m, @s AS s", "--param", "n=4", "--param", "s=x")
    assert done.stdout.splitlines()[2] == "5  x"
