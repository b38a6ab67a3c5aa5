r"""\timing: whether the time of each statement is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    shell.settings.change("timing", given.word() or ("on", "off")[shell.settings.timing])
    shell.say(f"timing is {shell.settings.show('timing')}")


TIMING = Command(
    ("timing",),
    "[on|off]",
    "show the time that each statement takes",
    "Settings",
    _run,
    completes="switch",
)
