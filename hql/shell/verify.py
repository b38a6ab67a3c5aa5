"""`hql verify DB`: re-hashes a folder and prints what does not agree."""

from __future__ import annotations

import sys
from pathlib import Path

from hartonomous.hql.copying.progress import Progress
from hartonomous.hql.shell.output import say
from hartonomous.storage.errors import NotFound

_HINT = 'hql verify reads a folder; a server is asked by hql -c "VERIFY DATABASE" hql://host:7433/'


def verify_folder(path: Path, *, cut_tail: bool) -> int:
    """0 if everything agrees, else 1 with one line a problem on stdout."""
    from hartonomous.storage.database import Database

    if not path.is_dir():
        raise NotFound(f'"{path}" is not a folder', hint=_HINT)
    if cut_tail:
        cut = Database.cut_tail(path)
        say(f"cut {cut:,} bytes off the log's end" if cut else "the log's end is whole")
    database = Database.open(path, read_only=True)
    progress = Progress("verify")
    try:
        notes: list[str] = []
        problems = database.verify(progress.update, notes)
    finally:
        progress.close()
        database.close()
    for problem in problems:
        sys.stdout.write(
            f"{problem.what} {problem.where}: expected {problem.expected}, found {problem.found}\n"
        )
    say(f"{len(problems)} problems" if problems else "everything agrees with its hash")
    for note in notes:
        say(note)
    return 1 if problems else 0
