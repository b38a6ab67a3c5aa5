r"""Backslash commands of the shell. A command is one file and one line in COMMANDS.

`split` takes a text apart into HQL and commands, `dispatch` runs one command.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal
from hartonomous.hql.shell.commands.branch import BRANCH
from hartonomous.hql.shell.commands.commands_list import COMMANDS_LIST
from hartonomous.hql.shell.commands.connect import CONNECT
from hartonomous.hql.shell.commands.conninfo import CONNINFO
from hartonomous.hql.shell.commands.copy import COPY
from hartonomous.hql.shell.commands.databases import DATABASES
from hartonomous.hql.shell.commands.describe import DESCRIBE
from hartonomous.hql.shell.commands.echo import ECHO
from hartonomous.hql.shell.commands.edit import EDIT
from hartonomous.hql.shell.commands.expanded import EXPANDED
from hartonomous.hql.shell.commands.explain import EXPLAIN
from hartonomous.hql.shell.commands.format import FORMAT
from hartonomous.hql.shell.commands.functions import FUNCTIONS
from hartonomous.hql.shell.commands.go import GO
from hartonomous.hql.shell.commands.help import HELP
from hartonomous.hql.shell.commands.history import HISTORY
from hartonomous.hql.shell.commands.include import INCLUDE
from hartonomous.hql.shell.commands.include_relative import INCLUDE_RELATIVE
from hartonomous.hql.shell.commands.indexes import INDEXES
from hartonomous.hql.shell.commands.models import MODELS
from hartonomous.hql.shell.commands.output import OUTPUT
from hartonomous.hql.shell.commands.print_text import PRINT_TEXT
from hartonomous.hql.shell.commands.procedures import PROCEDURES
from hartonomous.hql.shell.commands.quit import QUIT
from hartonomous.hql.shell.commands.reset import RESET
from hartonomous.hql.shell.commands.schemas import SCHEMAS
from hartonomous.hql.shell.commands.set_setting import SET
from hartonomous.hql.shell.commands.system import SYSTEM
from hartonomous.hql.shell.commands.tables import TABLES
from hartonomous.hql.shell.commands.timing import TIMING
from hartonomous.hql.shell.commands.unset_setting import UNSET
from hartonomous.hql.shell.commands.views import VIEWS
from hartonomous.hql.shell.commands.watch import WATCH
from hartonomous.hql.shell.commands.working_folder import WORKING_FOLDER
from hartonomous.hql.shell.settings import SettingFault
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell

#: in the order in which \? shows them
COMMANDS: Final[tuple[Command, ...]] = (
    COMMANDS_LIST,
    HELP,
    QUIT,
    CONNINFO,
    CONNECT,
    DATABASES,
    BRANCH,
    DESCRIBE,
    TABLES,
    VIEWS,
    INDEXES,
    FUNCTIONS,
    PROCEDURES,
    SCHEMAS,
    MODELS,
    GO,
    WATCH,
    EXPLAIN,
    COPY,
    EDIT,
    PRINT_TEXT,
    RESET,
    HISTORY,
    INCLUDE,
    INCLUDE_RELATIVE,
    OUTPUT,
    ECHO,
    WORKING_FOLDER,
    SYSTEM,
    TIMING,
    EXPANDED,
    FORMAT,
    SET,
    UNSET,
)

#: by each of their names
BY_NAME: Final[dict[str, Command]] = {name: c for c in COMMANDS for name in c.names}

_NAME = re.compile(r"\\([A-Za-z]+|[!?])?([S+]*)[ \t]*")
#: a string, a quoted name, a bracket, a comment: a backslash in there begins no command
_SHELTERED = re.compile(
    r"'[^']*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|\[[^\]\n]*(?:\]|(?=\n)|\Z)|--[^\n]*|/\*.*?(?:\*/|\Z)|(\\)",
    re.DOTALL,
)
#: where the next command of a line begins
_NEXT = re.compile(r"\s\\(?=[A-Za-z!?])")


def split(text: str) -> Iterator[tuple[int, str, str]]:
    r"""(line, HQL, command or ""): the HQL in front of each command with the number of its first
    line, and what stands behind the last command."""
    begin = position = 0
    while (found := _SHELTERED.search(text, position)) is not None:
        position = found.end()
        if found[1] is None:
            continue
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        line = text.count("\n", 0, begin) + 1
        hql = text[begin : found.start()]
        for command in _commands(text[found.start() : end]):
            yield line, hql, command
            hql = ""
        begin = position = min(end + 1, len(text))
    if text[begin:].strip():
        yield text.count("\n", 0, begin) + 1, text[begin:], ""


def _commands(line: str) -> Iterator[str]:
    """The commands of one line."""
    while True:
        command, _ = find_command(line)
        after = _NEXT.search(line, 1)
        if after is None or (command is not None and command.takes_line):
            yield line.rstrip()
            return
        yield line[: after.start()].rstrip()
        line = line[after.start() + 1 :]


def find_command(line: str) -> tuple[Command | None, Arguments]:
    r"""The command that a line names, and what it is called with. `\dt+` is `\dt` with a flag."""
    name = _NAME.match(line)
    assert name is not None, line
    word, flags, rest = name[1] or "", name[2], line[name.end() :]
    while word and word not in BY_NAME and word[-1] == "S":  # the pattern read a flag as a letter
        word, flags = word[:-1], "S" + flags
    command = BY_NAME.get(word)
    if command is not None and not set(flags) <= set(command.flags):
        command = None
    return command, Arguments(word, frozenset(flags), rest.strip())


def dispatch(shell: Shell, line: str) -> bool:
    r"""Runs one command (`\dt t*`); False if it failed, which is reported on stderr."""
    command, given = find_command(line)
    if command is None:
        shell.say(_unknown(line.split(maxsplit=1)[0]))
        return False
    try:
        outcome = command.run(shell, given)
    except (Refusal, SettingFault) as fault:
        shell.say(f"\\{given.name}: {fault}")
        return False
    except Error as error:
        shell.report(error)
        return False
    return outcome is not False


def _unknown(word: str) -> str:
    near = difflib.get_close_matches(word.lstrip("\\"), BY_NAME, 1)
    meant = f"did you mean \\{near[0]}? " if near else ""
    return f"there is no command {word}: {meant}\\? lists them"
