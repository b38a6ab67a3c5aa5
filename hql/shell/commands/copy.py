r"""\copy: COPY with a file's name as one types it, and to stdout."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


_COPY = re.compile(
    r"(?P<source>\(.*\)|[^()]+?(?:\([^()]*\))?)\s+(?P<direction>from|to)\s+"
    r"(?P<path>'(?:[^']|'')*'|\"[^\"]*\"|[^\s(;]+)\s*(?P<options>.*?);?",
    re.IGNORECASE | re.DOTALL,
)


def _run(shell: Shell, given: Arguments) -> bool:
    found = _COPY.fullmatch(given.text)
    if found is None:
        raise Refusal(r"write \copy TABLE FROM FILE, \copy TABLE TO FILE or \copy (query) TO FILE")
    source, path, options = found["source"], found["path"], found["options"].strip()
    if found["direction"].lower() == "to" and path.lower() == "stdout":
        if options:
            raise Refusal(r"stdout gets CSV and takes no options; \format and \g write others")
        return _to_stdout(shell, source)
    name = path[1:-1].replace("''", "'") if path[0] == "'" else path.strip('"')
    file = str(Path(name).expanduser()).replace("'", "''")
    if options.startswith("("):
        options = f"WITH {options}"
    text = f"COPY {source} {found['direction']} '{file}' {options}".rstrip()
    return shell.run(text, remember=False)


def _to_stdout(shell: Shell, source: str) -> bool:
    table, mark, columns = source.partition("(")
    if table.strip():
        source = f"SELECT {columns.rstrip(') ') if mark else '*'} FROM {table}"
    else:
        source = source[1:-1]
    before, shell.settings.format = shell.settings.format, "csv"
    try:
        return shell.run(source, remember=False)
    finally:
        shell.settings.format = before


COPY = Command(
    ("copy",),
    "TABLE | (query) FROM | TO FILE [(options)]",
    "rows from a file, or to one",
    "Running",
    _run,
    takes_line=True,
    completes="copy",
)
