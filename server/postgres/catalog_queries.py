"""Which texts ask for PostgreSQL's catalog, told from HQL by the names that they use; and what
stops such a query."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

#: a longer text is no query of the catalog
CHARACTERS_MAX = 100_000
#: what one begins with
_FIRST = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|WITH|VALUES|TABLE)\b", re.I | re.S)
#: strings and comments, which name nothing, then names that only PostgreSQL's catalog has
_NAMES = re.compile(
    r"""
    '[^']*(?:''[^']*)*' | --[^\n]* | /\*.*?\*/ | \[[^\]]*\]
  | (?P<name>
      \b(?:pg_[a-z_]\w*|information_schema) \b "? \s* [.(\s,;)]
    | "(?:pg_catalog|information_schema)" \s* \.
    | \b(?:version|current_database|current_schemas?|current_setting|set_config|to_regclass
         |to_regtype|to_regproc|obj_description|col_description|shobj_description|format_type
         |has_\w+_privilege|inet_server_addr|inet_server_port|inet_client_addr)\s*\(
    | \b(?:session_user|current_user|current_role|current_catalog|current_schema)\b
    | ::\s*(?:regclass|regtype|regproc|regnamespace|oid|name)\b
    )
    """,
    re.I | re.S | re.X,
)


def is_catalog_query(text: str) -> bool:
    """Whether a text is a query of PostgreSQL's catalog."""
    if len(text) > CHARACTERS_MAX or not _FIRST.match(text):
        return False
    return any(match["name"] is not None for match in _NAMES.finditer(text + " "))


class Watch:
    """What one connection's queries of the catalog are stopped by, from any thread. `reason` says
    why the last one was: CANCELLED or TIMEOUT, None if it was not."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._interrupt: Callable[[], object] | None = None

    @contextmanager
    def over(self, interrupt: Callable[[], object], seconds: float) -> Iterator[None]:
        """Inside the block a query runs, for so long at most."""
        self.reason, self._interrupt = None, interrupt
        timer = Timer(seconds, self.stop, ["TIMEOUT"])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._interrupt = None

    def stop(self, reason: str = "CANCELLED") -> None:
        """Stops what runs now."""
        interrupt = self._interrupt
        if interrupt is not None:
            self.reason = reason
            interrupt()
