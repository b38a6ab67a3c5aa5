"""`hql DB` on a terminal: reads what is typed, runs it, until Ctrl-D or `\\q`.

A terminal that cannot move its cursor (TERM=dumb) gets plain lines: prompts, no colours, no menus.
"""

from __future__ import annotations

import contextlib
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hartonomous.hql.shell.commands import split
from hartonomous.hql.shell.completeness import is_to_send as is_complete
from hartonomous.hql.shell.completeness import read_ending
from hartonomous.hql.shell.paint import has_colours, is_dumb
from hartonomous.hql.shell.settings import Settings
from hartonomous.hql.shell.state import Shell
from hartonomous.hql.shell.toolbar import database_name, toolbar

if TYPE_CHECKING:
    from hartonomous.hql.dbapi import Connection

#: what is left of a long database name in the prompt
PROMPT_NAME_MAX = 24


def startup_path() -> Path:
    """The file that is run when a shell begins."""
    named = os.environ.get("HQLRC")
    return Path(named).expanduser() if named else Path.home() / ".hqlrc"


def run_shell(
    connection: Connection,
    format_name: str = "table",
    parameters: dict[str, Any] | None = None,
    *,
    startup: bool = True,
) -> None:
    """Reads and runs until the person leaves, then closes the connection. `startup`: runs the
    startup file first."""
    settings = Settings(format=format_name, colours=not os.environ.get("NO_COLOR"))
    shell = Shell(connection, settings, parameters=parameters)
    greet(shell)
    try:
        if startup:
            run_startup(shell, startup_path())
        if not shell.is_leaving:
            (read_plainly if is_plain() else read_and_run)(shell)
    finally:
        leave(shell)


def leave(shell: Shell) -> None:
    """Undoes an open transaction, and closes what the shell works with."""
    connection = shell.connection
    try:
        shell.close()
        if not connection.session.is_closed and connection.in_transaction:
            connection.rollback()
            shell.say("the open transaction was rolled back")
    finally:
        connection.close()


def is_plain() -> bool:
    """Whether the terminal can only show lines one after the other."""
    return is_dumb() or not (sys.stdout.isatty() or sys.stderr.isatty())


def greet(shell: Shell) -> None:
    """What the shell is, and how to get help and out."""
    from importlib.metadata import version

    session = shell.connection.session
    is_kept = session.address != ":memory:"
    where = session.address if is_kept else "nothing is kept on disk"
    shell.say(f"Hartonomous {version('hartonomous')}, {where}{', read only' * session.read_only}")
    shell.say(r"\? for help, \h for help on HQL, \q or Ctrl-D to leave")


def run_startup(shell: Shell, path: Path) -> None:
    """Runs the startup file, commands and statements; an error does not end the shell."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as fault:
        shell.say(f'"{path}" cannot be read: {fault}')
        return
    if not run_typed(shell, text) and not shell.is_leaving:
        shell.say(f'"{path}" ends there')
    shell.buffer = ""


def run_typed(shell: Shell, text: str) -> bool:
    """Runs what was sent. Ctrl-C ends what runs, not the shell; nor does a server that is away:
    each text tries it again."""
    from hartonomous.storage.errors import Error

    try:
        if shell.is_cut_off and not text.lstrip().startswith("\\"):
            with contextlib.suppress(Error):  # the text says it, as it cannot run
                _go_on_with_a_new_one(shell)
        return shell.enter(text)
    except KeyboardInterrupt:  # between statements, or in a command
        shell.say("cancelled")
        return False
    finally:
        if shell.connection.session.is_closed and not shell.is_leaving:
            connect_again(shell)


def connect_again(shell: Shell) -> None:
    """A fault of ours closes the connection, and so does a server that stops: the shell goes on
    with a new one, or without one until the server is there again."""
    from hartonomous.hql.opening import is_url
    from hartonomous.storage.errors import Error

    try:
        _go_on_with_a_new_one(shell)
    except Error as error:
        shell.report(error)
        if is_url(shell.connection.session.address):
            shell.is_cut_off = True
            shell.say(r"the next statement tries again; \c goes elsewhere, \q leaves")
        else:
            shell.is_leaving = True


def _go_on_with_a_new_one(shell: Shell) -> None:
    address = shell.connection.session.address
    shell.connect(shell.connection.again())
    what = "with an empty database" if address == ":memory:" else f'to "{address}"'
    shell.say(f"connected again {what}")


def is_to_send(text: str) -> bool:
    """Whether Enter sends a text: it is complete, or a command stands in its last line."""
    if "\\" in text and any(command for *_, command in split(text)):
        return True
    return is_complete(text)


# --- with an editor ------------------------------------------------------------------------------


def read_and_run(shell: Shell) -> None:
    """The loop of a terminal that can move its cursor."""
    from hartonomous.hql.shell.completion_commands import complete_typed
    from hartonomous.hql.shell.editing import Editor
    from hartonomous.hql.shell.history import StatementHistory, history_path
    from hartonomous.hql.shell.keyboard import Keyboard

    names = shell.connection.session.names()
    history = StatementHistory(history_path())
    editor = Editor(
        lambda text, cursor: complete_typed(text, cursor, names),
        history,
        lambda: prompt(shell.connection),
        lambda text, columns: toolbar(shell.connection, text, columns),
        is_to_send,
        colours=shell.settings.colours and has_colours(sys.stderr),
    )
    keyboard = Keyboard()
    with keyboard.hushed():
        while not shell.is_leaving:
            try:
                names = shell.connection.session.names(shell.frame)
                text, shell.buffer = shell.buffer, ""
                text = editor.read(text)
            except KeyboardInterrupt:  # a key, or a signal just before the editor has the terminal
                continue
            except EOFError:
                return
            if history.trouble:
                shell.say(history.trouble)
                history.trouble = None
            shell.history = history.get_strings()
            with keyboard.lent() if "\\" in text else nullcontext():
                run_typed(shell, text)


def prompt(connection: Connection) -> str:
    """`atlas> `, in a transaction `atlas*> `, cut off from its server `atlas!> `."""
    name = database_name(connection)
    if len(name) > PROMPT_NAME_MAX:
        name = name[: PROMPT_NAME_MAX - 1] + "…"
    if connection.session.is_closed:
        return f"{name}!> "
    return f"{name}{'*' if connection.in_transaction else ''}> "


# --- without one ---------------------------------------------------------------------------------


def read_plainly(shell: Shell) -> None:
    """The loop of a terminal that cannot: line by line, as the system edits them."""
    while not shell.is_leaving:
        text, shell.buffer = shell.buffer, ""
        own = prompt(shell.connection)
        mark = f"{read_ending(text).mark}> ".rjust(len(own)) if text else own
        try:
            line = _read_line(mark)
        except KeyboardInterrupt:
            shell.say("")
            continue
        if line is None:
            shell.say("")
            return
        text = f"{text}\n{line}" if text else line
        if is_to_send(text):
            run_typed(shell, text)
        else:
            shell.buffer = text


def _read_line(mark: str) -> str | None:
    """One line from the terminal; None at its end."""
    sys.stderr.write(mark)
    sys.stderr.flush()
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None
