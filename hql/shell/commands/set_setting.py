r"""\set: shows and changes settings of the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import result_of, show_plainly
from hartonomous.hql.shell.settings import SETTINGS

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from hartonomous.hql.types import NVARCHAR

    name, *value = given.words(2) or [""]
    if value:
        shell.settings.change(name, value[0])
        shell.say(f"{name} is {shell.settings.show(name)}")
    elif name:
        shell.write_lines([f"{name} is {shell.settings.show(name)}"])
    else:
        rows = [(n, shell.settings.show(n), setting.about) for n, setting in SETTINGS.items()]
        show_plainly(
            shell, result_of(rows, {"setting": NVARCHAR, "value": NVARCHAR, "meaning": NVARCHAR})
        )


SET = Command(
    ("set", "pset"),
    "[NAME [VALUE]]",
    "show or change settings of this shell",
    "Settings",
    _run,
    completes="setting",
)
