"""Shows one result of a shell: as a drawing on a terminal, through the pager if it is large; as
plain text, CSV, JSON, Arrow or Markdown; or how many rows were changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hartonomous.hql.shell import pager
from hartonomous.hql.shell.output import FORMATS
from hartonomous.hql.shell.running import count_rows, interruptibly
from hartonomous.hql.shell.table import Drawing
from hartonomous.hql.shell.terminal import Terminal

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.shell.state import Shell

#: a file or pipe is a terminal without end
ENDLESS = Terminal(size=(1 << 30, 1 << 30))


def show_result(shell: Shell, result: Result) -> float:
    """Writes a result; gives the seconds that it waited for a person and their terminal."""
    settings = shell.settings
    if not result.has_rows:
        if result.row_count >= 0 and settings.footer:
            shell.say(f"({count_rows(result.row_count)} affected)")
        return 0.0
    try:
        if settings.format == "table" and (shell.terminal is not None or settings.expanded == "on"):
            return _draw(shell, result, shell.terminal or ENDLESS)
        if settings.format == "arrow" and shell.terminal is not None:
            shell.say(r"Arrow's bytes are not for a terminal: \o FILE, or \g FILE")
            return 0.0
        return _write(shell, result)
    finally:
        result.close()


def _write(shell: Shell, result: Result) -> float:
    settings = shell.settings
    write = FORMATS[settings.format]
    count = interruptibly(shell.connection, lambda: write(result, shell.out))
    shell.out.flush()
    if settings.format == "table" and settings.footer:
        shell.say(f"({count_rows(count)})")
    return 0.0


def _draw(shell: Shell, result: Result, terminal: Terminal) -> float:
    drawing = Drawing(result, shell.settings, terminal)
    pieces = drawing.pieces()
    computing = 0.0

    def pull() -> list[str] | None:
        nonlocal computing
        begun = time.perf_counter()
        try:
            return interruptibly(shell.connection, lambda: _next(pieces))
        finally:
            computing += time.perf_counter() - begun

    mode = shell.settings.pager if shell.terminal is not None else "off"
    begun = time.perf_counter()
    pager.show(pull, lambda: drawing.is_wide, terminal, shell.out, mode)
    return time.perf_counter() - begun - computing


def _next(pieces: Iterator[list[str]]) -> list[str] | None:
    return next(pieces, None)
