r"""Command: one backslash command of the shell, and the words behind its name.

    def run(shell: Shell, given: Arguments) -> bool | None:
        …

    TIMING = Command(("timing",), "[on|off]", "…", "Settings", run, completes="switch")

A command that cannot do what it is asked raises Refusal, or an Error of the database; it gives
False if something that it ran failed and said so.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


class Refusal(Exception):
    """A command cannot do what it is asked; the message says why."""


@frozen
class Arguments:
    """What a command was called with: `name` without flags, `flags` out of "S+x", and the rest of
    the line as it was written."""

    name: str
    flags: frozenset[str]
    text: str

    def words(self, at_most: int) -> list[str]:
        """The words, which may be quoted. Raises Refusal."""
        try:
            words = shlex.split(self.text)
        except ValueError:
            raise Refusal("a quote is not closed") from None
        if len(words) > at_most:
            raise Refusal(f"{words[at_most]!r} is one word too many")
        return words

    def word(self) -> str | None:
        """The only word, or None."""
        words = self.words(1)
        return words[0] if words else None


@frozen
class Command:
    r"""`names` without backslash, the usual one first; `group` is its heading in \?; `flags` are
    letters that may follow the name (`\dt+`). `takes_line`: the rest of the line is its own, also
    where there is a backslash in it. `completes` says what its arguments are, for completion:
    one of "", "command", "copy", "database", "file", "format", "function", "hql", "index", "model",
    "procedure", "relation", "schema", "setting", "switch", "table", "view"."""

    names: tuple[str, ...]
    usage: str
    about: str
    group: str
    run: Callable[[Shell, Arguments], bool | None]
    flags: str = ""
    takes_line: bool = False
    completes: str = ""

    @property
    def shown_flags(self) -> str:
        """`[S+]`, or nothing."""
        return f"[{self.flags}]" if self.flags else ""
