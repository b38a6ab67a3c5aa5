"""Each module can be the first of the project that a process imports: no circle hides behind the
order in which something else imports them."""

import subprocess
import sys
from pathlib import Path

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


def test_each_module_may_come_first():
    paths = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.py"))]
    names = [".".join(["hartonomous", *p.relative_to(ROOT).with_suffix("").parts]) for p in paths]
    modules = [name.removesuffix(".__init__") for name in names]
    done = subprocess.run(
        [sys.executable, "-c", FIRST_OF_ALL, *modules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
