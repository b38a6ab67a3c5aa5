r"""\conninfo: which database this is, and what the session may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    given.words(0)
    session = shell.connection.session
    is_kept = session.address != ":memory:"
    address = session.address if is_kept else "memory (nothing is kept on disk)"
    access = "reading only" if session.read_only else "reading and writing"
    state = "a transaction is open" if session.in_transaction else "no transaction is open"
    if session.is_closed:
        state = "the connection is lost"
    shell.write_lines(
        [
            f"Database {address}",
            f"as {session.author}, {access}, {session.where}",
            f"branch {session.branch}, {state}",
        ]
    )


CONNINFO = Command(("conninfo",), "", "which database this is", "Connection", _run)
