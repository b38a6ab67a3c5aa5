"""Redirection: results that go to a file or into a command instead of to the screen."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import IO


class Redirection:
    """`target` is a file, or a command of the system's shell behind `|`. Raises OSError."""

    def __init__(self, target: str) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.out: IO[bytes]
        if target.startswith("|"):
            self._process = subprocess.Popen(target[1:], shell=True, stdin=subprocess.PIPE)
            assert self._process.stdin is not None
            self.out = self._process.stdin
        else:
            self.out = Path(target).expanduser().open("wb")

    def close(self) -> None:
        """Ends the file, or waits for the command to end."""
        with contextlib.suppress(BrokenPipeError):  # the command has seen enough
            self.out.close()
        if self._process is not None:
            self._process.wait()
