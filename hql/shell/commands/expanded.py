r"""\x: a line for each value instead of one for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    other = "on" if shell.settings.expanded == "off" else "off"
    shell.settings.change("expanded", given.word() or other)
    shell.say(f"expanded view is {shell.settings.expanded}")


EXPANDED = Command(
    ("x",),
    "[on|off|auto]",
    "a line for each value; auto: where rows are too wide",
    "Settings",
    _run,
    completes="switch",
)
