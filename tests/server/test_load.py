"""Two hundred clients of one server at once; tests/bench/load.py measures that for a minute."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import load_clients
import pytest
from server_process import Process, serving

from hartonomous import hql

CLIENTS, SECONDS = 200, 3
MEBIBYTES_MAX = 64
pytestmark = pytest.mark.slow


def crowd(port: int) -> None:
    """Lets them run. All is right that they see, and busy is all that goes wrong."""
    url = f"hql://127.0.0.1:{port}/"
    command = [sys.executable, load_clients.__file__, url, str(CLIENTS), str(SECONDS)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["wrong"] == [], told["wrong"][:3]
    assert told["statements"] > CLIENTS


def size(server: Process) -> tuple[float, int, int]:
    """Resident mebibytes, threads and open files of a server's process."""
    folder = Path(f"/proc/{server.process.pid}")
    found = dict(re.findall(r"(\w+):\s+(\d+)", (folder / "status").read_text()))
    return int(found["VmRSS"]) / 1024, int(found["Threads"]), len(list((folder / "fd").iterdir()))


def test_two_hundred_clients(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "db") as db:
        db.execute(load_clients.TABLES)
    with serving(tmp_path / "db") as server:
        crowd(server.port)
        first = size(server)
        with hql.connect(f"hql://127.0.0.1:{server.port}/") as db:
            db.execute("DELETE FROM notes")  # ids are given anew
            mine = db.execute("SELECT COUNT(*) FROM sys.sessions").fetchone()
            assert mine is not None and mine[0] <= 2  # this one, and the server's own
        crowd(server.port)
        memory, threads, files = size(server)
        assert memory - first[0] < MEBIBYTES_MAX, (first, memory)
        assert threads <= first[1] + 2 and files <= first[2] + 8, (first, threads, files)
