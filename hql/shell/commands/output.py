r"""\o: sends results to a file or a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    target = given.text.strip("'\"")
    try:
        shell.redirect(target or None)
    except OSError as fault:
        raise Refusal(f"{target}: {fault.strerror}") from fault
    shell.say(f"results go to {target or 'the screen'}")


OUTPUT = Command(
    ("o", "out"),
    "[FILE | |command]",
    "results to a file or command; alone: to the screen again",
    "Files",
    _run,
    takes_line=True,
    completes="file",
)
