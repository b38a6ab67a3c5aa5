r"""\c: works with another database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    from pathlib import Path

    from hartonomous.hql.opening import is_url

    name = given.word()
    if name is not None:
        is_folder = name != ":memory:" and not is_url(name)
        shell.connect_to(Path(name).expanduser() if is_folder else name)
    shell.say(f"You are connected to {shell.connection.session.address}")


CONNECT = Command(
    ("c", "connect"),
    "[DB]",
    "go over to another database, or a server by its URL",
    "Connection",
    _run,
    completes="database",
)
