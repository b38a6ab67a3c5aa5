"""Pools: connections lent one at a time, as new each time, through every door."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.hql.errors import Busy, InterfaceFault
from hartonomous.hql.opening import is_url


@pytest.fixture
def shared(door: Any) -> Any:
    """A database that several connections come to."""
    return door.url(None) if hasattr(door, "url") else ":memory:pool"


def test_connections_are_used_again(shared: Any) -> None:
    with hql.create_pool(shared, max_size=2) as pool:
        with pool.connection() as first:
            first.execute("CREATE TABLE t (a INT)")
            with pool.connection() as second:
                assert second is not first
        with pool.connection() as again:
            assert again in (first, second)
            again.execute("INSERT INTO t VALUES (1)")
    assert first.is_closed and second.is_closed
    with pytest.raises(InterfaceFault), pool.connection():
        pass


def test_what_is_left_open_is_committed_or_undone(shared: Any) -> None:
    with hql.create_pool(shared, max_size=1, autocommit=False) as pool:
        with pool.connection() as db:
            db.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
        with pytest.raises(ZeroDivisionError), pool.connection() as db:
            db.execute("INSERT INTO t VALUES (2)")
            raise ZeroDivisionError
        with pool.connection() as db:
            assert db.execute("SELECT a FROM t").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE #mine (a INT)",
        "SET XACT_ABORT ON",
        "CREATE BRANCH trial; USE BRANCH trial",
        "DECLARE c CURSOR GLOBAL FOR SELECT 1",
    ],
)
def test_the_next_borrower_finds_nothing_of_the_one_before(shared: Any, change: str) -> None:
    with hql.create_pool(shared, max_size=1) as pool:
        with pool.connection() as before:
            before.execute(change)
        with pool.connection() as after:
            assert after is not before
            assert after.session.branch == "main"
            after.execute("CREATE TABLE #mine (a INT); DROP TABLE #mine; SELECT 1")
        with pool.connection() as last:
            assert last is after


def test_results_of_the_borrower_before_are_closed(shared: Any) -> None:
    with hql.create_pool(shared, max_size=1) as pool:
        with pool.connection() as before:
            cursor = before.execute("SELECT value FROM GENERATE_SERIES(1, 3000000)")
            cursor.fetchone()
        with pool.connection() as after:
            assert after is before
        with pytest.raises(hql.Error):
            cursor.fetchall()


def test_who_waits_too_long_is_told(shared: Any) -> None:
    pool = hql.create_pool(shared, max_size=1, wait=0.01)
    with pool, pool.connection(), pytest.raises(Busy, match="all 1 connections"), pool.connection():
        pass


def test_a_connection_that_was_closed_is_not_lent_again(shared: Any) -> None:
    now = 0.0
    with hql.create_pool(shared, max_size=2, max_idle=60.0, clock=lambda: now) as pool:
        with pool.connection() as one:
            pass
        one.close()
        with pool.connection() as two:
            assert two is not one
            two.execute("SELECT 1")
        now = 30.0  # it is asked now whether it answers
        with pool.connection() as three:
            assert three is two
        now = 100.0
        with pool.connection() as four:
            assert four is not three and three.is_closed


def test_threads_share_a_pool(shared: Any) -> None:
    with hql.create_pool(shared, max_size=3) as pool:
        with pool.connection() as db:
            db.execute("CREATE TABLE t (n INT); INSERT INTO t VALUES (0)")

        def work() -> None:
            for _ in range(5):
                with pool.connection() as db:
                    db.execute("UPDATE t SET n = n + 1")

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pool.connection() as db:
            assert db.execute("SELECT n FROM t").fetchone() == (30,)


def test_tasks_share_a_pool(shared: Any) -> None:
    async def main() -> None:
        async with hql.create_async_pool(shared, max_size=2) as pool:
            async with pool.connection() as db:
                await db.execute("CREATE TABLE t (n INT); INSERT INTO t VALUES (0)")

            async def work() -> None:
                for _ in range(5):
                    async with pool.connection() as db:
                        await db.execute("UPDATE t SET n = n + 1")

            await asyncio.gather(*(work() for _ in range(4)))
            with pytest.raises(ZeroDivisionError):
                async with pool.connection() as db:
                    await db.execute("BEGIN TRAN; UPDATE t SET n = 0")
                    raise ZeroDivisionError
            async with pool.connection() as db:
                assert await (await db.execute("SELECT n FROM t")).fetchone() == (20,)
            pool._wait = 0.01
            async with pool.connection(), pool.connection():
                with pytest.raises(Busy):
                    async with pool.connection():
                        pass

    asyncio.run(main())


def test_of_what(shared: Any) -> None:
    with pytest.raises(InterfaceFault):
        hql.create_pool(shared, max_size=0)
    assert is_url("hql://x/") and is_url("hqls://x/") and not is_url("atlas.hdb")
