"""The asynchronous client: as the synchronous one, and the event loop never waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.hql import errors
from hartonomous.hql.clients import AsyncConnection
from hartonomous.storage.errors import Cancelled, ConstraintFault, Error

SLOW = (
    "SELECT COUNT(*) FROM GENERATE_SERIES(1, 3000000) AS a"
    " CROSS JOIN GENERATE_SERIES(1, 3000000) AS b WHERE a.value + b.value < 0"
)
SERIES = "SELECT value FROM GENERATE_SERIES(1, 300000) ORDER BY value"

#: a connection's thread works as the synchronous tests have it do
DOORS, SLOW_DOORS = ("embedded",), ("wire",)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(main, 60)

    return asyncio.run(limited())


def test_rows() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            await db.execute("CREATE TABLE t (id INT IDENTITY, a INT)")
            cursor = await db.executemany("INSERT INTO t (a) VALUES (?)", [(i,) for i in range(9)])
            assert (cursor.rowcount, cursor.lastrowid) == (9, 9)
            cursor = await db.execute("PRINT 'x'; SELECT a FROM t ORDER BY a; SELECT 1 AS one")
            assert cursor.messages == ["x"]
            assert cursor.description is not None and cursor.description[0][:2] == ("a", "INT")
            assert await cursor.fetchone() == (0,)
            assert cursor.rownumber == 1
            assert await cursor.fetchmany(2) == [(1,), (2,)]
            cursor.arraysize = 3
            assert await cursor.fetchmany() == [(3,), (4,), (5,)]
            assert [row async for row in cursor] == [(6,), (7,), (8,)]
            assert await cursor.fetchone() is None
            assert await cursor.nextset()
            assert await cursor.fetchall() == [(1,)]
            assert await cursor.nextset() is None
            with pytest.raises(errors.InterfaceFault):
                await cursor.fetchone()

    run(main())


def test_fetching_in_turns_keeps_the_order() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            cursor = await db.execute(SERIES)
            rows: list[Any] = [await cursor.fetchone(), *await cursor.fetchmany(200_000)]
            async for row in cursor:
                rows.append(row)
                if len(rows) == 250_000:
                    break
            assert cursor.rownumber == 250_000
            rows += await cursor.fetchall()
            assert rows == [(i,) for i in range(1, 300_001)]
            assert cursor.rowcount == 300_000

    run(main())


def test_arrow() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            table = await (await db.execute("SELECT 1 AS a")).fetch_arrow_table()
            assert table.to_pydict() == {"a": [1]}
            cursor = await db.execute(SERIES)
            assert sum([batch.num_rows async for batch in cursor.fetch_record_batches()]) == 300_000

    run(main())


def test_calling_a_procedure() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            await db.execute("CREATE PROCEDURE p @a INT, @b INT OUTPUT AS SET @b = @a * 2")
            assert await db.cursor().callproc("p", [4, None]) == [4, 8]

    run(main())


def test_transactions(tmp_path: Path) -> None:
    async def main() -> None:
        async with await hql.connect_async(tmp_path / "d") as db:
            await db.execute("CREATE TABLE t (a INT PRIMARY KEY)")
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (1)")
                assert db.in_transaction
            with pytest.raises(ConstraintFault):
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (2)")
                    await db.execute("INSERT INTO t VALUES (1)")
            assert not db.in_transaction
            await db.set_autocommit(False)
            await db.execute("INSERT INTO t VALUES (3)")
            await db.rollback()
            await db.execute("INSERT INTO t VALUES (4)")
            await db.commit()
        async with await hql.connect_async(tmp_path / "d", read_only=True) as db:
            assert db.read_only
            cursor = await db.execute("SELECT a FROM t ORDER BY a")
            assert await cursor.fetchall() == [(1,), (4,)]

    run(main())


def test_a_task_cancelled_as_its_transaction_begins_leaves_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            connection, loop = db.connection, asyncio.get_running_loop()
            begin, told = connection.begin, threading.Event()

            def begin_and_be_cancelled() -> None:
                begin()
                loop.call_soon_threadsafe(task.cancel)
                assert told.wait(60)

            monkeypatch.setattr(connection, "begin", begin_and_be_cancelled)
            monkeypatch.setattr(connection, "cancel", told.set)

            async def work() -> None:
                async with db.transaction():
                    raise AssertionError("the block is not entered")

            task = asyncio.create_task(work())
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not db.in_transaction

    run(main())


def test_a_task_cancelled_before_its_commit_has_its_turn_undoes_all() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            await db.execute("CREATE TABLE t (a INT)")
            gate = threading.Event()

            async def work() -> None:
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (1)")
                    others.append(asyncio.create_task(db.do(gate.wait)))
                    await asyncio.sleep(0.01)  # the gate is in front of the commit

            others: list[asyncio.Task[bool]] = []
            task = asyncio.create_task(work())
            while not others:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(0.05)
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not db.in_transaction
            assert await (await db.execute("SELECT * FROM t")).fetchall() == []

    run(main())


def test_the_loop_goes_on_while_a_statement_runs() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            slow = asyncio.create_task(db.execute(SLOW))
            for _ in range(20):  # the loop turns
                await asyncio.sleep(0.005)
            assert not slow.done()
            db.cancel()
            with pytest.raises(Cancelled):
                await slow

    run(main())


async def cancelled(db: AsyncConnection, task: asyncio.Task[Any]) -> None:
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await (await db.execute("SELECT 1")).fetchall() == [(1,)]


def test_cancelling_a_task_stops_its_statement() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            await cancelled(db, asyncio.create_task(db.execute(SLOW)))
            await cancelled(db, asyncio.create_task(db.execute("WHILE 1 = 1 SELECT 1")))

    run(main())


def test_a_task_whose_turn_has_not_come_leaves_the_queue() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            await db.execute("CREATE TABLE t (a INT)")
            first = asyncio.create_task(db.execute(SLOW))
            second = asyncio.create_task(db.execute("INSERT INTO t VALUES (1)"))
            await asyncio.sleep(0.05)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            assert not first.done()
            await cancelled(db, first)
            assert await (await db.execute("SELECT a FROM t")).fetchall() == []

    run(main())


def test_a_time_limit_of_asyncio() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await db.execute(SLOW)

    run(main())


def test_tasks_take_turns() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            await db.execute("CREATE TABLE t (n INT); INSERT INTO t VALUES (0)")
            await asyncio.gather(*(db.execute("UPDATE t SET n = n + 1") for _ in range(20)))
            assert await (await db.execute("SELECT n FROM t")).fetchall() == [(20,)]

    run(main())


def test_errors_are_those_of_statements() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            with pytest.raises(errors.BindFault) as caught:
                await db.execute("SELECT nothing")
            assert caught.value.code == "UNKNOWN_COLUMN"
        with pytest.raises(Error, match="closed"):
            await db.execute("SELECT 1")
        await db.close()  # again
        with pytest.raises(errors.InterfaceFault):
            await hql.connect_async("hql://nobody@/")

    run(main())


def test_closing_lets_the_thread_go() -> None:
    async def main() -> None:
        async with await hql.connect_async() as db:
            await db.execute("SELECT 1")
            assert any(thread.name.startswith("hql_") for thread in threading.enumerate())

    run(main())
    for thread in threading.enumerate():
        if thread.name.startswith("hql_"):
            thread.join(10)
            assert not thread.is_alive()


def test_every_method_of_cursors_is_there() -> None:
    from hartonomous.hql.clients import AsyncCursor
    from hartonomous.hql.dbapi_cursor import Cursor

    absent = {n for n in vars(Cursor) if n[0] != "_" and not hasattr(AsyncCursor, n)}
    # what does nothing, other names, and what the asynchronous cursor itself is made with; the
    # protocol's `arraysize` is an annotation only
    assert absent - {"arraysize"} == {"setinputsizes", "setoutputsize", "df", "pl", "fetch_ready"}
    assert "arraysize" in AsyncCursor.__annotations__
