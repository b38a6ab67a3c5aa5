"""What statements leave in memory goes when nobody has it any more: nothing holds itself, for the
collector of cycles to find, which on a busy server waits for a quiet moment."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from load_clients import TABLES, Client
from servers import serving

from hartonomous import hql

TIMES = 20


@pytest.fixture(scope="module", params=["embedded", "wire"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    with serving() as server, hql.connect(server.url) as over_wire, hql.connect() as embedded:
        db = over_wire if request.param == "wire" else embedded
        db.execute(TABLES.replace("100000", "1000").replace("CHECKPOINT", ""))
        yield Client(db, 1)


def look_up(client: Client) -> None:
    client.rows("SELECT a, x FROM facts WHERE id = @k", k=7)


def group(client: Client) -> None:
    client.rows("SELECT a % 10, COUNT(*) FROM facts GROUP BY a % 10")


KINDS = {
    "look up": look_up,
    "group": group,
    "insert": Client.write,
    "update": Client.change,
    "undo": Client.undo,
    "fail": Client.fail,
}


@pytest.mark.parametrize("kind", KINDS)
def test_statements_leave_nothing_to_the_collector(client: Client, kind: str) -> None:
    run = KINDS[kind]
    client.write()
    for _ in range(3):  # plans, caches
        run(client)
    gc.collect()
    gc.disable()
    try:
        for _ in range(TIMES):
            run(client)
        found = gc.collect()
    finally:
        gc.enable()
    assert found < TIMES, f"{found / TIMES:.0f} objects for each statement"
