"""Each module can be the first of the project that a process imports: no circle hides behind the
order in which something else imports them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("grammar", "hql", "kernels", "server", "storage")

# one process for all: pyarrow, duckdb and numba stay loaded, ours is forgotten each time
FIRST_OF_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    for known in [m for m in sys.modules if m.startswith("hartonomous.")]:
        del sys.modules[known]
    try:
        importlib.import_module(name)
    except ImportError as error:
        sys.exit(f"{name}: {error}")
"""


@pytest.mark.slow
def test_each_module_may_come_first():
    paths = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.py"))]
    names = [".".join(["hartonomous", *p.relative_to(ROOT).with_suffix("").parts]) for p in paths]
    modules = [name.removesuffix(".__init__") for name in names]
    done = subprocess.run(
        [sys.executable, "-c", FIRST_OF_ALL, *modules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


FIRST_QUERY = """
import sys
from hartonomous import hql
with hql.connect() as database:
    assert database.execute("SELECT 1").fetchall() == [(1,)]
print(*(m.removeprefix("hartonomous.") for m in sys.modules if m.startswith("hartonomous.")))
"""


def test_a_first_query_imports_only_what_it_needs():
    """It pays for each module, 0.3 ms, and `hql -c "SELECT 1"` is to be near importing pyarrow."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_QUERY], capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    apart = {"__init__", "base", "parts", "query"}
    statements = {p.stem for p in (ROOT / "hql" / "statements").glob("*.py")} - apart
    folders_only = {"checkpoint", "history", "readers", "recovery", "replay", "verify"}
    forbidden = {f"hql.statements.{name}" for name in statements}
    forbidden |= {f"storage.{name}" for name in folders_only}
    assert "hql.statements.query" in imported
    assert imported & forbidden == set()


def test_frozen_classes_are_cheap_to_define():
    """`@dataclass(frozen=True)` compiles six functions for each class; `@frozen` none. (Grammar and
    kernels import nothing of the project.)"""
    paths = [p for folder in ("hql", "server", "storage") for p in (ROOT / folder).rglob("*.py")]
    slow = [str(p) for p in paths if "\n@dataclass(frozen" in p.read_text(encoding="utf-8")]
    assert slow == [], "use @frozen of storage/frozen.py"
