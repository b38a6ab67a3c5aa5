"""Where the demo's text comes from: source code that is on every machine that can run it."""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path

#: folders of the standard library that are no part of every installation, or no text to search
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "lib2to3", "__pycache__"}


def library_sources() -> list[str]:
    """Globs and folders that together are the standard library's source."""
    root = Path(sysconfig.get_path("stdlib"))
    folders = (f for f in sorted(root.iterdir()) if f.is_dir() and f.name not in LEFT_OUT)
    packages = [str(folder) for folder in folders if (folder / "__init__.py").exists()]
    return [str(root / "*.py"), *packages]


def package_source(name: str) -> str:
    """The folder of an installed package."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.submodule_search_locations, name
    return spec.submodule_search_locations[0]
