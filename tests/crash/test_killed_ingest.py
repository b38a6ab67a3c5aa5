"""SIGKILL during INGEST: whole batches are there, and the same statement run again ends with what
an ingest that was never killed leaves: nothing twice, nothing lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.storage.database import Database

CHILD = Path(__file__).with_name("ingester.py")
FOLDER = Path(sysconfig.get_path("stdlib")) / "email"


def ingest_and_kill(database: Path, batches: int) -> None:
    """Kills the child when it has committed so many batches, somewhere in the next ones."""
    command = [sys.executable, str(CHILD), str(database), str(FOLDER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(batches):
            assert child.stdout.readline() == "committed\n"
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        assert child.wait() == -signal.SIGKILL and "done" not in rest, "it was through already"


def state(path: Path | str) -> tuple[list[Any], list[Any]]:
    """Sources with their atoms, and atoms, but for numbers and times."""
    with hql.connect(path) as connection:
        sources = connection.execute(
            "SELECT s.SourceUri, s.StartByte, s.EndByte, s.SourceHash, a.ContentHash "
            "FROM AtomSources AS s JOIN Atoms AS a ON a.AtomId = s.AtomId ORDER BY 1, 2"
        ).fetchall()
        atoms = connection.execute(
            "SELECT Modality, ContentHash, CanonicalText, Embedding FROM Atoms ORDER BY 2"
        ).fetchall()
    return sources, [(*a[:3], bytes(memoryview(a[3]))) for a in atoms]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Any]]:
    folder = tmp_path_factory.mktemp("whole") / "atoms.hdb"
    with hql.connect(folder) as connection:
        connection.execute("INGEST @path AS TEXT", {"path": str(FOLDER)})
    return state(folder)


def test_killed_and_run_again(tmp_path: Path, whole: tuple[list[Any], list[Any]]) -> None:
    folder = tmp_path / "atoms.hdb"
    for batches in (1, 4):
        ingest_and_kill(folder, batches)
        database = Database.open(folder)
        assert database.verify() == []
        database.close()
        sources, atoms = state(folder)
        assert sources and set(sources) < set(whole[0]) and len(set(sources)) == len(sources)
        files = {s[0] for s in sources}
        assert [s for s in whole[0] if s[0] in files] == sources, "files are there whole"
        assert {a[1] for a in atoms} < {a[1] for a in whole[1]}
    with hql.connect(folder) as connection:
        figures = connection.execute("INGEST @path AS TEXT", {"path": str(FOLDER)}).fetchone()
        assert figures is not None and figures[3] > 0, "what was done is skipped"
    assert state(folder) == whole
