"""What was typed, across sessions: a file of the user's own, found again with Ctrl-R.

`$HQL_HISTORY`, or `$XDG_STATE_HOME/hartonomous/history` (~/.local/state). Entries are appended when
they are sent, so shells that run side by side share one file. An entry is a line with its time and
lines that begin with `+`, as prompt_toolkit's own histories have it. Not written: texts that begin
with a space, texts that were just written, texts longer than ENTRY_MAX, anything while the variable
is empty.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from prompt_toolkit.history import History

#: characters of one text
ENTRY_MAX = 100_000
#: the file is cut to its last half beyond this size
FILE_MAX = 8 << 20


def history_path() -> Path | None:
    """Where the history is kept; None: nowhere."""
    named = os.environ.get("HQL_HISTORY")
    if named is not None:
        return Path(named).expanduser() if named else None
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "hartonomous" / "history"


class StatementHistory(History):
    """The texts of all sessions. A file that cannot be read or written costs no more than the
    memory of what was typed: `trouble` says why."""

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self.path = path
        self.trouble: str | None = None
        if path is not None:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    os.fchmod(file, 0o600)  # one that was there may have been readable by others
                finally:
                    os.close(file)
                _shorten(path)
            except OSError as error:
                self.trouble = f"the history is not kept: {error}"
                self.path = None

    def load_history_strings(self) -> Iterable[str]:
        """The newest first."""
        return reversed(list(read_entries(self.path))) if self.path is not None else []

    def append_string(self, string: str) -> None:
        """Keeps a text that was sent; the same one twice in a row is kept once."""
        strings = self.get_strings()
        if string.strip() and not (strings and strings[-1] == string):
            super().append_string(string)

    def store_string(self, string: str) -> None:
        if self.path is None or string.startswith(" ") or len(string) > ENTRY_MAX:
            return
        lines = "".join(f"+{line}\n" for line in string.split("\n"))
        entry = f"\n# {time.strftime('%Y-%m-%d %H:%M:%S')}\n{lines}"
        try:
            # one write to a file opened for appending: entries of several shells stay whole
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, entry.encode("utf-8", "surrogateescape"))
            finally:
                os.close(file)
        except OSError as error:
            self.trouble = f"the history is not kept: {error}"
            self.path = None


def read_entries(path: Path) -> Iterator[str]:
    """The texts of a history file, the oldest first."""
    lines: list[str] = []
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return
    for line in text.split("\n"):
        if line.startswith("+"):
            lines.append(line[1:])
        elif lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _shorten(path: Path) -> None:
    """Keeps a file that has grown too large from growing on."""
    if path.stat().st_size <= FILE_MAX:
        return
    data = path.read_bytes()
    begin = data.find(b"\n\n# ", len(data) - FILE_MAX // 2)
    shorter = path.with_suffix(f".{os.getpid()}")
    file = os.open(shorter, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(data[begin + 1 :] if begin >= 0 else b"")
    shorter.replace(path)
