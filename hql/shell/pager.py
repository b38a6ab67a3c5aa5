"""Shows lines on a terminal, through a pager if they are longer or wider than the screen.

The pager is $HQL_PAGER, else $PAGER, else less; an empty one is none. It gets its lines as they are
computed: who leaves it early stops the statement.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from hartonomous.hql.shell.terminal import Terminal

#: lines of the screen that are the prompt's and the toolbar's
LINES_KEPT = 3


def pager_command() -> str:
    """The pager as a command of the system's shell; "" for none."""
    named = os.environ.get("HQL_PAGER", os.environ.get("PAGER"))
    return named.strip() if named is not None else shutil.which("less") or ""


def show(
    pull: Callable[[], list[str] | None],
    is_wide: Callable[[], bool],
    terminal: Terminal,
    out: IO[bytes],
    mode: str,
) -> None:
    """Writes what `pull` gives, until that is None. `mode`: auto, on, off. KeyboardInterrupt of
    `pull`, or while writing, leaves when the pager has ended."""
    command = pager_command() if mode != "off" else ""
    held: list[str] = []
    piece: list[str] | None = []
    while command and piece is not None:
        held += piece
        if mode == "on" or is_wide() or len(held) > max(terminal.lines - LINES_KEPT, 1):
            _page(command, held, pull, whole_screen=mode != "on")
            return
        piece = pull()
    while piece is not None:
        held += piece
        _write(out, held)
        held = []
        piece = pull() if not command else None
    _write(out, held)


def _write(out: IO[bytes], lines: list[str]) -> None:
    out.write("".join(f"{line}\n" for line in lines).encode(errors="replace"))
    out.flush()


def _page(
    command: str, lines: list[str], pull: Callable[[], list[str] | None], *, whole_screen: bool
) -> None:
    # S: lines are not folded, R: colours, X: the screen stays, F: gone if all fits one screen. What
    # fits is not sent here, and F would not let anyone scroll a wide table of few lines.
    environment = {**os.environ}
    environment.setdefault("LESS", "SRX" if whole_screen else "SRXF")
    process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    piece: list[str] | None = lines
    try:
        while piece is not None:
            _write(process.stdin, piece)
            piece = pull()
    except BrokenPipeError:
        return  # the person has seen enough
    finally:
        _finish(process)


def _finish(process: subprocess.Popen[bytes]) -> None:
    """Waits until the person leaves the pager; Ctrl-C is the pager's."""
    assert process.stdin is not None
    while True:
        try:
            if not process.stdin.closed:
                process.stdin.close()
            process.wait()
            return
        except BrokenPipeError:
            continue
        except KeyboardInterrupt:
            continue
