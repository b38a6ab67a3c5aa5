r"""\unset: gives a setting its first value again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    name = given.word()
    if name is None:
        raise Refusal(r"which setting? \set lists them")
    shell.settings.reset(name)
    shell.say(f"{name} is {shell.settings.show(name)}")


UNSET = Command(
    ("unset",),
    "NAME",
    "give a setting its first value again",
    "Settings",
    _run,
    completes="setting",
)
