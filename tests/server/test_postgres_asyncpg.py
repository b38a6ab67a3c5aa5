"""asyncpg as a client: it describes every statement before it runs, and speaks binary alone."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from servers import serving

ROW = {
    "n": "é",
    "d": datetime.date(2024, 1, 2),
    "x": Decimal("12.34"),
    "v": [1.0, 2.5, 3.0],
    "u": uuid.UUID(int=9),
    "ts": datetime.datetime(2024, 1, 1, 2, 3, 4, 5),
    "tz": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    "b": b"\0\1",
    "bit": True,
    "j": '{"a": 1}',
}


async def conversation(port: int) -> None:
    where: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "anna", "database": "atlas"}
    async with asyncpg.create_pool(**where, min_size=1, max_size=2) as pool:
        await pool.execute(
            "CREATE TABLE t (id INT PRIMARY KEY IDENTITY, n NVARCHAR(20), d DATE, x DECIMAL(10,2), "
            "v VECTOR(3), u UNIQUEIDENTIFIER, ts DATETIME2, tz DATETIMEOFFSET, b VARBINARY, "
            "bit BIT, j JSON)"
        )
        # types of parameters are those of their columns
        marks = ", ".join(f"${i}" for i in range(1, len(ROW) + 1))
        insert = f"INSERT INTO t ({', '.join(ROW)}) OUTPUT inserted.id VALUES ({marks})"
        assert await pool.fetchval(insert, *ROW.values()) == 1
        found = await pool.fetchrow("SELECT * FROM t WHERE id = $1 AND n LIKE $2", 1, "é%")
        assert found is not None
        assert dict(found) == {"id": 1} | ROW
        assert await pool.fetchval("SELECT TOP ($1) x + 1 FROM t", 5) == Decimal("13.34")
        async with pool.acquire() as db:
            async with db.transaction():
                rows = db.cursor("SELECT value FROM GENERATE_SERIES(1, 9)", prefetch=2)
                assert [row[0] async for row in rows] == list(range(1, 10))
            await db.executemany("INSERT INTO t (n) VALUES ($1)", [("a",), ("b",)])
            with pytest.raises(asyncpg.UndefinedColumnError):
                await db.fetch("SELECT nope FROM t")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(db.execute("WAITFOR DELAY '00:01:00'"), 0.2)
            assert await db.fetchval("SELECT COUNT(*) FROM t") == 3


@pytest.mark.slow
def test_asyncpg() -> None:
    with serving(postgres_port=0) as server:
        assert server.server.postgres is not None
        asyncio.run(asyncio.wait_for(conversation(server.server.postgres.port), 60))
