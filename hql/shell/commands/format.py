r"""\format: how rows are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    name = given.word()
    if name is not None:
        shell.settings.change("format", name)
    shell.say(f"format is {shell.settings.format}")


FORMAT = Command(
    ("format",),
    "[table|csv|json|arrow|markdown]",
    "how rows are written",
    "Settings",
    _run,
    completes="format",
)
