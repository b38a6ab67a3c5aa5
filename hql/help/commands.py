"""Commands of the shell as topics, from their registry."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hartonomous.hql.help.topics import Topic
from hartonomous.hql.shell.commands import COMMANDS
from hartonomous.hql.shell.commands.base import Command


def topics() -> Iterator[Topic]:
    for command in COMMANDS:
        names = [f"\\{name}" for name in command.names]
        about = command.about[:1].upper() + command.about[1:]
        yield Topic(names[0], "command", about, partial(_page, command), tuple(names[1:]))


def _page(command: Command) -> str:
    names = " or ".join(f"\\{name}{command.shown_flags}" for name in command.names)
    return f"{names} {command.usage}".rstrip() + f"\n\n{command.about}"
