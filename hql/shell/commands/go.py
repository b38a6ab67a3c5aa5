r"""\g: runs what was typed, or the last statement again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> bool:
    text = shell.take_text()
    if not text:
        raise Refusal("there is nothing to run yet")
    target = given.text.strip("'\"")
    before = shell.settings.expanded
    if given.name == "gx":
        shell.settings.expanded = "on"
    try:
        if not target:
            return shell.run(text)
        with shell.redirected(target):
            return shell.run(text)
    except OSError as fault:
        raise Refusal(f"{target}: {fault.strerror}") from fault
    finally:
        shell.settings.expanded = before


GO = Command(
    ("g", "gx"),
    "[FILE | |command]",
    "run (again), results to a file or command; x: expanded",
    "Running",
    _run,
    takes_line=True,
    completes="file",
)
