"""Which files a path, folder or glob means, in an order that is the same each time.

Of a folder: all files below it, by name, without what is hidden (names that begin with a point) and
Python's caches. Links to files are read, links to folders below it are not followed, so that none
is read twice and no loop is entered.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from glob import has_magic, iglob
from pathlib import Path

from hartonomous.hql.errors import FileFault

CACHE = "__pycache__"


def find_files(text: str) -> list[Path]:
    """Absolute paths. FileFault if there is nothing."""
    path = Path(os.path.expanduser(text))  # Path's own raises where there is no such user
    if path.is_dir():
        return list(_below(path))
    if path.exists() or path.is_symlink():
        return [Path(os.path.abspath(path))]
    if not has_magic(text):
        raise FileFault(f'there is no file or folder "{text}"')
    found: list[Path] = []
    for match in sorted(iglob(str(path), recursive=True)):
        below = Path(match)
        if not below.is_dir():
            found.append(Path(os.path.abspath(below)))
        elif not text.endswith("**"):  # which names everything below by itself
            found += _below(below)
    if not found:
        raise FileFault(f'nothing matches "{text}"')
    return list(dict.fromkeys(found))


def _below(folder: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(os.path.abspath(folder)):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != CACHE)
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(top, name)
