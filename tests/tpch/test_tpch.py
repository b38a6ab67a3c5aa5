"""TPC-H's 22 queries on tpchgen-cli's data: loaded by COPY, answered as DuckDB answers them."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import cache
import duckdb
import pytest

from hartonomous import hql

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
QUERIES = sorted((HERE / "queries").glob("q*.sql"))
TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
SCALE = 0.1
FORMATS = ("parquet", "csv")


@pytest.fixture(scope="module")
def files() -> Path:
    """A folder with TABLE.parquet and TABLE.csv."""
    program = shutil.which("tpchgen-cli", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("tpchgen-cli is not installed: pip install -e '.[bench]'")

    def make(folder: Path) -> None:
        for form in FORMATS:
            subprocess.run(
                [program, form, "-s", str(SCALE), f"--output-dir={folder}"],
                check=True,
                capture_output=True,
            )

    return cache.folder(f"tpch-{SCALE}", make)


@pytest.fixture(scope="module", params=FORMATS)
def engines(
    request: pytest.FixtureRequest, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, duckdb.DuckDBPyConnection]]:
    """Our database, loaded and opened again, and DuckDB over the Parquet files."""
    path = tmp_path_factory.mktemp("tpch") / "tpch.hdb"
    with hql.connect(path) as database:
        database.execute((HERE / "schema.hql").read_text(encoding="utf-8"))
        for table in TABLES:
            database.execute(f"COPY {table} FROM '{files}/{table}.{request.param}'")
    peer = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    for table in TABLES:
        peer.execute(f"CREATE VIEW {table} AS FROM read_parquet('{files}/{table}.parquet')")
    with hql.connect(path, read_only=True) as database:
        yield database, peer
    peer.close()


def plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def same(ours: Any, theirs: Any) -> bool:
    ours, theirs = plain(ours), plain(theirs)
    if isinstance(ours, float) and isinstance(theirs, (int, float)):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return bool(ours == theirs)


def test_there_are_22() -> None:
    assert [q.stem for q in QUERIES] == [f"q{n:02}" for n in range(1, 23)]


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q.stem)
def test_query(query: Path, engines: tuple[Any, duckdb.DuckDBPyConnection]) -> None:
    database, peer = engines
    text = query.read_text(encoding="utf-8").replace("{fraction}", f"{0.0001 / SCALE:.10f}")
    ours, theirs = database.execute(text).fetchall(), peer.execute(text).fetchall()
    assert theirs, "a query without rows shows nothing"
    assert len(ours) == len(theirs)
    for number, (left, right) in enumerate(zip(ours, theirs, strict=True)):
        assert all(map(same, left, right)), f"row {number}: {left} is not {right}"


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_loaded(table: str, engines: tuple[Any, duckdb.DuckDBPyConnection]) -> None:
    database, peer = engines
    text = f"SELECT COUNT(*) FROM {table}"
    assert database.execute(text).fetchall() == peer.execute(text).fetchall()
