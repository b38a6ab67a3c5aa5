r"""\!: a command of the system's shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    import os
    import subprocess

    shell.out.flush()
    done = subprocess.run(given.text or os.environ.get("SHELL", "sh"), shell=True, check=False)
    if done.returncode and given.text:
        shell.say(f"ended with {done.returncode}")


SYSTEM = Command(
    ("!",),
    "[command]",
    "run a command of the system's shell, or the shell",
    "Files",
    _run,
    takes_line=True,
    completes="file",
)
