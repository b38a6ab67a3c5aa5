"""`hql serve` as a process: signals, the lock, dying and coming back."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from server_process import HQL, serving
from wire_client import Closed, WireClient

pytestmark = pytest.mark.slow


def test_a_server_told_to_stop_lets_statements_finish(tmp_path: Path) -> None:
    with serving(tmp_path / "db") as server, WireClient(server.port) as client:
        client.query("CREATE TABLE t (n INT)")
        opened = subprocess.run(
            [str(HQL), "-c", "SELECT 1", str(tmp_path / "db")], capture_output=True, text=True
        )
        assert opened.returncode == 1
        assert f"hint: connect to hql://127.0.0.1:{server.port}/" in opened.stderr
        client.send(
            {
                "type": "query",
                "id": 1,
                "text": "WAITFOR DELAY '00:00:01'; INSERT INTO t VALUES (1)",
            }
        )
        client.send({"type": "ping", "id": 2})
        client.message()
        server.signal(signal.SIGTERM)
        assert client.answer(1)[-1]["type"] == "complete"
        assert server.wait() == 0
    with serving(tmp_path / "db") as server, WireClient(server.port) as client:
        assert client.rows("SELECT COUNT(*) FROM t") == [(1,)]
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_after_the_grace_statements_are_stopped_and_a_second_signal_ends_at_once(
    tmp_path: Path,
) -> None:
    waiting = {"type": "query", "id": 1, "text": "WAITFOR DELAY '00:05:00'"}
    with serving(tmp_path / "db", "--grace", "0.2") as server, WireClient(server.port) as client:
        client.send(waiting, {"type": "ping", "id": 2})
        server.signal(signal.SIGTERM)
        found: list[Any] = []
        with pytest.raises(Closed):
            while True:
                found += client.message()
        assert "goodbye" in [f["type"] for f in found]
        assert server.wait() == 0
    with serving(tmp_path / "db") as server, WireClient(server.port) as client:
        client.send(waiting, {"type": "ping", "id": 2})
        client.message()
        server.signal(signal.SIGTERM)
        time.sleep(0.3)
        server.signal(signal.SIGTERM)
        began = time.monotonic()
        assert server.wait() == 1
        assert time.monotonic() - began < 30  # far from the five minutes of the statement


def test_a_killed_server_comes_back_with_what_was_acknowledged(tmp_path: Path) -> None:
    acknowledged = 0
    for _ in range(3):
        with serving(tmp_path / "db") as server, WireClient(server.port) as client:
            client.query("IF OBJECT_ID('t') IS NULL CREATE TABLE t (n INT PRIMARY KEY)")
            (found,) = client.rows("SELECT COALESCE(MAX(n), 0), COUNT(*) FROM t")
            # commits that were under way may be there or not, those acknowledged are
            assert found[0] == found[1] and found[0] >= acknowledged
            first = found[0] + 1
            client.send(
                *(
                    {"type": "query", "id": n, "text": f"INSERT INTO t VALUES ({n})"}
                    for n in range(first, first + 60)
                )
            )
            done = 0
            while done < 20:
                ended = [f for f in client.message() if f["type"] in ("complete", "error")]
                assert all(f["type"] == "complete" for f in ended)
                acknowledged = max([acknowledged, *(f["id"] for f in ended)])
                done += len(ended)
            server.signal(signal.SIGKILL)
            assert server.wait() == -signal.SIGKILL
            with pytest.raises((Closed, ConnectionError)):
                while True:
                    ended = [f for f in client.message() if f["type"] == "complete"]
                    acknowledged = max([acknowledged, *(f["id"] for f in ended)])
