r"""\h: what a statement, function, type, table or command is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from hartonomous.hql.help.asking import overview, page

    shell.write_lines(page(given.text) if given.text.strip() else overview())


HELP = Command(
    ("h",), "[topic]", "help on a statement, function, type or table", "General", _run,
    takes_line=True, completes="topic",
)  # fmt: skip
