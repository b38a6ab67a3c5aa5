"""Limits: time, memory, cancellation from another thread, Ctrl-C, recursion."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import numpy as np
import pytest
from query_world import World
from signals import heed_interrupt

from hartonomous import hql
from hartonomous.hql.engine import watchdog
from hartonomous.hql.errors import ExecutionFault, ResourceFault
from hartonomous.hql.limits import Limits, current
from hartonomous.storage.errors import Cancelled

#: minutes of work in the engine
ENDLESS = "SELECT COUNT(*) FROM n a, n b, n c WHERE a.id + b.id + c.id = -1"


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.create("n", {"id": "INT"}, [list(range(20_000))])
    return made


def test_a_timeout_ends_the_statement(world: World) -> None:
    with Limits(timeout=0.2) as limits, pytest.raises(Cancelled) as caught:
        world.rows(ENDLESS, limits=limits)
    assert caught.value.code == "TIMEOUT" and "0.2 seconds" in caught.value.message


def test_an_option_tightens_the_timeout(world: World) -> None:
    with Limits(timeout=600) as limits, pytest.raises(Cancelled) as caught:
        world.rows(f"{ENDLESS} OPTION (TIMEOUT '200ms')", limits=limits)
    assert caught.value.code == "TIMEOUT" and limits.timeout == 0.2


def test_cancel_from_another_thread(world: World) -> None:
    limits = Limits()
    threading.Timer(0.2, limits.cancel).start()
    with pytest.raises(Cancelled) as caught:
        world.rows(ENDLESS, limits=limits)
    assert caught.value.code == "CANCELLED" and limits.flag[0] == 1


def test_cancel_before_it_starts(world: World) -> None:
    limits = Limits()
    limits.cancel()
    with pytest.raises(Cancelled):
        world.rows("SELECT 1 FROM n", limits=limits)


def test_cancel_between_batches(world: World) -> None:
    limits = Limits()
    stream = world.stream("SELECT a.id FROM n a, n b", limits=limits)
    next(stream)
    limits.cancel()
    with pytest.raises(Cancelled):
        for _ in stream:
            pass
    assert stream._execution.closers == []


def test_a_cancelled_statement_leaves_the_engine_usable(world: World) -> None:
    with Limits(timeout=0.05) as limits, pytest.raises(Cancelled):
        world.rows(ENDLESS, limits=limits)
    assert world.rows("SELECT COUNT(*) FROM n") == [(20_000,)]


def test_an_interrupt_that_is_lost_is_said_again() -> None:
    """The engine forgets an interrupt that comes before it begins."""
    limits = Limits()
    heard = threading.Event()
    calls: list[float] = []

    def interrupt() -> None:
        calls.append(time.monotonic())
        if len(calls) == 3:
            heard.set()

    with limits.interrupting(interrupt):
        limits.cancel()
        assert heard.wait(10)
    count = len(calls)
    with pytest.raises(Cancelled):
        limits.check()
    assert len(calls) == count


def test_memory_limit_spills_or_says_so(world: World) -> None:
    sort = "SELECT TOP (1) a.id FROM n a, (SELECT TOP (50) id FROM n) b ORDER BY a.id * 7 % 1000"
    assert len(world.rows(f"{sort} OPTION (MEMORY '100MB')", limits=Limits())) == 1
    with pytest.raises(ResourceFault) as caught:
        Limits(memory_bytes=1000).account(1001)
    assert caught.value.code == "MEMORY"


def test_no_memory_at_all_is_an_error_like_others() -> None:
    """The engine has not even enough to let go of what it was given."""
    with hql.connect() as db:
        db.execute(
            "CREATE TABLE t (a INT PRIMARY KEY, b NVARCHAR(20)); INSERT INTO t VALUES (1, 'x')"
        )
        for _ in range(10):
            with pytest.raises(ResourceFault):
                db.execute("SELECT a, b FROM t ORDER BY b OPTION (MEMORY '10KB')")


def test_limits_only_tighten() -> None:
    limits = Limits(timeout=1, memory_bytes=10)
    limits.tighten(timeout=5, memory_bytes=20)
    assert (limits.timeout, limits.memory_bytes) == (1, 10)
    limits.tighten(timeout=0.5, memory_bytes=5)
    assert (limits.timeout, limits.memory_bytes) == (0.5, 5)


def test_the_watchdog_keeps_deadlines_in_order() -> None:
    dog = watchdog.Watchdog()
    heard: list[str] = []
    done = threading.Event()
    now = time.monotonic()
    dog.at(now + 0.10, lambda: (heard.append("late"), done.set()))
    dog.at(now + 0.02, lambda: heard.append("early"))
    forgotten = dog.at(now + 0.05, lambda: heard.append("never"))
    dog.forget(forgotten)
    assert done.wait(10) and heard == ["early", "late"]


# --- recursion -----------------------------------------------------------------------------------

COUNTING = "WITH r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r {}) SELECT MAX(n) FROM r"


def test_deadlines_hold_in_a_process_with_many_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 1200:
        pytest.skip("this machine allows fewer than 1,200 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    done = threading.Event()
    try:
        dog = watchdog.Watchdog()
        dog.at(time.monotonic() + 10_000_000.0, lambda: None)
        dog.at(time.monotonic() + 0.01, done.set)
        assert done.wait(60)
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_recursion_has_a_bound(world: World) -> None:
    with pytest.raises(ExecutionFault) as caught:
        world.rows(COUNTING.format(""))
    assert caught.value.code == "RECURSION" and "10000" in caught.value.message


def test_recursion_bound_is_an_option(world: World) -> None:
    text = COUNTING.format("WHERE n < 20")
    assert world.both(f"{text} OPTION (MAXRECURSION 19)") == [(20,)]
    with pytest.raises(ExecutionFault) as caught:
        world.rows(f"{text} OPTION (MAXRECURSION 18)")
    assert caught.value.code == "RECURSION"
    endless = f"{COUNTING.format('')} OPTION (MAXRECURSION 0, TIMEOUT '200ms')"
    with pytest.raises(Cancelled):
        world.rows(endless)


def test_recursion_without_all_ends_by_itself(world: World) -> None:
    text = "WITH r AS (SELECT 1 AS n UNION SELECT (n + 1) % 50 FROM r) SELECT COUNT(*) FROM r"
    assert world.both(text) == [(50,)]


def test_recursion_over_two_members(world: World) -> None:
    text = (
        "WITH r AS (SELECT 1 AS n UNION ALL SELECT n * 2 FROM r WHERE n < 40 "
        "UNION ALL SELECT n * 3 FROM r WHERE n < 40) SELECT COUNT(*), MAX(n) FROM r"
    )
    expected = _double_and_triple()
    assert world.both(text) == [(len(expected), max(expected))]


def _double_and_triple() -> list[int]:
    found, wave = [1], [1]
    while wave:
        wave = [n * f for n in wave if n < 40 for f in (2, 3)]
        found.extend(wave)
    return found


# --- Ctrl-C --------------------------------------------------------------------------------------


def test_ctrl_c_ends_what_the_main_thread_runs() -> None:
    script = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(os.path.dirname(os.path.dirname(__file__)))!r})
        from query_world import World
        world = World()
        world.create("n", {{"id": "INT"}}, [list(range(20_000))])
        print("ready", flush=True)
        try:
            world.rows({ENDLESS!r})
        except KeyboardInterrupt:
            print("interrupted", world.rows("SELECT COUNT(*) FROM n"), flush=True)
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupt,
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(0.5)  # a signal before the engine began would prove nothing
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=30)
    finally:
        child.kill()
    assert out == "interrupted [(20000,)]\n"


# --- native functions ----------------------------------------------------------------------------


def test_lent_limits_are_those_of_the_thread() -> None:
    outer, inner = Limits(), Limits()
    assert current() is None
    with outer.lent():
        with inner.lent():
            assert current() is inner
        assert current() is outer
        seen: list[object] = []
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
        assert seen == [None]
    assert current() is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a.g.STDistance(b.g) FROM t AS a JOIN t AS b ON a.id <= b.id",  # in the fragment
        "SELECT g.STDistance('POINT (1 1)') FROM t",  # before it
        "SELECT TOP (1) id FROM t ORDER BY g.STDistance('POINT (1 1)')",
    ],
)
def test_kernels_of_functions_get_the_flag(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that is stopped has no whole answer, so none is shown."""
    with hql.connect(":memory:") as database:
        database.execute("CREATE TABLE t (id INT, g GEOMETRY)")
        database.execute("INSERT INTO t VALUES (1, 'POINT (0 0)'), (2, 'POINT (3 4)')")

        def stopped(a: Any, b: Any, cancel: Any) -> Any:
            assert cancel is not None and not cancel[0]
            limits = current()
            assert limits is not None and limits.flag is cancel
            limits.cancel()
            return np.zeros(max(len(a), len(b)))

        monkeypatch.setattr("hartonomous.kernels.geometry.distance.distances", stopped)
        with pytest.raises(Cancelled):
            database.execute(text).fetchall()
