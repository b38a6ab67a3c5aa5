r"""Completion of what is typed in the shell: HQL, backslash commands, and what commands take.

`Command.completes` says what a command's argument is; `\explain` and `\copy` take HQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hartonomous.hql.shell import completion_names as known
from hartonomous.hql.shell.commands import COMMANDS, find_command
from hartonomous.hql.shell.completion import Candidate, complete, ranked
from hartonomous.hql.shell.completion_names import Name, NamesInterface
from hartonomous.hql.shell.settings import FORMATS, SETTINGS

_COMMAND_LINE = re.compile(r"^[ \t]*\\.*$", re.MULTILINE)
#: a line that is a command
_COMMAND = re.compile(r"\s*(\\)")
_WITH_NAME = re.compile(r"\\\S+\s+")
#: the name of a command that is being typed, behind HQL too
_NAME = re.compile(r"(?:^|\s)(\\[A-Za-z!?]*)$")


def complete_typed(text: str, cursor: int, names: NamesInterface) -> list[Candidate]:
    """The candidates at an offset of what is typed, the likeliest first."""
    begin = text.rfind("\n", 0, cursor) + 1
    line = text[begin:cursor]
    name = _NAME.search(line)
    if name is not None:
        return ranked(_commands(), name[1], begin + name.start(1))
    opened = _COMMAND.match(line)
    if opened is None:
        return complete(_COMMAND_LINE.sub(_blank, text), cursor, names)
    return _argument(line[opened.start(1) :], begin + opened.start(1), names)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _commands() -> Iterator[Name]:
    for command in COMMANDS:
        for order, name in enumerate(command.names):
            yield Name(f"\\{name}", command.about, order)


def _argument(line: str, begin: int, names: NamesInterface) -> list[Candidate]:
    """The candidates at the end of a command's line, which begins at `begin`."""
    command, _ = find_command(line)
    named = _WITH_NAME.match(line)
    if command is None or named is None:
        return []
    argument = line[named.end() :]
    begin += named.end()
    if command.completes in ("hql", "copy"):
        ahead = "COPY " if command.completes == "copy" else ""
        found = complete(ahead + argument, len(ahead + argument), names)
        return [Candidate(c.text, c.start + begin - len(ahead), c.what) for c in found]
    before, word = argument.split(" ")[:-1], argument.rpartition(" ")[2]
    if command.completes == "topic":  # its name may have spaces
        before, word = [], argument
    found_names = _kinds(command.completes, before, word, names)
    return ranked(found_names, word, begin + len(argument) - len(word))


def _kinds(kind: str, before: list[str], word: str, names: NamesInterface) -> Iterator[Name]:
    """What an argument of a kind can be, behind the words before it."""
    match kind:
        case "file" | "database":
            yield from known.files(word)
        case "relation":
            yield from names.relations()
            yield from names.indexes()
            yield from names.entries("routine")
        case "table" | "view" | "schema" | "model":
            yield from names.entries(kind)
        case "index":
            yield from names.indexes()
        case "procedure":
            yield from names.entries("routine")
        case "function":
            yield from (Name(n.text.rstrip("()"), n.what) for n in known.functions())
            yield from names.entries("routine")
        case "format":
            yield from (Name(name, "format") for name in FORMATS)
        case "switch":
            yield from (Name(name, "") for name in ("on", "off"))
        case "setting" if not before:
            yield from (Name(name, setting.about) for name, setting in SETTINGS.items())
        case "setting" if before[0] in SETTINGS:
            yield from (Name(choice, "") for choice in SETTINGS[before[0]].choices)
        case "command":
            yield from (Name(name.text[1:], name.what, name.order) for name in _commands())
        case "topic":
            yield from _topics()


def _topics() -> Iterator[Name]:
    from hartonomous.hql.help.topics import all_topics

    yield from (Name(topic.name, topic.kind) for topic in all_topics())
