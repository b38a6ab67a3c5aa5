"""What the tests of crashes share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hartonomous.storage import load, prepare


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows are many, and become segments at once."""
    monkeypatch.setattr(load, "BULK_BYTES", 500)
    monkeypatch.setattr(prepare, "BULK_BYTES", 500)


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a folder: power cuts are acted out by FaultyDisk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)
