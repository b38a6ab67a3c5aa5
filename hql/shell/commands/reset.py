r"""\r: forgets what was typed and not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    given.words(0)
    shell.buffer = ""
    shell.say("what was typed is forgotten")


RESET = Command(("r", "reset"), "", "forget what was typed and not sent", "Text", _run)
