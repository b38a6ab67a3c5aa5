r"""\copy: COPY with a file's name as one types it, from stdin and to stdout."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hartonomous.hql.opening import is_url
from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal
from hartonomous.hql.shell.copying import copy_here

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
    if options.startswith("("):
        options = f"WITH {options}"
    if path.lower() == "stdin":
        if found["direction"].lower() == "to":
            raise Refusal("stdin is read from, not written to")
        return _from_stdin(shell, source, options)
    name = path[1:-1].replace("''", "'") if path[0] == "'" else path.strip('"')
    return _copy(shell, source, found["direction"], Path(name).expanduser(), options)


def _copy(shell: Shell, source: str, direction: str, file: Path, options: str) -> bool:
    name = str(file).replace("'", "''")
    text = f"COPY {source} {direction} '{name}' {options}".rstrip()
    if is_url(shell.connection.session.address):
        return copy_here(shell, text, source, str(file), options)
    return shell.run(text, remember=False)


def _from_stdin(shell: Shell, table: str, options: str) -> bool:
    """Rows that are typed, to a line `\\.` or Ctrl-D; or all that is piped in. They pass through a
    file, as COPY looks twice at what it reads."""
    from tempfile import TemporaryDirectory

    if shell.is_from_stdin or sys.stdin is None:
        raise Refusal(r"stdin is where this text comes from: hql -c '\copy t FROM stdin' DB < FILE")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "stdin.csv"
        with file.open("wb") as out:
            if sys.stdin.isatty():
                shell.say("rows in CSV with a header, unless options say otherwise; \\. ends them")
                _write_typed(out)
            else:
                shutil.copyfileobj(sys.stdin.buffer, out)
        return _copy(shell, table, "FROM", file, options)


def _write_typed(out: IO[bytes]) -> None:
    while line := sys.stdin.readline():
        if line.rstrip() == "\\.":
            return
        out.write(line.encode())


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
    "rows from a file or stdin, or to a file or stdout",
    "Running",
    _run,
    takes_line=True,
    completes="copy",
)
