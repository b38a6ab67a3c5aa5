"""The last line of the screen: database, branch, transaction, and how what is written is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.cells import width
from hartonomous.hql.shell.completeness import TOLD_MAX, read_ending

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from hartonomous.hql.dbapi import Connection

#: what is left of a long path, and of one on a narrow screen: what is said behind it must not
#: leave the screen
PATH_CHARACTERS_MAX = 30
PATH_CHARACTERS_MIN = 8

_WAITS = {
    "END": "END is missing",
    "'": "a string is open",
    '"': "a quoted name is open",
    "]": "a bracket is open",
    "*/": "a comment is open",
}


def database_name(connection: Connection) -> str:
    """What the prompt calls the database: its folder without `.hdb`."""
    return connection.session.database_name


def toolbar(connection: Connection, text: str, columns: int = 80) -> StyleAndTextTuples:
    """The line for a text that is written, on a screen of so many columns."""
    session = connection.session
    parts = [f"branch {session.branch}"]
    if session.read_only:
        parts.append("read only")
    about = f" │ {' │ '.join(parts)} │"
    warning = transaction_state(connection)
    state = f" {warning or 'no transaction'} "
    hint = how_to_send(text)
    end = f"│ {hint} " if hint else ""
    room = columns - 1 - width(about + state + end)
    name = _cut(session.address, room)
    line: StyleAndTextTuples = [("class:bottom-toolbar", f" {name}{about}")]
    line.append((f"class:bottom-toolbar{'.warning' * bool(warning)}", state))
    line.append(("class:bottom-toolbar", end))
    return line


def _cut(path: str, room: int) -> str:
    """The end of a path."""
    kept = max(min(PATH_CHARACTERS_MAX, room), PATH_CHARACTERS_MIN)
    return path if len(path) <= kept else f"…{path[1 - kept :]}"


def transaction_state(connection: Connection) -> str:
    """What to say of an open transaction; "" if none is open."""
    return "in transaction" if connection.session.in_transaction else ""


def how_to_send(text: str) -> str:
    """What sends a text of which Enter would begin a new line."""
    if not text.strip():
        return r"\? help  \q leave"
    if text.startswith("\\") or len(text) > TOLD_MAX:
        return ""
    ending = read_ending(text)
    if ending.waits_for:
        return _WAITS[ending.waits_for]
    if ending.is_definition:
        return "GO or an empty line ends the definition"
    if ending.is_sent or ending.is_empty or "\n" not in text:
        return ""
    return "; or an empty line sends"
