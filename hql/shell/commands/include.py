r"""\i: runs a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal
from hartonomous.hql.shell.commands.including import include

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> bool:
    from pathlib import Path

    name = given.word()
    if name is None:
        raise Refusal("which file?")
    return include(shell, Path(name).expanduser())


INCLUDE = Command(("i", "include"), "FILE", "run a file", "Files", _run, completes="file")
