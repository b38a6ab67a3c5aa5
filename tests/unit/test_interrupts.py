"""Ctrl-C at a commit of the main thread: it is answered when the commit is whole."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import pytest

from hartonomous import hql
from hartonomous.hql.engine.relational import FEW_ROWS, Cursor, Stream, engine
from hartonomous.hql.engine.watchdog import Watchdog
from hartonomous.storage.disk import Disk
from hartonomous.storage.interrupts import Interrupts
from hartonomous.storage.wal import Wal


@pytest.fixture(autouse=True)
def pythons_own_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("moment", ["append", "sync"])
def test_a_commit_goes_through_and_others_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    db = hql.connect(tmp_path / "db")
    db.execute("CREATE TABLE t (a INT); CREATE TABLE #own (a INT)")
    db.execute("BEGIN TRAN; INSERT INTO t VALUES (1); INSERT INTO #own VALUES (1)")
    real = getattr(Wal, moment)

    def pressed(self: Wal, *given: Any) -> Any:
        answer = real(self, *given)
        press()
        return answer

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Wal, moment, pressed)
        db.execute("COMMIT")
    assert not db.in_transaction
    assert db.execute("SELECT a FROM t UNION ALL SELECT a FROM #own").fetchall() == [(1,), (1,)]
    db.execute("INSERT INTO t VALUES (2)")
    db.close()
    with hql.connect(tmp_path / "db") as again:
        assert again.execute("SELECT a FROM t ORDER BY a").fetchall() == [(1,), (2,)]


def test_a_branch_goes_through_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = hql.connect(tmp_path / "db")
    real = Wal.append

    def pressed(self: Wal, *given: Any) -> Any:
        press()
        return real(self, *given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Wal, "append", pressed)
        db.execute("CREATE BRANCH b")
    db.execute("CREATE BRANCH c")
    names = db.execute("SELECT name FROM sys.branches ORDER BY name").fetchall()
    assert names == [("b",), ("c",), ("main",)]
    db.close()


def test_the_handler_that_was_there_answers() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    with Interrupts() as interrupts:
        interrupts.hold()
        press()
        assert heard == []
    assert heard == [signal.SIGINT]
    press()
    assert len(heard) == 2


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts() as interrupts:
        interrupts.hold()
        press()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_hold_nothing() -> None:
    def hold() -> None:
        with Interrupts() as interrupts:
            interrupts.hold()
            handlers.append(signal.getsignal(signal.SIGINT))

    handlers: list[Any] = []
    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def test_a_signal_that_comes_too_late_is_not_the_next_statements() -> None:
    watchdog, cancelled = Watchdog(), list[str]()
    assert watchdog.enter_main(first := lambda: cancelled.append("first"))
    with watchdog._lock:  # its thread cannot look into the pipe meanwhile
        os.write(watchdog._write, bytes([signal.SIGINT]))
    watchdog.leave_main(first)
    assert watchdog.enter_main(second := lambda: cancelled.append("second"))
    done = threading.Event()
    watchdog.at(0.0, done.set)
    assert done.wait(10)
    watchdog.leave_main(second)
    assert "second" not in cancelled


def test_no_python_runs_where_a_file_is_unmapped(tmp_path: Path) -> None:
    """What a finaliser raises is swallowed, a KeyboardInterrupt too."""
    (tmp_path / "bytes").write_bytes(b"abc")
    buffer = Disk().map(tmp_path / "bytes")
    rest = buffer.slice(1)
    calls: list[str] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            calls.append(frame.f_code.co_qualname)

    sys.setprofile(note)
    del buffer
    assert rest.to_pybytes() == b"bc"
    del rest
    sys.setprofile(None)
    assert calls == []
    maps = Path("/proc/self/maps")
    assert not maps.exists() or str(tmp_path / "bytes") not in maps.read_text()


class _Pressed:
    """Rows that are interrupted when they are asked for anything but their schema."""

    schema = pa.schema([("a", pa.int32())])

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise KeyboardInterrupt

    def __getattr__(self, name: str) -> object:
        raise KeyboardInterrupt


def test_ctrl_c_while_the_engine_is_given_rows_is_ctrl_c() -> None:
    """It asks them what they are, and makes an error of its own of what that raises."""
    with engine().cursor() as cursor, pytest.raises(KeyboardInterrupt):
        cursor.register("rows", _Pressed())  # type: ignore[arg-type]


class _Connection:
    """An engine's connection that is interrupted at whatever it is asked."""

    def register(self, name: str, rows: object) -> None:
        raise RuntimeError("Query interrupted")

    def execute(self, sql: str) -> None:
        raise RuntimeError("Query interrupted")

    sql = execute


def test_ctrl_c_that_the_engine_sees_first_is_ctrl_c_everywhere() -> None:
    cursor = Cursor(_Connection())
    with pytest.raises(KeyboardInterrupt):
        cursor.register("rows", pa.table({"a": [1]}))
    for batch_rows in (FEW_ROWS, FEW_ROWS + 1):
        with pytest.raises(KeyboardInterrupt):
            cursor.stream("SELECT 1", batch_rows=batch_rows)


def test_ctrl_c_once_a_result_is_open_lets_the_cursor_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pressed(*_given: object) -> None:
        raise KeyboardInterrupt

    cursor = engine().cursor()
    cursor.register("rows", pa.table({"a": range(10)}))
    monkeypatch.setattr(Stream, "__init__", pressed)
    with pytest.raises(KeyboardInterrupt) as caught:
        cursor.stream("SELECT a FROM rows")
    cursor.close()  # while the error with its frames is still there
    assert caught.value is not None
