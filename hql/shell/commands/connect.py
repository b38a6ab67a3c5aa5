r"""\c: works with another database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from pathlib import Path

    name = given.word()
    if name is not None:
        shell.connect_to(None if name == ":memory:" else Path(name).expanduser())
    path_now = shell.connection.session.database.path
    shell.say(f"You are connected to {path_now or ':memory:'}")


CONNECT = Command(
    ("c", "connect"),
    "[DB]",
    "go over to another database",
    "Connection",
    _run,
    completes="database",
)
