"""A terminal for tests: a program behind a pseudo-terminal, and what a person sees of it.

    with Screen(folder, "d.hdb") as screen:
        screen.type("SELECT 1;\\r")
        screen.wait_for("(1 row)")

Nothing waits for a time: `wait_for` waits until the screen shows something, and fails with the
screen after WAIT_S, which no healthy machine reaches.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pexpect
import pyte
from signals import heed_interrupt

#: seconds after which a test that waits has failed
WAIT_S = 120
HQL = [sys.executable, "-m", "hartonomous.hql.shell.main"]

ENTER, TAB, ESCAPE, UP, BACKSPACE = "\r", "\t", "\x1b", "\x1b[A", "\x7f"


def control(letter: str) -> str:
    """The key Ctrl with a letter."""
    return chr(ord(letter.upper()) - 64)


class Screen:
    """`hql WORDS` in a terminal of `columns` x `lines`, its home in `home`; `environment` is added
    to a small one. History and startup file are those of `home`."""

    def __init__(
        self,
        home: Path,
        *words: str,
        program: list[str] | None = None,
        columns: int = 100,
        lines: int = 30,
        **environment: str,
    ) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=2_000)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._clears, self._above = 0, ""
        command, *arguments = [*(program or HQL), *words]
        self.child: Any = pexpect.spawn(
            command,
            arguments,
            dimensions=(lines, columns),
            cwd=str(home),
            timeout=WAIT_S,
            preexec_fn=heed_interrupt,
            env={
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "PATH": os.environ["PATH"],
                "TERM": "xterm-256color",
                **{n: v for n, v in os.environ.items() if n.startswith(("PYTHON", "XDG_CACHE"))},
                "XDG_STATE_HOME": str(home / "state"),
                **environment,
            },
        )
        self.child.delaybeforesend = None
        # what a terminal answers when it is asked where its cursor is
        self.screen.write_process_input = self.child.send

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    # --- keys ------------------------------------------------------------------------------------

    def type(self, keys: str) -> None:
        """Presses keys, one after the other."""
        self.child.send(keys)

    def run(self, text: str, shows: str = "") -> str:
        """Types a text with Enter and waits for what it shows and the next prompt; gives what is
        seen then."""
        self.clear()
        self.type(text + ENTER)
        self.wait_for(shows)
        # before it is written the cursor stands behind an empty prompt too
        written = text.split(ENTER)[-1].strip()[:20]
        self.wait_until(lambda: written in self.text(), "what was typed")
        self.wait_for_prompt()
        return self.text()

    def clear(self) -> None:
        """Drops what is written and begins anew: what is above is not seen any more. (A comment is
        sent, and looked for: a new prompt looks like the one before.)"""
        self._clears += 1
        comment = f"-- {self._clears}."
        self.type(control("c") + comment + ENTER)
        self._above = f"> {comment}"
        self.wait_until(lambda: bool(self.lines()), "a prompt below a comment")
        self.wait_for_prompt()

    # --- what is seen ----------------------------------------------------------------------------

    def lines(self) -> list[str]:
        """The lines of the screen and those that have scrolled off it, below the last `clear`,
        without space at their ends, and without empty last ones."""
        columns = range(self.screen.columns)
        above = ["".join(row[i].data for i in columns) for row in self.screen.history.top]
        shown = [line.rstrip() for line in [*above, *self.screen.display]]
        while shown and not shown[-1]:
            shown.pop()
        if not self._above:
            return shown
        begin = next((i + 1 for i, s in enumerate(shown) if s.endswith(self._above)), len(shown))
        return shown[begin:]

    def text(self) -> str:
        return "\n".join(self.lines())

    def wait_for(self, pattern: str) -> str:
        """Waits until the screen shows the text (a regular expression if it is no plain text)."""
        self.wait_until(
            lambda: pattern in self.text() or bool(re.search(pattern, self.text(), re.MULTILINE)),
            f"{pattern!r} to be seen",
        )
        return self.text()

    def wait_for_prompt(self, prompt: str = ">") -> str:
        """Waits until the cursor stands behind an empty prompt."""
        self.wait_until(lambda: self._before_cursor().endswith(f"{prompt} "), "a prompt")
        return self.text()

    def _before_cursor(self) -> str:
        cursor = self.screen.cursor
        return str(self.screen.display[cursor.y][: cursor.x])

    def wait_until(self, is_so: Callable[[], bool], what: str = "it") -> None:
        """Waits until `is_so`, looked at whenever something is written."""
        end = time.monotonic() + WAIT_S
        while not is_so():
            if not self._read(end - time.monotonic()):
                raise AssertionError(f"waited for {what}; this is seen:\n{self.text()}")

    def wait_for_end(self) -> int:
        """Waits until the program ends; gives its exit code."""
        end = time.monotonic() + WAIT_S
        while self._read(end - time.monotonic()):
            pass
        self.child.wait()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -1)

    def _read(self, seconds: float) -> bool:
        """Reads what was written, if anything is within the time; False if nothing will come."""
        try:
            data: bytes = self.child.read_nonblocking(65_536, timeout=max(seconds, 0))
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        self.raw += data
        self.stream.feed(data)
        return True
