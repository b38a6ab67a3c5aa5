"""What statements take together is bounded: who takes most ends with MEMORY, others go on."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from server_process import serving

import hartonomous.hql as hql
from hartonomous.hql.engine import relational
from hartonomous.hql.engine.relational_errors import translate
from hartonomous.hql.limits import Limits
from hartonomous.server.memory import LEAST_BYTES, MemoryGuard, Size, machine_bytes, memory_of
from hartonomous.server.settings import make_settings
from hartonomous.storage.errors import Cancelled, Error

GIB = 1 << 30


class Running:
    """A statement as the guard sees it."""

    def __init__(self, number: int) -> None:
        self.number, self.kind = number, "SELECT"
        self.is_paused = False
        self.limits = Limits()

    @property
    def is_stopped(self) -> bool:
        return self.limits.cancelled.is_set()


def guarding(*running: Running) -> tuple[MemoryGuard, list[str]]:
    told: list[str] = []
    statements: Any = lambda: list(running)  # noqa: E731
    return MemoryGuard(GIB, told.append, statements), told


def test_who_took_most_is_stopped() -> None:
    small, large = Running(1), Running(2)
    guard, told = guarding(small, large)
    large.is_paused = True
    guard.look(Size(GIB // 4, 0))
    small.is_paused, large.is_paused = True, False
    guard.look(Size(GIB, 0))
    assert not small.is_stopped and not large.is_stopped and not told
    guard.look(Size(GIB + 1, 0))
    assert large.is_stopped and not small.is_stopped and told == ["SELECT"]
    with pytest.raises(Cancelled) as caught:
        large.limits.check()
    assert caught.value.code == "MEMORY"
    guard.look(Size(GIB + 2, 0))  # it has a second to end
    assert not small.is_stopped


def test_who_took_little_is_left_alone() -> None:
    one = Running(1)
    guard, told = guarding(one)
    one.is_paused = True
    guard.look(Size(GIB * 2, 0))  # the process is too large by itself
    one.is_paused = False
    guard.look(Size(GIB * 2 + GIB // 17, 0))
    assert not one.is_stopped and not told
    guard.look(Size(GIB * 2 + GIB // 15, 0))
    assert one.is_stopped


def test_memory_by_default_is_a_part_of_what_there_is() -> None:
    own, each = memory_of(make_settings({}))
    assert LEAST_BYTES < own < machine_bytes() and each == 0
    assert memory_of(make_settings({"memory": GIB})) == (GIB, 0)
    assert memory_of(make_settings({"memory": GIB, "workers": 2})) == (GIB // 2, GIB // 4)
    with pytest.raises(hql.Error, match="memory is at least 268,435,456 bytes"):
        memory_of(make_settings({"memory": 1024}))


@pytest.mark.parametrize(
    "error",
    [
        pa.ArrowMemoryError("malloc of size 1024 failed"),
        RuntimeError("realloc of size 64 failed"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("Out of Memory Error: Allocation failure"),
        RuntimeError("INTERNAL Error: could not allocate block"),
    ],
    ids=str,
)
def test_what_allocators_say_is_memory(error: BaseException) -> None:
    assert translate(error, "", lambda _: None).code == "MEMORY"


LARGE = (
    "SELECT SUM(LEN(REPLICATE(s, 5000))) FROM t",
    "SELECT SUM(LEN(REPLACE(REPLICATE('a', 10000) + s, 'a', REPLICATE('b', 1000)))) FROM t",
    "SELECT REPLICATE(s, 5000) FROM t",
    "SELECT STRING_AGG(a.s, ',') FROM t AS a, t AS b, t AS c",
    "WITH r AS (SELECT 1 AS n, CAST('x' AS NVARCHAR(MAX)) AS s UNION ALL"
    " SELECT n + 1, s + s FROM r WHERE n < 40) SELECT MAX(LEN(s)) FROM r",
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say how large we are")
def test_statements_that_want_all_memory_end_and_others_live(tmp_path: Path) -> None:
    failed: list[BaseException] = []
    done = threading.Event()

    def ask(address: str) -> None:
        try:
            with hql.connect(address) as connection:
                while not done.wait(0.02):
                    found = connection.execute("SELECT COUNT(*) FROM t WHERE a < 100").fetchall()
                    assert found == [(99,)]
        except BaseException as error:
            failed.append(error)

    with serving(tmp_path / "db", "--memory", "1000000000") as server:
        address = f"hql://127.0.0.1:{server.port}/"
        with hql.connect(address, timeout=60) as connection:
            connection.execute("CREATE TABLE t (a INT, s NVARCHAR(MAX))")
            connection.execute(
                "INSERT INTO t SELECT value, REPLICATE('x', 100) FROM GENERATE_SERIES(1, 3000)"
            )
            other = threading.Thread(target=ask, args=(address,))
            other.start()
            try:
                for text in LARGE:
                    with pytest.raises(hql.OperationalError) as caught:
                        connection.execute(text).fetchall()
                    assert caught.value.code == "MEMORY", text
                    assert connection.execute("SELECT 1").fetchall() == [(1,)]
            finally:
                done.set()
                other.join()
        assert server.process.poll() is None and not failed


@pytest.mark.parametrize("asked", [None, 1 << 40])
def test_an_engine_of_ones_own_has_no_more_than_the_process(
    asked: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relational, "_memory_bytes", 64 << 20)
    engine = relational.Engine(memory_bytes=asked)
    try:
        with pytest.raises(Error) as caught, engine.cursor() as cursor:
            cursor.stream("SELECT string_agg(x::VARCHAR, '') FROM range(50000000) AS r(x)")
        assert caught.value.code == "MEMORY"
    finally:
        engine.close()
