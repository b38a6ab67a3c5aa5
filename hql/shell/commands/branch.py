r"""\branch: the branches of this database; with the name of one, moves to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import Pattern, query, result_of
from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from hartonomous.hql.types import BIT, NVARCHAR

    word = given.word()
    session = shell.connection.session
    rows = query(shell, "SELECT name FROM sys.branches").to_table()
    names = rows.column(0).to_pylist()
    if word is not None and fold(word) in map(fold, names):
        session.use_branch(word)
        shell.say(f"on branch {session.branch}")
        return
    pattern = Pattern(word)
    found = [(name, name == session.branch) for name in names if pattern.matches(None, name)]
    if found:
        shell.show(result_of(found, {"branch": NVARCHAR, "is_current": BIT}))
    else:
        shell.say(f"there are no branches{pattern.said}")


BRANCH = Command(
    ("branch",), "[name | pattern]", "move to a branch, or list them", "Connection", _run
)
