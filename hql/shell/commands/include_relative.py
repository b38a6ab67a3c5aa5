r"""\ir: runs a file that lies beside the one that says so."""

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
    return include(shell, (shell.folder or Path()) / Path(name).expanduser())


INCLUDE_RELATIVE = Command(
    ("ir",),
    "FILE",
    "run a file; its name counts from this script's folder",
    "Files",
    _run,
    completes="file",
)
