r"""\?: what commands there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from hartonomous.hql.shell.commands import COMMANDS
    from hartonomous.hql.shell.showing import ENDLESS

    word = (given.word() or "").lstrip("\\")
    chosen = [c for c in COMMANDS if not word or word in c.names]
    if not chosen:
        raise Refusal(f"there is no command \\{word}")
    heads = [f"\\{c.names[0]}{c.shown_flags} {c.usage}".rstrip() for c in chosen]
    abouts = [c.about + "".join(f", also \\{name}" for name in c.names[1:]) for c in chosen]
    columns, screen = max(map(len, heads)), (shell.terminal or ENDLESS).columns
    is_narrow = columns + 4 + max(map(len, abouts)) > screen
    lines: list[str] = []
    group = ""
    for command, head, about in zip(chosen, heads, abouts, strict=True):
        if command.group != group:
            group = command.group
            lines += ["", group] if lines else [group]
        if is_narrow:
            lines += [*_folded(f"  {head}", screen), *_folded(f"      {about}", screen)]
        else:
            lines.append(f"  {head:{columns}}  {about}")
    shell.write_lines(lines)


def _folded(line: str, columns: int) -> list[str]:
    import textwrap

    return textwrap.wrap(line, max(columns - 1, 20), subsequent_indent="      ")


COMMANDS_LIST = Command(
    ("?", "help"), "[command]", "this list", "General", _run, completes="command"
)
