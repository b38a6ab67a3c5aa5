"""A connection does not go through fork: a child that wrote on would write over its parent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import serving

from hartonomous import hql
from hartonomous.storage.errors import Locked


def in_child(action: Callable[[], Any]) -> str:
    """What `action` gives or raises in a forked child, as text."""
    source, target = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = str(action())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(target, said.encode())
        os._exit(0)
    os.close(target)
    with open(source, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


# the child runs none of the threads that the libraries started, and touches none of them
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_leaves_its_parents_database_alone(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    with hql.connect(folder) as db:
        db.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
        db.execute("BEGIN TRAN")
        db.execute("INSERT INTO t VALUES (2)")
        assert "opened before this process was forked" in in_child(db.commit)
        db.commit()
        assert "Locked" in in_child(lambda: db.execute("INSERT INTO t VALUES (3)"))
        assert "Locked" in in_child(lambda: db.execute("CHECKPOINT"))
        assert in_child(db.close) == "None"
        # the child's own connection is a new one, and the parent still has the lock
        assert "open for writing elsewhere" in in_child(lambda: hql.connect(folder))
        db.execute("INSERT INTO t VALUES (4)")
        assert db.execute("VERIFY DATABASE").fetchall() == []
    with hql.connect(folder) as db:
        assert db.execute("SELECT a FROM t ORDER BY a").fetchall() == [(1,), (2,), (4,)]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    db = hql.connect(folder)
    source, target = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(target)
        os.read(source, 1)  # until the parent lets go
        os._exit(0)
    try:
        db.close()
        hql.connect(folder).close()
    except Locked:
        pytest.fail("the child holds its parent's lock")
    finally:
        os.close(target)
        os.close(source)
        os.waitpid(child, 0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_leaves_its_parents_connection_to_a_server_alone() -> None:
    """It makes one of its own, if nothing is lost with the parent's."""
    with serving() as server, hql.connect(server.url) as db:
        number = db.session.number
        db.execute("CREATE TABLE t (a INT)")
        sessions = "SELECT COUNT(*) FROM sys.sessions WHERE door = 'wire'"
        assert in_child(lambda: db.execute(sessions).fetchall()) == "[(2,)]"
        assert in_child(db.close) == "None"
        db.execute("BEGIN TRAN; INSERT INTO t VALUES (1)")
        assert "before this process was forked" in in_child(lambda: db.execute("SELECT 1"))
        assert "before this process was forked" in in_child(db.commit)
        db.commit()
        assert db.session.number == number
        assert db.execute("SELECT a FROM t").fetchall() == [(1,)]
