"""What several of the unit tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shells import TestShell

    from hartonomous.storage.database import Database


@pytest.fixture
def db() -> Database:
    """A store in memory."""
    from hartonomous.storage.database import Database

    return Database.open(None)


@pytest.fixture(params=["embedded", pytest.param("wire", marks=pytest.mark.slow)])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestShell]:
    """A shell over an empty database on disk, which may be a server's."""
    from doors import DOORS
    from shells import TestShell

    if request.param == "wire" and request.node.get_closest_marker("embedded"):
        pytest.skip("of this machine's folders")
    door = DOORS[request.param]()
    database = tmp_path / "d.hdb"
    shell = TestShell(door.url(database) if request.param == "wire" else database, columns=100)
    yield shell
    shell.close()
    shell.connection.close()
    door.close()


@pytest.fixture
def full(shell: TestShell) -> TestShell:
    """A shell over something of every kind."""
    from shells import DEFINITIONS

    assert shell.enter(DEFINITIONS)
    return shell
