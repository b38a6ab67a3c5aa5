r"""\echo: writes a text where results go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    shell.write_lines([given.text.strip("'\"")])


ECHO = Command(("echo", "qecho"), "[text]", "write a text where results go", "Files", _run)
