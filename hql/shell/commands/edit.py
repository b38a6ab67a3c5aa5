r"""\e: what was typed, the last statement, or a file, in an editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> bool:
    from hartonomous.hql.shell.completeness import read_ending

    name = given.word()
    if name is not None:
        shell.buffer = _edited(Path(name).expanduser())
    else:
        with tempfile.TemporaryDirectory(prefix="hql") as folder:
            path = Path(folder) / "edit.hql"
            path.write_text(shell.take_text() + "\n", encoding="utf-8")
            shell.buffer = _edited(path)
    shell.buffer = shell.buffer.rstrip()
    # as psql: what is finished runs, the rest is shown in the prompt
    return shell.send() if read_ending(shell.buffer).is_sent else True


def _edited(path: Path) -> str:
    editor = next(filter(None, map(os.environ.get, ("HQL_EDITOR", "EDITOR", "VISUAL"))), "vi")
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)
    except (OSError, ValueError) as fault:
        raise Refusal(f"{editor} cannot be run: {fault}") from fault
    if done.returncode != 0:
        raise Refusal(f"{editor} ended with {done.returncode}; nothing is taken from it")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise Refusal(f"{path} cannot be read: {fault}") from fault


EDIT = Command(
    ("e", "edit"),
    "[FILE]",
    "edit what was typed, the last statement or a file ($EDITOR)",
    "Text",
    _run,
    completes="file",
)
