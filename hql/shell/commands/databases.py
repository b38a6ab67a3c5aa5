r"""\l: the databases beside this one and in the working folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import Pattern, result_of

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from hartonomous.hql.types import BIGINT, BIT, NVARCHAR

    pattern = Pattern(given.word())
    folder = shell.connection.session.folder
    own = None if folder is None else folder.resolve()
    folders = {Path.cwd(), *([own.parent] if own is not None else [])}
    found = sorted({database for folder in folders for database in _databases(folder)})
    rows = [
        (database.name, str(database.parent), _bytes(database), database == own)
        for database in found
        if pattern.matches(None, database.name)
    ]
    types = {"name": NVARCHAR, "folder": NVARCHAR, "bytes": BIGINT, "is_open": BIT}
    if rows:
        shell.show(result_of(rows, types))
    else:
        shell.say(f"there are no databases{pattern.said} in {', '.join(map(str, folders))}")


def _databases(folder: Path) -> Iterator[Path]:
    for child in folder.iterdir():
        if (child / "FORMAT").is_file() and (child / "refs" / "heads").is_dir():
            yield child.resolve()


def _bytes(folder: Path) -> int:
    """The size of a folder's files; those that go while we look count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


DATABASES = Command(
    ("l", "list"),
    "[pattern]",
    "databases in this one's folder and the working folder",
    "Connection",
    _run,
)
