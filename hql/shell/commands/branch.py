r"""\branch: the branches of this database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import Pattern, result_of
from hartonomous.hql.shell.toolbar import BRANCH as CURRENT

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from hartonomous.hql.types import BIT, NVARCHAR

    pattern = Pattern(given.word())
    path = shell.connection.session.database.path
    names = [CURRENT]
    if path is not None:
        names = sorted(head.name for head in (Path(path) / "refs" / "heads").iterdir())
    rows = [(name, name == CURRENT) for name in names if pattern.matches(None, name)]
    if rows:
        shell.show(result_of(rows, {"branch": NVARCHAR, "is_current": BIT}))
    else:
        shell.say(f"there are no branches{pattern.said}")


BRANCH = Command(("branch",), "[pattern]", "branches of this database", "Connection", _run)
