"""Log-ins in the audit (sys.audit): who came in, and who was not believed.

Of refusals because too many failed before, one a minute is kept of each place: whoever hammers
does not push out of a bounded log what they did before.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from hartonomous.hql.security.audit import record
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.server.engine import Engine
    from hartonomous.server.running import Running
    from hartonomous.server.sessions import ServerSession

#: seconds between two records of one place's being refused
REFUSED_SECONDS = 60.0
PLACES_MAX = 1_000


class LoginAudit:
    """An observer of an engine, on its event loop."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._clock = engine, clock
        self._refused: OrderedDict[str, float] = OrderedDict()

    def on_login(self, name: str | None, peer: str, door: str, error: Error | None) -> None:
        """Keeps a record."""
        if error is not None and error.code == "LOGIN_LIMIT" and not self._is_new(peer):
            return
        record(
            self._engine.database,
            "LOGIN" if error is None else "LOGIN_FAILED",
            account=name or "",
            door=door,
            peer=peer,
            detail="" if error is None else error.code,
            succeeded=error is None,
        )

    def _is_new(self, peer: str) -> bool:
        place, now = peer.rpartition(":")[0], self._clock()
        if self._refused.get(place, float("-inf")) + REFUSED_SECONDS > now:
            return False
        self._refused.pop(place, None)
        self._refused[place] = now
        if len(self._refused) > PLACES_MAX:
            self._refused.popitem(last=False)
        return True

    def on_begin(self, running: Running) -> None:
        """Statements are not this log's."""

    def on_end(self, running: Running, error: Error | None) -> None:
        """Nor how they end: those that are denied hql notes itself."""

    def on_session(self, session: ServerSession, opened: bool) -> None:
        """A session is no log-in: open access has sessions too."""
