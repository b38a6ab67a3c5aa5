r"""\p: what was typed and not sent, or the last statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    given.words(0)
    text = shell.buffer if shell.buffer.strip() else shell.last_text
    if text:
        shell.write_lines(text.strip("\n").split("\n"))
    else:
        shell.say("nothing has been typed yet")


PRINT_TEXT = Command(("p", "print"), "", "show what \\g would run", "Text", _run)
