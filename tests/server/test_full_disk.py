"""A server whose disk is full: statements that write fail with DISK, the server lives, reads go on,
and once there is room writes go on."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_process import serving

from hartonomous import hql

MEBIBYTES = 24
BALLAST = 6 << 20
PATIENCE = 60.0
pytestmark = pytest.mark.slow


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of so many mebibytes, where one may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m", "tmpfs", str(folder)]
    try:
        found = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if found.returncode:
        pytest.skip(f"no file system may be mounted here: {found.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(db: Any, done: int = 0) -> int:
    """Inserts after `done` rows until the disk is full; how many rows are acknowledged then."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            # noise, which nothing makes smaller
            db.execute(
                "INSERT INTO t SELECT @n + value, CAST(NEWID() AS NVARCHAR(40)) + REPLICATE("
                "CAST(NEWID() AS NVARCHAR(40)), 40) FROM GENERATE_SERIES(1, 200)",
                {"n": done},
            )
        except hql.OperationalError as error:
            assert error.code == "DISK", error
            return done
        done += 200
    raise AssertionError("the disk is not full")


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * BALLAST)
        with serving(disk / "db") as server:
            url = f"hql://127.0.0.1:{server.port}/"
            with hql.connect(url) as db, hql.connect(url) as reader:
                db.execute("CREATE TABLE t (id INT PRIMARY KEY, s NVARCHAR(MAX))")
                done = fill(db)
                assert done > 0
                for _ in range(10):  # reads go on, and nothing of what failed is seen
                    found = reader.execute("SELECT COUNT(*), MAX(id) FROM t").fetchall()
                    assert found == [(done, done)]
                    done = fill(db, done)
                with pytest.raises(hql.OperationalError) as failed:
                    db.execute("CHECKPOINT")
                assert failed.value.code == "DISK"
                ballast.unlink()
                assert fill(db, done) > done  # without being opened again
                (found,) = reader.execute("SELECT COUNT(*) FROM t").fetchall()
            server.signal(signal.SIGKILL)
            server.wait()
        with serving(disk / "db") as server, hql.connect(f"hql://127.0.0.1:{server.port}/") as db:
            assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [found]
            db.execute("DELETE FROM t WHERE id > 100")
