"""Worker processes under load and beside a server that is killed: nothing wrong is answered, and
nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_runner import Runner
from server_workers import Served
from servers import ServerThread

from hartonomous import hql
from hartonomous.hql.errors import WorkerFault
from hartonomous.server import workers
from hartonomous.server.events import Columns, Rows
from hartonomous.server.routing import WorkerRouter

pytestmark = pytest.mark.slow

SECONDS = 4.0
MANY = "SELECT a.value AS n, REPLICATE('x', 100) AS s FROM GENERATE_SERIES(1, 400000) AS a"
CLIENTS = 6


def test_own_writes_are_read_while_workers_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PAUSE_SECONDS_MAX", 0.3)
    served = Served(tmp_path / "db", workers=2)
    setup = served.session()
    served.run(setup, "CREATE TABLE log (client INT, n INT, PRIMARY KEY (client, n))")
    routed = failed = 0
    until = time.monotonic() + SECONDS
    chance = random.Random(5)

    async def client(number: int) -> int:
        nonlocal routed, failed
        session = await served.engine.open_session(None, "wire", "test", encodes=True)
        n = seen = 0
        while time.monotonic() < until:
            n += 1
            await served.rows(session, "INSERT INTO log VALUES (@c, @n)", {"c": number, "n": n})
            text = "SELECT COUNT(*), MAX(n), (SELECT COUNT(*) FROM log) FROM log WHERE client = @c"
            running = session.run(text, {"c": number})
            try:
                found = [e async for e in running]
            except WorkerFault:
                failed += 1
                continue
            count, greatest, total = (c[0].as_py() for c in found[1].batch.columns)
            assert count == greatest == n <= total
            assert total >= seen, "what was seen once is seen again"
            seen = total
            routed += running.worker is not None
        return n

    async def killer() -> None:
        while time.monotonic() < until:
            await asyncio.sleep(chance.random())
            pids = served.pids
            if pids:
                os.kill(chance.choice(pids), signal.SIGKILL)

    async def keeper() -> None:
        while time.monotonic() < until:
            await asyncio.sleep(chance.random() / 2)
            await served.rows(setup, chance.choice(("CHECKPOINT", "VACUUM")))

    async def all_of_it() -> int:
        clients = [client(number) for number in range(CLIENTS)]
        *counts, _, _ = await asyncio.gather(*clients, killer(), keeper())
        return sum(c for c in counts if c is not None)

    written = served.do(all_of_it())
    assert served.run(setup, "SELECT COUNT(*) FROM log") == [(written,)]
    assert routed > 0 and served.workers.restarts > 0, (routed, failed)
    served.do(served.workers.wait_ready())
    pids = served.pids
    served.stop()
    assert not any(map(is_there, pids))


def test_a_worker_that_dies_amid_rows_is_an_error(tmp_path: Path) -> None:
    served = Served(tmp_path / "db", workers=2)
    session = served.session()
    served.run(session, "CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")

    async def struck() -> Any:
        running = session.run(MANY)
        found = [await anext(running), await anext(running)]
        assert [type(e) for e in found] == [Columns, Rows]
        for pid in served.pids:
            os.kill(pid, signal.SIGKILL)
        async for _ in running:
            pass

    with pytest.raises(WorkerFault) as caught:
        served.do(struck())
    assert caught.value.retry
    assert served.run(session, "SELECT COUNT(*) FROM t") == [(1,)], "by the engine meanwhile"
    served.do(served.workers.wait_ready())
    served.run(session, "SELECT COUNT(*) FROM t")
    assert served.was_routed
    served.stop()


def test_the_second_worker_is_asked_when_the_first_dies(tmp_path: Path) -> None:
    served = Served(tmp_path / "db", workers=2)
    session = served.session()
    served.run(session, "CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")

    async def struck() -> Any:
        for pid in served.pids:
            os.kill(pid, signal.SIGSTOP)
        task = asyncio.create_task(served.rows(session, "SELECT COUNT(*) FROM t"))
        while not (busy := [w for w in served.workers.workers.values() if w.busy]):
            await asyncio.sleep(0.001)
        busy[0].kill()
        for pid in served.pids:
            os.kill(pid, signal.SIGCONT)
        return await task

    assert served.do(struck()) == [(1,)]
    assert served.was_routed and served.router.lost == 1
    served.stop()


def test_a_worker_that_says_nothing_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Served(tmp_path / "db", workers=2)
    session = served.session()
    served.run(session, "CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
    pids = served.pids
    monkeypatch.setattr(workers, "PING_SECONDS", 0.1)
    monkeypatch.setattr(workers, "HANG_SECONDS", 1.0)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    assert served.run(session, "SELECT a FROM t") == [(1,)]
    assert not served.was_routed and served.router.lost > 0
    served.do(served.workers.wait_ready())
    assert served.run(session, "SELECT a FROM t") == [(1,)]
    assert served.was_routed and not set(served.pids) & set(pids)
    served.stop()


def test_what_cannot_start_is_tried_less_and_less_often(tmp_path: Path) -> None:
    reports: list[str] = []

    async def tried() -> int:
        keeper = workers.Workers(str(tmp_path / "nothing"), 1, 1 << 30, reports.append)
        keeper.start()
        await asyncio.sleep(3.0)
        await keeper.stop()
        return keeper.restarts

    assert 1 <= asyncio.run(tried()) <= 4
    assert reports and all("ended" in r for r in reports)


Serving = tuple[subprocess.Popen[str], list[int], list[Path]]


def test_a_server_that_is_killed_leaves_no_worker(tmp_path: Path, serving: Serving) -> None:
    server, pids, folders = serving
    server.kill()
    server.wait()
    wait_for(lambda: not any(map(is_there, pids)))
    wait_for(lambda: not any(f.exists() for f in folders))
    with hql.connect(tmp_path / "db") as db:
        assert db.execute("SELECT a FROM t").fetchall() == [(1,)]
    assert list((tmp_path / "db" / "readers").iterdir()) == []


def test_ctrl_c_ends_server_and_workers_in_order(serving: Serving) -> None:
    server, pids, folders = serving
    os.killpg(server.pid, signal.SIGINT)  # as a terminal does
    assert server.wait(30) == 0
    assert server.stderr is not None and "Traceback" not in server.stderr.read()
    assert not any(map(is_there, pids)) and not any(f.exists() for f in folders)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """A server, its workers, which have answered something, and their folders."""
    command = [sys.executable, "-m", "hartonomous.hql.shell.main", "serve", str(tmp_path / "db")]
    server = subprocess.Popen(
        [*command, "--port", "0", "--workers", "2", "--log-level", "error"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with server:
        try:
            assert server.stderr is not None
            found = re.search(r"hql://\S+", server.stderr.readline())
            assert found is not None
            with hql.connect(found[0]) as db:
                db.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
                wait_for(lambda: len(workers_of(server.pid)) == 2)
                assert db.execute("SELECT a FROM t").fetchall() == [(1,)]
            folders = list(tmp_path.glob("hartonomous-worker-*"))
            yield server, workers_of(server.pid), folders
        finally:
            server.kill()


def workers_of(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class ServedRunner(Runner):
    """Runs golden scripts through a server and its worker."""

    server: ServerThread | None = None
    routed = 0

    def session(self, name: str) -> Any:
        if self.server is None:
            self.server = ServerThread(self.database, workers=1)
            assert self.server.server.workers is not None
            self.server.do(self.server.server.workers.wait_ready())
        if name not in self.sessions:
            self.sessions[name] = hql.connect(self.server.url)
        return self.sessions[name]

    def close(self) -> None:
        super().close()
        server, self.server = self.server, None
        if server is not None:
            router = server.server.engine.router
            assert isinstance(router, WorkerRouter)
            self.routed += router.answered
            server.stop()


#: scripts that make users, who must then log in, or show by which door statements came
OTHERS = ("CREATE USER", "embedded")
SCRIPTS = sorted((Path(__file__).parents[1] / "golden" / "queries").glob("*.golden"))


def test_golden_scripts_of_queries(tmp_path: Path) -> None:
    routed = 0
    for script in SCRIPTS:
        text = script.read_text(encoding="utf-8")
        if any(word in text for word in OTHERS):
            continue
        folder = tmp_path / script.stem
        folder.mkdir()
        with ServedRunner(folder) as runner:
            assert runner.script(text).splitlines() == text.splitlines(), script
        routed += runner.routed
    assert routed > 20
