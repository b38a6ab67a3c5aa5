r"""\?: what commands there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from hartonomous.hql.shell.commands import COMMANDS

    word = (given.word() or "").lstrip("\\")
    chosen = [c for c in COMMANDS if not word or word in c.names]
    if not chosen:
        raise Refusal(f"there is no command \\{word}")
    heads = [f"\\{c.names[0]}{c.shown_flags} {c.usage}".rstrip() for c in chosen]
    columns = max(map(len, heads))
    lines: list[str] = []
    group = ""
    for command, head in zip(chosen, heads, strict=True):
        if command.group != group:
            group = command.group
            lines += ["", group] if lines else [group]
        others = "".join(f", also \\{name}" for name in command.names[1:])
        lines.append(f"  {head.ljust(columns)}  {command.about}{others}")
    shell.write_lines(lines)


COMMANDS_LIST = Command(
    ("?", "help"), "[command]", "this list", "General", _run, completes="command"
)
