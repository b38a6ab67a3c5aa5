r"""\q: leaves the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    given.words(0)
    shell.is_leaving = True


QUIT = Command(("q", "quit"), "", "leave the shell (also Ctrl-D)", "General", _run)
