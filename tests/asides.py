"""Calls in threads of their own, beside the test that cancels, kills or drops them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from hartonomous.storage.errors import Error

#: seconds that a call may go on after what should have ended it
PATIENCE = 20.0


class Aside:
    """`work` in a thread that starts at once."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._errors: list[Error] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Error as error:
            self._errors.append(error)

    def is_over(self, within: float = 0.0) -> bool:
        """Whether it ends in so many seconds."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def error(self) -> Error | None:
        """What it raised, once it is over."""
        assert self.is_over(PATIENCE)
        return self._errors[0] if self._errors else None


def cancel_until_it_ends(connection: Any, work: Callable[[], object]) -> Error | None:
    """What `work` raises in a thread of its own while this one cancels. Again and again: the first
    `cancel` may come before there is anything to stop."""
    aside = Aside(work)
    while not aside.is_over(within=0.01):
        connection.cancel()
    return aside.error()
