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


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[TestShell]:
    """A shell over an empty database on disk."""
    from shells import TestShell

    shell = TestShell(tmp_path / "d.hdb", columns=100)
    yield shell
    shell.close()
    shell.connection.close()


@pytest.fixture
def full(shell: TestShell) -> TestShell:
    """A shell over something of every kind."""
    from shells import DEFINITIONS

    assert shell.enter(DEFINITIONS)
    return shell
