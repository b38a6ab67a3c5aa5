"""Where tests and benchmarks keep data that is too large or too slow to make each time.

Outside the repository: `HQL_TEST_CACHE`, else the user's cache folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def folder(name: str, make: Callable[[Path], None]) -> Path:
    """The folder called `name`, filled by `make(path)` if it is not there yet.

    It gets its name only when `make` is through, so that no half-made folder is ever used.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(os.environ.get("HQL_TEST_CACHE") or Path(home) / "hartonomous-tests")
    path = root / name
    if path.exists():
        return path
    root.mkdir(parents=True, exist_ok=True)
    fresh = root / f".{name}.{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        make(fresh)
    except BaseException:  # pytest's skip is one
        shutil.rmtree(fresh)
        raise
    try:
        fresh.rename(path)
    except OSError:  # another process was faster: its folder is as good
        shutil.rmtree(fresh)
    return path
