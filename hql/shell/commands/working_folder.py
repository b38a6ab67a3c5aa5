r"""\cd: goes to another folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    import os
    from pathlib import Path

    path = Path(given.word() or "~").expanduser()
    try:
        os.chdir(path)
    except OSError as fault:
        raise Refusal(f"{path}: {fault.strerror}") from fault
    shell.say(str(Path.cwd()))


WORKING_FOLDER = Command(
    ("cd",), "[FOLDER]", "go to another working folder", "Files", _run, completes="file"
)
