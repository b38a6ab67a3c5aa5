"""What the tests of PEP 249 begin with: connections in a transaction, a table of drinks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from booze import SAMPLES

from hartonomous import hql


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
