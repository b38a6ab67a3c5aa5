r"""\s: what was typed, in this session and before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from pathlib import Path

    name = given.word()
    if name is None:
        shell.write_lines([line for text in shell.history for line in text.split("\n")])
        return
    try:
        Path(name).expanduser().write_text(
            "".join(f"{text}\n" for text in shell.history), encoding="utf-8"
        )
    except OSError as fault:
        raise Refusal(f"{name} cannot be written: {fault.strerror}") from fault


HISTORY = Command(
    ("s",), "[FILE]", "what was typed so far, shown or saved", "Text", _run, completes="file"
)
