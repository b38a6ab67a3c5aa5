r"""What \i and \ir do: a file, as if it were typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


#: how deep files may run files
DEPTH_MAX = 16


def include(shell: Shell, path: Path) -> bool:
    """Runs the HQL and the commands of a file; False if something in it fails, and then nothing
    behind that is run. Raises Refusal."""
    if shell.depth >= DEPTH_MAX:
        raise Refusal(f"{path}: files run files more than {DEPTH_MAX} deep")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise Refusal(f"{path} cannot be read: {fault}") from fault
    before = shell.folder, shell.buffer
    shell.folder, shell.buffer = path.parent, ""
    shell.depth += 1
    try:
        return shell.enter(text)
    finally:
        shell.depth -= 1
        shell.folder, shell.buffer = before
