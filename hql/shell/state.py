r"""Shell: what one person at a terminal (or one script of the command line) works with.

    shell.enter("SELECT 1;\n\dt")   HQL and backslash commands, as typed or read from a file
    shell.run("SELECT 1")           HQL only
    commands.dispatch(shell, r"\dt")

All of them report what goes wrong on stderr, and give False then; so does a statement that Ctrl-C
cancels. `buffer` is text that was typed and not sent yet: an editing loop shows it in its next
prompt, as \e and commands in the middle of a statement leave something there.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hartonomous.hql.shell.completeness import read_ending
from hartonomous.hql.shell.redirection import Redirection
from hartonomous.hql.shell.settings import Settings as Settings
from hartonomous.hql.shell.terminal import Terminal, find_terminal
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.dbapi import Connection
    from hartonomous.hql.result import Result


class Shell:
    """`out` gets results, stdout if it is None; `terminal` is what stands behind it, None for a
    file or pipe. `frame` has the variables, which live until GO."""

    def __init__(
        self,
        connection: Connection,
        settings: Settings | None = None,
        *,
        out: IO[bytes] | None = None,
        terminal: Terminal | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        self.connection = connection
        self.settings = Settings() if settings is None else settings
        if out is None:
            terminal = find_terminal(sys.stdout, colours=self.settings.colours)
        self.out: IO[bytes] = sys.stdout.buffer if out is None else out
        self.terminal = terminal
        self._home = (self.out, terminal)
        self.parameters = parameters
        self.frame = connection.session.open_frame(parameters)
        self.buffer = ""
        self.last_text = ""
        self.is_leaving = False
        #: the server is away, and the person was told
        self.is_cut_off = False
        self.was_interrupted = False
        #: the folder of the script that is being read, for \ir; and how deep scripts are nested
        self.folder: Path | None = None
        self.depth = 0
        #: whether the text that is read comes from stdin, where \copy then finds no rows
        self.is_from_stdin = False
        #: what was typed in this and earlier sessions, oldest first; the editing loop owns it
        self.history: Sequence[str] = ()
        self._begun = 0.0
        self._redirection: Redirection | None = None

    def close(self) -> None:
        """Lets go of the variables and of a file that output goes to."""
        self.redirect(None)
        self.frame.close()

    def connect(self, connection: Connection) -> None:
        """Works with another connection from now on; the one before is closed."""
        self.frame.close()
        self.connection.close()
        self.connection = connection
        self.is_cut_off = False
        self.frame = connection.session.open_frame(self.parameters)

    def connect_to(self, database: str | Path | None) -> None:
        """Works with another database, None: one in memory, by the options of the connection that
        there is. Raises Error, and nothing has changed then."""
        self.connect(self.connection.another(database))

    # --- what was typed --------------------------------------------------------------------------

    def enter(self, text: str) -> bool:
        """Runs HQL and the backslash commands in it, in their order. HQL that is not finished
        before a command stays in the buffer, where \\g finds it. Stops at what fails first."""
        from hartonomous.hql.shell.commands import dispatch, split

        for line, hql, command in split(text):
            # blank lines in front keep the lines of errors those of the whole text
            self.buffer += hql if self.buffer else "\n" * (line - 1) * bool(hql.strip()) + hql
            is_whole = not command or read_ending(self.buffer).is_sent
            if is_whole and not self.send():
                return False
            if command and not dispatch(self, command):
                return False
            if self.is_leaving:
                break
        return True

    def send(self) -> bool:
        """Runs what is in the buffer."""
        text, self.buffer = self.buffer, ""
        return read_ending(text).is_empty or self.run(text)

    def take_text(self) -> str:
        """What was typed and not sent, else the last text that ran; the buffer is empty then."""
        text, self.buffer = self.buffer, ""
        return text if text.strip() else self.last_text

    def run(self, text: str, *, remember: bool = True) -> bool:
        """Runs HQL, batch by batch; False if a statement failed or was cancelled. `remember`: \\g
        would run it again."""
        self.was_interrupted = False
        if remember:
            self.last_text = text.strip()
        try:
            self._run(text)
        except Error as error:
            self.report(error, text)
            return False
        except KeyboardInterrupt as interrupt:
            from hartonomous.hql.shell.running import Interrupted

            self.was_interrupted = True
            is_late = isinstance(interrupt, Interrupted) and interrupt.is_done
            self.say("it was done before it could be cancelled" if is_late else "cancelled")
            return False
        except OSError as fault:
            if self.out is self._home[0]:
                raise  # nobody reads stdout any more
            self.say(f"the output cannot be written: {fault.strerror}")
            return False
        return True

    def _run(self, text: str) -> None:
        from hartonomous.hql.shell.running import run_batch
        from hartonomous.hql.syntax.parse import split_batches

        self._begun = time.perf_counter()
        for number, (line, batch) in enumerate(split_batches(text)):
            if number:
                self.frame.close()
                self.frame = self.connection.session.open_frame(self.parameters)
            run_batch(self.connection, batch, self.show, self.frame, first_line=line)

    # --- what comes back -------------------------------------------------------------------------

    def show(self, result: Result) -> None:
        """Writes one result where results go, and how long it took."""
        from hartonomous.hql.shell.showing import show_result

        waited = show_result(self, result)
        if self.settings.timing:
            taken = time.perf_counter() - self._begun - waited
            self.say(f"Time: {format_seconds(taken)}")
        self._begun = time.perf_counter()

    def redirect(self, target: str | None) -> None:
        """Sends results to a file, or with `|` in front to a command; None: where they went at
        first. Raises OSError."""
        opened = None if target is None else Redirection(target)
        if self._redirection is not None:
            self._redirection.close()
        self._redirection = opened
        self.out, self.terminal = self._home if opened is None else (opened.out, None)

    @contextlib.contextmanager
    def redirected(self, target: str) -> Iterator[None]:
        """Sends results elsewhere for the length of a block. Raises OSError."""
        opened, before = Redirection(target), (self.out, self.terminal)
        self.out, self.terminal = opened.out, None
        try:
            yield
        finally:
            self.out, self.terminal = before
            opened.close()

    def write_lines(self, lines: Sequence[str]) -> None:
        """Lines where results go, through the pager if there are many."""
        from hartonomous.hql.shell import pager
        from hartonomous.hql.shell.showing import ENDLESS

        terminal = self.terminal or ENDLESS
        mode = self.settings.pager if self.terminal is not None else "off"
        pieces = iter([list(lines)])
        pager.show(lambda: next(pieces, None), lambda: False, terminal, self.out, mode)

    def say(self, text: str) -> None:
        """A message for people, on stderr."""
        from hartonomous.hql.shell.output import say

        say(text)

    def report(self, error: Error, text: str | None = None) -> None:
        """What went wrong, on stderr."""
        from hartonomous.hql.shell.faults import report
        from hartonomous.hql.shell.paint import has_colours

        report(error, text, colours=self.settings.colours and has_colours(sys.stderr))


def format_seconds(seconds: float) -> str:
    """`3.214 ms`, `1.250 s`, `2 min 5.0 s`."""
    if seconds < 1:
        return f"{1000 * seconds:.3f} ms"
    if seconds < 60:
        return f"{seconds:.3f} s"
    return f"{int(seconds // 60)} min {seconds % 60:.1f} s"
