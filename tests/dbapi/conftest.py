"""What the tests of the Python interface begin with: a door, through which `hql.connect` goes;
connections in a transaction, a table of drinks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from booze import SAMPLES
from doors import DOORS, Embedded, Wire

from hartonomous import hql


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that connects runs through every door that its module names (DOORS, and
    SLOW_DOORS if slow tests run; else embedded and wire), but for those marked `embedded`."""
    if "door" not in metafunc.fixturenames:
        return
    names = getattr(metafunc.module, "DOORS", ("embedded", "wire"))
    is_embedded = metafunc.definition.get_closest_marker("embedded") is not None
    if is_embedded:
        names = ("embedded",)
    slow = [] if is_embedded else getattr(metafunc.module, "SLOW_DOORS", ())
    marked = [pytest.param(name, marks=pytest.mark.slow) for name in slow]
    metafunc.parametrize("door", [*names, *marked], indirect=True)


@pytest.fixture(autouse=True)
def door(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    opened: Embedded | Wire = DOORS[request.param]()
    monkeypatch.setattr(hql, "connect", opened.connect)
    monkeypatch.setattr(hql, "connect_async", opened.connect_async)
    yield opened
    opened.close()


@pytest.fixture
def db() -> Iterator[Any]:
    connection = hql.connect(autocommit=False)
    connection.execute("CREATE TABLE booze (name NVARCHAR(20))")
    connection.commit()
    yield connection
    connection.close()


@pytest.fixture
def filled(db: Any) -> Any:
    db.cursor().executemany("INSERT INTO booze VALUES (:name)", [{"name": n} for n in SAMPLES])
    return db
