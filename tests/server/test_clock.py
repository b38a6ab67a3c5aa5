"""A machine whose clock is set back while a server runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from servers import serving
from wire_client import WireClient


def test_a_clock_that_steps_back_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, real_ns = time.time, time.time_ns
    with (
        serving(tmp_path / "db", idle_timeout=30.0) as server,
        WireClient(server.server.port) as client,
        WireClient(server.server.port) as other,
    ):
        client.query("CREATE TABLE t (n INT PRIMARY KEY)")
        client.query("INSERT INTO t VALUES (1)")
        other.send({"type": "query", "id": 1, "text": "WAITFOR DELAY '00:00:00.3'"})
        monkeypatch.setattr(time, "time", lambda: real() - 86_400)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() - 86_400 * 10**9)
        assert other.answer(1)[-1]["type"] == "complete"
        for n in range(2, 6):
            done = client.query(f"INSERT INTO t VALUES ({n})")[-1]
            assert done["type"] == "complete" and 0 <= done["elapsed_ms"] < 10_000
        assert client.query("WAITFOR DELAY '00:00:09'", timeout=0.1)[-1]["code"] == "TIMEOUT"
        times = client.rows("SELECT At FROM commits ORDER BY Sequence")
        assert len(times) == 6 and times == sorted(times)
        time.sleep(0.6)  # idle sessions are looked for
        assert other.rows("SELECT COUNT(*) FROM t") == [(5,)]
        took = client.rows("SELECT MIN(Milliseconds) FROM QueryLog")
        assert took[0][0] >= 0
    with serving(tmp_path / "db") as server, WireClient(server.server.port) as client:
        client.query("INSERT INTO t VALUES (6)")  # a process that never saw the later time
        times = client.rows("SELECT At FROM commits ORDER BY Sequence")
        assert len(times) == 7 and times == sorted(times)
        assert client.rows("SELECT COUNT(*) FROM t") == [(6,)]
