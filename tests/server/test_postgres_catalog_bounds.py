"""What a query of PostgreSQL's catalog may not ask: the engine's own functions, texts of any
length; and that policies hide numbers of rows without breaking it."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import serving

from hartonomous import hql
from hartonomous.hql.security import passwords
from hartonomous.server.postgres.catalog_translation import translate
from hartonomous.server.postgres.faults import Refused


@pytest.mark.parametrize(
    "source",
    [
        "duckdb_settings() d",
        "query('SELECT 1') q",
        "read_csv('x') r",
        "ROWS FROM (duckdb_settings()) d",
        "pg_catalog.pg_class c, LATERAL pg_catalog.query('x') q",
        "(SELECT * FROM duckdb_secrets()) s",
        "(SELECT repeat('x', 2000000000)) s",
        "(SELECT lpad('x', 2000000000)) s",
    ],
)
def test_functions_of_the_engine_are_refused(source: str) -> None:
    with pytest.raises(Refused, match="is not of the catalog"):
        translate(f"SELECT * FROM {source}, pg_catalog.pg_type", {})


def test_a_policy_hides_how_many_rows_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    monkeypatch.setattr(passwords, "COST", (10, 8, 1))
    with hql.connect(tmp_path / "db") as db:
        db.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2); CREATE USER boss")
        db.execute("CREATE USER anna WITH PASSWORD = 'x'; GRANT SELECT ON t TO anna")
        db.execute("CREATE POLICY p ON t TO anna USING (a = 1)")
    with serving(tmp_path / "db", postgres_port=0) as server:
        assert server.server.postgres is not None
        port = server.server.postgres.port
        with psycopg.connect(host="127.0.0.1", port=port, user="anna", password="x") as anna:
            query = "SELECT reltuples FROM pg_catalog.pg_class WHERE relname = 't'"
            assert anna.execute(query).fetchall() == [(-1.0,)]
