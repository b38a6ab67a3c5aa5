"""What access that is over ends at once: open transactions, results, tokens' sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from servers import serving

from hartonomous import hql
from hartonomous.hql.errors import AuthFault
from hartonomous.hql.security import passwords


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", (10, 8, 1))


def user(url: str, name: str) -> Any:
    return hql.connect(url.replace("hql://", f"hql://{name}:x@"))


def test_the_first_user_ends_open_transactions_and_results() -> None:
    with serving() as server:
        one, changing, reading = (hql.connect(server.url) for _ in range(3))
        one.execute("SELECT value AS a INTO t FROM GENERATE_SERIES(1, 400000)")
        changing.autocommit = False
        changing.execute("INSERT INTO t VALUES (-1)")
        cursor = reading.execute("SELECT a, REPLICATE('x', 500) AS x FROM t")
        assert cursor.fetchone() is not None
        one.execute("CREATE USER boss WITH PASSWORD = 'x'")
        with pytest.raises(AuthFault):
            changing.commit()
        with pytest.raises(AuthFault):
            cursor.fetchall()
        with user(server.url, "boss") as boss:
            assert boss.execute("SELECT COUNT(*) FROM t").fetchone() == (400_000,)


def test_a_session_lasts_no_longer_than_its_token(tmp_path: Path) -> None:
    with serving(tmp_path / "db") as server:
        hql.connect(server.url).execute("CREATE USER boss WITH PASSWORD = 'x'")
        with user(server.url, "boss") as boss:
            token = boss.execute("CREATE TOKEN t FOR boss").fetchone()[1]
            with hql.connect(server.url, token=token) as by_token:
                assert by_token.execute("SELECT 1").fetchone() == (1,)
                boss.execute("CREATE USER other")
                assert by_token.execute("SELECT 2").fetchone() == (2,)
                boss.execute("DROP TOKEN t")
                with pytest.raises(AuthFault):
                    by_token.execute("SELECT 3")
            assert boss.execute("SELECT 4").fetchone() == (4,)
