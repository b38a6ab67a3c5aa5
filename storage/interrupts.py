"""Ctrl-C that comes where nothing may be left half done waits until it is done.

Python raises KeyboardInterrupt in the main thread, between any two instructions. Between the log's
record and the published state that would leave memory and disk different, and end the committing
(commit_path.py). So there the main thread only notes the signal, and answers it afterwards.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]


class Interrupts:
    """A block in which `hold` may be called; what came since is answered when the block is left.
    In other threads than the main one nothing is done, as no signal is answered there."""

    __slots__ = ("_before", "_frame", "_has_come")

    def __init__(self) -> None:
        self._before: Handler | None = None
        self._frame: FrameType | None = None
        self._has_come = False

    def hold(self) -> None:
        """From here on SIGINT waits."""
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGINT)
        if callable(before):  # else it is ignored, ends the process, or is not Python's
            self._before = before
            signal.signal(signal.SIGINT, self._note)

    def _note(self, _number: int, frame: FrameType | None) -> None:
        self._has_come, self._frame = True, frame

    def __enter__(self) -> Interrupts:
        return self

    def __exit__(self, *_: object) -> None:
        before = self._before
        if before is None:
            return
        signal.signal(signal.SIGINT, before)
        if self._has_come:
            before(signal.SIGINT, self._frame)
